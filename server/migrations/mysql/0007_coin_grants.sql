CREATE TABLE IF NOT EXISTS coin_grants (
    user_id         VARCHAR(32) NOT NULL,
    idempotency_key VARBINARY(512) NOT NULL,
    grant_id        VARCHAR(32) NOT NULL,
    payload_hash    VARBINARY(64) NOT NULL,
    coins           BIGINT NOT NULL,
    reason          VARCHAR(200) NOT NULL,
    balance         BIGINT NOT NULL,
    granted_at      BIGINT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
