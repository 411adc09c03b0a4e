CREATE TABLE IF NOT EXISTS sessions (
    session_id    VARCHAR(32) NOT NULL,
    user_id       VARCHAR(32) NOT NULL,
    token_hash    VARBINARY(64) NOT NULL,
    previous_hash VARBINARY(64) NULL,
    rotated_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (session_id),
    KEY sessions_by_expiry (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
