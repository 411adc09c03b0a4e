-- available_at: when the event may be claimed: when it is due, or when the lease of who has claimed it is over.
CREATE TABLE IF NOT EXISTS outbox (
    event_id     VARCHAR(32) NOT NULL,
    user_id      VARCHAR(32) NOT NULL,
    name         VARCHAR(255) NOT NULL,
    happened_at  BIGINT NOT NULL,
    properties   MEDIUMTEXT NOT NULL,
    available_at BIGINT NOT NULL,
    lease_owner  VARCHAR(128) NULL,
    PRIMARY KEY (event_id),
    KEY outbox_by_availability (available_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
