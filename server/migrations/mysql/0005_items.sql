-- slot -1: in no slot. (A part of a primary key cannot be NULL.)
CREATE TABLE IF NOT EXISTS items (
    user_id  VARCHAR(32) NOT NULL,
    item_id  VARCHAR(64) NOT NULL,
    slot     SMALLINT NOT NULL,
    quantity BIGINT NOT NULL,
    PRIMARY KEY (user_id, item_id, slot)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
