-- Accounts that were deleted a short time ago: what was on its way to the ranking then is taken out of it again.
CREATE TABLE IF NOT EXISTS deleted_players (
    user_id    VARCHAR(32) NOT NULL,
    deleted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id),
    KEY deleted_players_by_time (deleted_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
