-- Seasons that end. The row is the lock: who records a score shares it, who closes and settles has it alone.
-- state: 0 open, 1 closed, 2 settled. players: archived so far. rank_order and rewards: set when it is closed.
CREATE TABLE IF NOT EXISTS seasons (
    board      VARCHAR(64) NOT NULL,
    season     VARCHAR(64) NOT NULL,
    ends_at    BIGINT NOT NULL,
    state      TINYINT NOT NULL,
    players    BIGINT NOT NULL,
    rank_order VARCHAR(16) NULL,
    rewards    MEDIUMTEXT NULL,
    PRIMARY KEY (board, season),
    KEY seasons_by_state (state, ends_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
