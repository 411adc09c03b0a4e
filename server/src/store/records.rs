//! What the ports carry.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BoardKey, Event, RankKey};

/// A player's id: 1 to 32 ASCII letters and digits, compared by bytes (a ULID in text when made here).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlayerId(String);

impl PlayerId {
    /// The id in this text, if it can be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(text.to_owned()))
    }

    /// The id in text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A player as the ledger knows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    /// Who.
    pub id: PlayerId,
    /// Never negative, and always the sum of the player's ledger.
    pub coins: i64,
    /// What could not be taken when it was to be; settled first from what comes in.
    pub owed: i64,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// A player's items of one kind in one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// From the catalogue.
    pub item_id: String,
    /// Unset: in no slot.
    pub slot: Option<u8>,
    /// At least 1.
    pub quantity: i64,
}

/// A player with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The player.
    pub player: Player,
    /// The score on the board that was asked for.
    pub best_score: Option<i64>,
    /// Ordered by item, then slot.
    pub items: Vec<Item>,
}

/// What deleting a player came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// Nothing of it is left: now, or since a call before.
    Deleted,
    /// No such player.
    UnknownPlayer,
    /// A season that it played in is just being settled: nothing was deleted, and it can be in a moment.
    SeasonSettling,
}

/// A guest account to open, unless the device has one.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The id the player gets if it is new.
    pub id: PlayerId,
    /// The client's own name for the device, unique; 1 to 128 characters, compared by bytes.
    pub device_id: String,
    /// HMAC-SHA-256 of the device's secret.
    pub device_mac: Vec<u8>,
    /// The first coins; a ledger entry `signup` with ref = the player's id, unless 0.
    pub coins: i64,
    /// Now.
    pub at: Timestamp,
    /// Goes to the outbox if the account is new.
    pub event: Event,
}

/// A player's account and the secret that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub player: PlayerId,
    /// What was kept when it was opened.
    pub device_mac: Vec<u8>,
}

/// What opening an account came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountOutcome {
    /// It is new.
    Created(Account),
    /// The device had one; the caller checks the secret. Nothing was written.
    Existing(Account),
}

/// A session: what its refresh token must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Part of the token, not secret; a ULID in text.
    pub id: String,
    /// Whose session it is.
    pub player: PlayerId,
    /// SHA-256 of the token that is valid now.
    pub token_hash: Vec<u8>,
    /// SHA-256 of the token before it.
    pub previous_hash: Option<Vec<u8>>,
    /// When the token was last exchanged for a new one.
    pub rotated_at: Timestamp,
    /// The token is refused from here on.
    pub expires_at: Timestamp,
}

/// A player's standing on a board, as kept in the ledger: the truth of the ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreRow {
    /// What is ranked: score, when it was reached, by whom.
    pub key: RankKey,
    /// Raised by one in every transaction that changes the row; starts at 1.
    pub version: i64,
}

/// The board's rule: from the score that stands (with when it was reached) and a new score, what stands now.
/// `None`: nothing changes.
pub type Advance = fn(Option<(i64, Timestamp)>, i64, Timestamp) -> Option<(i64, Timestamp)>;

/// A score to record.
#[derive(Debug, Clone)]
pub struct ScoreWrite {
    /// By whom.
    pub player: PlayerId,
    /// Where.
    pub board: BoardKey,
    /// The points.
    pub score: i64,
    /// The client's id of the run; 1 to 64 characters, unique per player, compared by bytes.
    pub run_id: String,
    /// SHA-256 of what was sent, to tell a repeat from another run under the same id.
    pub payload_hash: Vec<u8>,
    /// Now.
    pub at: Timestamp,
    /// When the season ends; unset: never. From then on, or when it was closed before, it takes no score.
    pub ends_at: Option<Timestamp>,
    /// Decides, inside the transaction, what stands.
    pub advance: Advance,
    /// Goes to the outbox in the same transaction.
    pub event: Event,
}

impl ScoreWrite {
    /// Whether it comes after the end of its season.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= self.at)
    }
}

/// What a recorded score led to. Kept with the run, so that a repeat is answered alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreResult {
    /// What stood before, if anything.
    pub previous_best: Option<i64>,
    /// What stands since.
    pub best: i64,
    /// Whether what stands changed.
    pub improved: bool,
    /// When what stands was reached.
    pub achieved_at: Timestamp,
    /// The season it counts in.
    pub season: String,
}

/// What recording a score came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScoreOutcome {
    /// It is recorded; `row` is the standing now.
    Recorded {
        /// The answer.
        result: ScoreResult,
        /// For the ranking.
        row: ScoreRow,
    },
    /// The run was recorded before with the same payload, in this season or an earlier one; `row` is the standing now.
    Repeated {
        /// The first answer.
        result: ScoreResult,
        /// For the ranking.
        row: ScoreRow,
    },
    /// The run was recorded before with another payload.
    RunConflict,
    /// The season takes no more scores, and the run was not recorded before.
    SeasonOver,
    /// No such player.
    UnknownPlayer,
}

/// One line of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedEntry {
    /// From 1.
    pub rank: u64,
    /// Score, time, player.
    pub key: RankKey,
}

/// Some lines of a board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RankPage {
    /// In order of rank.
    pub entries: Vec<RankedEntry>,
    /// How many players are on the board.
    pub total: u64,
}
