//! What the ports carry about coins.

use jiff::Timestamp;

use super::{Event, PlayerId};

/// A purchase to make.
#[derive(Debug, Clone)]
pub struct PurchaseOrder {
    /// The id it gets if granted; a ULID in text. Also the ledger entry's ref; its reason is `purchase`.
    pub purchase_id: String,
    /// Who buys.
    pub player: PlayerId,
    /// The Idempotency-Key: 1 to 128 characters, unique per player, compared by bytes.
    pub key: String,
    /// SHA-256 of what was sent.
    pub payload_hash: Vec<u8>,
    /// What is bought, one piece.
    pub item_id: String,
    /// Where it goes.
    pub slot: Option<u8>,
    /// What it costs, at least 0.
    pub price: i64,
    /// Now.
    pub at: Timestamp,
    /// Goes to the outbox if granted.
    pub event: Event,
}

/// A granted purchase, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseRow {
    /// Its id.
    pub purchase_id: String,
    /// What was bought.
    pub item_id: String,
    /// Where it went.
    pub slot: Option<u8>,
    /// What was paid.
    pub price: i64,
    /// The coins left after it.
    pub balance: i64,
    /// When.
    pub at: Timestamp,
    /// SHA-256 of what was sent.
    pub payload_hash: Vec<u8>,
}

/// What a purchase came to. Only `Granted` wrote anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurchaseOutcome {
    /// Paid and given.
    Granted(PurchaseRow),
    /// The key is bound already: the row it is bound to. The caller compares the payload.
    Bound(PurchaseRow),
    /// The balance is below the price.
    TooFewCoins {
        /// What the player has.
        balance: i64,
    },
    /// No such player.
    UnknownPlayer,
}

/// Coins to give to a player.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The id it gets; a ULID in text. Also the ledger entry's ref; the entry's reason is `grant`.
    pub grant_id: String,
    /// Who gets them.
    pub player: PlayerId,
    /// The Idempotency-Key, as with purchases (but in a name space of its own).
    pub key: String,
    /// SHA-256 of what was sent.
    pub payload_hash: Vec<u8>,
    /// How many, at least 1.
    pub coins: i64,
    /// Why, 1 to 200 characters.
    pub reason: String,
    /// No balance may rise above this.
    pub max_balance: i64,
    /// Now.
    pub at: Timestamp,
    /// Goes to the outbox if granted.
    pub event: Event,
}

/// A grant that was made, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Its id.
    pub grant_id: String,
    /// How many coins.
    pub coins: i64,
    /// Why.
    pub reason: String,
    /// The coins after it.
    pub balance: i64,
    /// When.
    pub at: Timestamp,
    /// SHA-256 of what was sent.
    pub payload_hash: Vec<u8>,
}

/// What a grant came to. Only `Granted` wrote anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantOutcome {
    /// The coins are there.
    Granted(GrantRow),
    /// The key is bound already: the row it is bound to. The caller compares the payload.
    Bound(GrantRow),
    /// The balance would rise above the limit.
    TooManyCoins {
        /// What the player has.
        balance: i64,
    },
    /// No such player.
    UnknownPlayer,
}

/// One movement of a player's coins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its place: rises with every movement of a player (written under the player's row lock).
    pub seq: i64,
    /// Coins gained, or lost if negative.
    pub delta: i64,
    /// Coins after it.
    pub balance: i64,
    /// `signup`, `purchase`, `grant`.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The purchase, grant or player it stems from.
    pub reference: String,
}
