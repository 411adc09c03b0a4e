-- What could not be taken back; settled first from what comes in. Who owes has no coins.
ALTER TABLE players ADD COLUMN owed BIGINT NOT NULL DEFAULT 0
