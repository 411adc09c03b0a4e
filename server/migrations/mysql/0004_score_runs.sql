CREATE TABLE IF NOT EXISTS score_runs (
    user_id       VARCHAR(32) NOT NULL,
    run_id        VARBINARY(256) NOT NULL,
    payload_hash  VARBINARY(64) NOT NULL,
    previous_best BIGINT NULL,
    best          BIGINT NOT NULL,
    improved      TINYINT NOT NULL,
    achieved_at   BIGINT NOT NULL,
    recorded_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, run_id),
    KEY score_runs_by_age (recorded_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
