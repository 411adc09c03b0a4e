-- The final boards. A player's line is written in the transaction that pays its reward (coins).
CREATE TABLE IF NOT EXISTS season_ranks (
    board       VARCHAR(64) NOT NULL,
    season      VARCHAR(64) NOT NULL,
    final_rank  BIGINT NOT NULL,
    user_id     VARCHAR(32) NOT NULL,
    score       BIGINT NOT NULL,
    achieved_at BIGINT NOT NULL,
    coins       BIGINT NOT NULL,
    PRIMARY KEY (board, season, final_rank),
    UNIQUE KEY season_ranks_by_user (board, season, user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
