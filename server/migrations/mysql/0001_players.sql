-- Ids are compared by bytes. What clients name themselves (device_id) is VARBINARY: even utf8mb4_bin ignores spaces at the end.
-- Times are microseconds since 1970, UTC.
CREATE TABLE IF NOT EXISTS players (
    user_id    VARCHAR(32) NOT NULL,
    device_id  VARBINARY(512) NOT NULL,
    device_mac VARBINARY(64) NOT NULL,
    coins      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id),
    UNIQUE KEY players_by_device (device_id),
    CONSTRAINT players_coins CHECK (coins >= 0)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
