-- seq is given while the player's row is locked, so it rises with every movement of a player.
CREATE TABLE IF NOT EXISTS coin_ledger (
    user_id   VARCHAR(32) NOT NULL,
    seq       BIGINT NOT NULL AUTO_INCREMENT,
    delta     BIGINT NOT NULL,
    balance   BIGINT NOT NULL,
    reason    VARCHAR(32) NOT NULL,
    reference VARCHAR(64) NOT NULL,
    booked_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, seq),
    KEY coin_ledger_by_seq (seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin
