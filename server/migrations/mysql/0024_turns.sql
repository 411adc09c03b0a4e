-- What one server of many does from time to time: when it is due again, and how far it has come.
CREATE TABLE IF NOT EXISTS turns (
    task    VARCHAR(64) NOT NULL,
    due_at  BIGINT NOT NULL,
    done_to BIGINT NOT NULL,
    PRIMARY KEY (task)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
