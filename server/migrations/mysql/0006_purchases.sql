CREATE TABLE IF NOT EXISTS purchases (
    user_id         VARCHAR(32) NOT NULL,
    idempotency_key VARBINARY(512) NOT NULL,
    purchase_id     VARCHAR(32) NOT NULL,
    payload_hash    VARBINARY(64) NOT NULL,
    item_id         VARCHAR(64) NOT NULL,
    slot            SMALLINT NOT NULL,
    price           BIGINT NOT NULL,
    balance         BIGINT NOT NULL,
    purchased_at    BIGINT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
