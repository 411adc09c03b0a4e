-- Times are microseconds since 1970. Ids compare by bytes.
CREATE TABLE players (
    id TEXT PRIMARY KEY,
    device_id TEXT NOT NULL UNIQUE,
    device_mac BLOB NOT NULL,
    coins INTEGER NOT NULL CHECK (coins >= 0),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    player TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    previous_hash BLOB,
    rotated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE scores (
    player TEXT NOT NULL REFERENCES players (id),
    board TEXT NOT NULL,
    season TEXT NOT NULL,
    score INTEGER NOT NULL,
    achieved_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (board, season, player)
) STRICT;
CREATE INDEX scores_changed ON scores (changed_at, player, board, season);

CREATE TABLE runs (
    player TEXT NOT NULL,
    run_id TEXT NOT NULL,
    payload_hash BLOB NOT NULL,
    previous_best INTEGER,
    best INTEGER NOT NULL,
    improved INTEGER NOT NULL,
    achieved_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (player, run_id)
) STRICT;
CREATE INDEX runs_age ON runs (at);

CREATE TABLE items (
    player TEXT NOT NULL REFERENCES players (id),
    item_id TEXT NOT NULL,
    slot INTEGER NOT NULL, -- 0: in no slot
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (player, item_id, slot)
) STRICT;

CREATE TABLE purchases (
    id TEXT PRIMARY KEY,
    player TEXT NOT NULL REFERENCES players (id),
    idempotency_key TEXT NOT NULL,
    payload_hash BLOB NOT NULL,
    item_id TEXT NOT NULL,
    slot INTEGER NOT NULL,
    price INTEGER NOT NULL CHECK (price >= 0),
    balance INTEGER NOT NULL CHECK (balance >= 0),
    at INTEGER NOT NULL,
    UNIQUE (player, idempotency_key)
) STRICT;

CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    player TEXT NOT NULL REFERENCES players (id),
    idempotency_key TEXT NOT NULL,
    payload_hash BLOB NOT NULL,
    coins INTEGER NOT NULL CHECK (coins > 0),
    reason TEXT NOT NULL,
    balance INTEGER NOT NULL CHECK (balance >= 0),
    at INTEGER NOT NULL,
    UNIQUE (player, idempotency_key)
) STRICT;

CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    player TEXT NOT NULL REFERENCES players (id),
    delta INTEGER NOT NULL,
    balance INTEGER NOT NULL CHECK (balance >= 0),
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    reference TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_player ON ledger (player, seq);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    player TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    properties TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    lease_owner TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, id);

CREATE TABLE events (
    partition TEXT NOT NULL,
    sort_key TEXT NOT NULL,
    id TEXT NOT NULL,
    player TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    properties TEXT NOT NULL,
    PRIMARY KEY (partition, sort_key)
) STRICT, WITHOUT ROWID;
