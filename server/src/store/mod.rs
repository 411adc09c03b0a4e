//! The ports: what the rules of the game need from a database, a ranking and a log.
//!
//! Every operation of [`Ledger`] that writes is one transaction: it has happened wholly, durably, when it answers `Ok`,
//! and an error means that it is unknown whether it happened. Repeating it with the same keys is always safe.

mod coin_records;
mod error;
mod event;
mod ports;
mod rank_key;
mod receipt_records;
mod records;
mod season_records;
mod settings;

pub mod aws;
pub mod embedded;

/// The target of spans that are traced.
pub const TRACED: &str = "trace";

pub use coin_records::{
    Funds, Grant, GrantOutcome, GrantRow, LedgerEntry, Movement, PurchaseOrder, PurchaseOutcome, PurchaseRow,
};
pub use error::{BoxError, StoreError, chain};
pub use event::{Event, EventPage, LOG_SHARDS, LogPosition, WriteReport, day_of, log_shard};
pub use ports::{EventLog, Ledger, MOST_COUNTED, Ranking, ReplicaSource, ScoreCursor, Stores};
pub use rank_key::{BoardKey, Order, RankKey};
pub use receipt_records::{AppStore, ReceiptChange, ReceiptOutcome, ReceiptRow, ReceiptStep, ReceiptWrite, Tell};
pub use records::{
    Account, AccountOutcome, Advance, DeleteOutcome, Item, NewAccount, Player, PlayerId, Profile, RankPage,
    RankedEntry, ScoreOutcome, ScoreResult, ScoreRow, ScoreWrite, SessionRow,
};
pub use season_records::{Closing, Reward, RewardEvent, Rewards, SeasonRow, SeasonState, SettleOutcome, Settlement};
pub use settings::{AwsSettings, CacheSettings, DatabaseSettings, Endpoint, LogSettings, ReplicaSettings};
