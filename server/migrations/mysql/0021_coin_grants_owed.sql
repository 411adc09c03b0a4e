-- Below 0 coins: taken back.
ALTER TABLE coin_grants ADD COLUMN owed BIGINT NOT NULL DEFAULT 0
