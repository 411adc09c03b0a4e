CREATE TABLE IF NOT EXISTS scores (
    board       VARCHAR(64) NOT NULL,
    season      VARCHAR(64) NOT NULL,
    user_id     VARCHAR(32) NOT NULL,
    score       BIGINT NOT NULL,
    achieved_at BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (board, season, user_id),
    KEY scores_by_change (changed_at, user_id, board, season)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
