//! The events of the log and where they lie in it.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PlayerId;

/// Partitions of one day's log.
pub const LOG_SHARDS: u8 = 64;

/// One line of the log. `id` is made once, before it is first stored: writing it again overwrites itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// A ULID in text (26 characters).
    pub id: String,
    /// Whose doing it was.
    pub player: PlayerId,
    /// What happened, such as `purchase`.
    pub name: String,
    /// When it happened; its UTC day is part of the log's key.
    pub at: Timestamp,
    /// A JSON object.
    pub properties: serde_json::Value,
}

impl Event {
    /// The partition key: `<yyyy-mm-dd>#<shard>`.
    #[must_use]
    pub fn partition_key(&self) -> String {
        format!("{}#{}", day_of(self.at), log_shard(&self.player))
    }

    /// The sort key: `<player>#<id>`.
    #[must_use]
    pub fn sort_key(&self) -> String {
        format!("{}#{}", self.player, self.id)
    }
}

/// The UTC day of an instant.
#[must_use]
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The shard of a player's events. Stored in keys: it must never change.
#[must_use]
pub fn log_shard(player: &PlayerId) -> u8 {
    Sha256::digest(player.as_str().as_bytes())[0] % LOG_SHARDS
}

/// What became of a batch. What is neither written nor rejected is to be tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteReport {
    /// Ids of events that the log has durably.
    pub written: Vec<String>,
    /// Ids of events that the log will never take (too large, ...), each with the reason.
    pub rejected: Vec<(String, String)>,
}

/// A place in the log from which a listing goes on: the last event's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The shard being read.
    pub shard: u8,
    /// The sort key of the last event given; empty: start of the shard.
    pub sort_key: String,
}

/// Some events, and where to go on if there may be more.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    /// In the order of their sort keys.
    pub events: Vec<Event>,
    /// Unset at the end.
    pub next: Option<LogPosition>,
}
