-- user_id: NULL if it was refunded before anybody claimed it. acknowledge_at: when the store is to be told that the coins were given.
CREATE TABLE IF NOT EXISTS receipts (
    store          VARCHAR(16) NOT NULL,
    transaction_id VARBINARY(1024) NOT NULL,
    receipt_id     VARCHAR(32) NOT NULL,
    order_id       VARBINARY(256) NULL,
    product_id     VARBINARY(256) NOT NULL,
    user_id        VARCHAR(32) NULL,
    coins          BIGINT NOT NULL,
    refunded       TINYINT(1) NOT NULL,
    stated_at      BIGINT NOT NULL,
    recorded_at    BIGINT NOT NULL,
    acknowledge_at BIGINT NULL,
    PRIMARY KEY (store, transaction_id),
    KEY receipts_by_user (user_id),
    KEY receipts_to_acknowledge (acknowledge_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
