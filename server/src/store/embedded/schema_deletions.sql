-- Accounts that were deleted a short time ago: what was on its way to the ranking then is taken out of it again.
CREATE TABLE deletions (
    player TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX deletions_at ON deletions (at);
CREATE INDEX sessions_player ON sessions (player);

-- Receipts outlive their player, so that none is worth coins twice.
CREATE TABLE receipts_kept (
    store TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    receipt_id TEXT NOT NULL,
    order_id TEXT,
    product_id TEXT NOT NULL,
    player TEXT,
    coins INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    stated_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    acknowledge_at INTEGER,
    PRIMARY KEY (store, transaction_id)
) STRICT;
INSERT INTO receipts_kept
    SELECT store, transaction_id, receipt_id, order_id, product_id, player, coins, refunded, stated_at, recorded_at,
        acknowledge_at FROM receipts;
DROP TABLE receipts;
ALTER TABLE receipts_kept RENAME TO receipts;
CREATE INDEX receipts_to_acknowledge ON receipts (acknowledge_at) WHERE acknowledge_at IS NOT NULL;
