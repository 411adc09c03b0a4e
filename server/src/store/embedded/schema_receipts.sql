-- What could not be taken back; settled first from what comes in. Who owes has no coins.
ALTER TABLE players ADD COLUMN owed INTEGER NOT NULL DEFAULT 0 CHECK (owed >= 0);
ALTER TABLE ledger ADD COLUMN owed INTEGER NOT NULL DEFAULT 0 CHECK (owed >= 0);

-- Below 0 coins: taken back.
CREATE TABLE grants_and_revocations (
    id TEXT PRIMARY KEY,
    player TEXT NOT NULL REFERENCES players (id),
    idempotency_key TEXT NOT NULL,
    payload_hash BLOB NOT NULL,
    coins INTEGER NOT NULL CHECK (coins <> 0),
    reason TEXT NOT NULL,
    balance INTEGER NOT NULL CHECK (balance >= 0),
    owed INTEGER NOT NULL CHECK (owed >= 0),
    at INTEGER NOT NULL,
    UNIQUE (player, idempotency_key)
) STRICT;
INSERT INTO grants_and_revocations
    SELECT id, player, idempotency_key, payload_hash, coins, reason, balance, 0, at FROM grants;
DROP TABLE grants;
ALTER TABLE grants_and_revocations RENAME TO grants;

-- player: NULL if it was refunded before anybody claimed it.
-- acknowledge_at: when the store is to be told that the coins were given.
CREATE TABLE receipts (
    store TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    receipt_id TEXT NOT NULL,
    order_id TEXT,
    product_id TEXT NOT NULL,
    player TEXT REFERENCES players (id),
    coins INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    stated_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    acknowledge_at INTEGER,
    PRIMARY KEY (store, transaction_id)
) STRICT;
CREATE INDEX receipts_to_acknowledge ON receipts (acknowledge_at) WHERE acknowledge_at IS NOT NULL;

CREATE TABLE turns (
    task TEXT PRIMARY KEY,
    due_at INTEGER NOT NULL,
    done_to INTEGER NOT NULL
) STRICT;
