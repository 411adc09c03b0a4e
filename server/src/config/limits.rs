//! What is served at once, and how often each may ask.

use std::{num::NonZeroU32, time::Duration};

use super::reader::Reader;
use crate::rate::{Rate, Rates};

/// What is served at once, by group of routes.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is a group of routes")]
pub struct Limits {
    pub sessions: usize,
    pub purchases: usize,
    pub receipts: usize,
    pub scores: usize,
    pub reads: usize,
    pub ranking: usize,
    pub events: usize,
    pub manifest: usize,
    pub admin: usize,
    /// No request takes longer.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 256,
            purchases: 512,
            receipts: 128,
            scores: 512,
            reads: 256,
            ranking: 256,
            events: 256,
            manifest: 256,
            admin: 16,
            deadline: Duration::from_secs(10),
        }
    }
}

fn rate(reader: &mut Reader<'_>, name: &str, per_minute: u32, burst: u32) -> Option<Rate> {
    const MOST: u32 = 10_000_000;
    let per_minute = reader.number(name, per_minute, 0, MOST);
    let burst = reader.number(&format!("{name}_BURST"), burst, 1, MOST);
    Some(Rate { per_minute: NonZeroU32::new(per_minute)?, burst: NonZeroU32::new(burst)? })
}

pub(super) fn rates(reader: &mut Reader<'_>) -> Rates {
    Rates {
        player: rate(reader, "GAME_RATE_PLAYER", 600, 100),
        address: rate(reader, "GAME_RATE_ADDRESS", 30_000, 5000),
    }
}

pub(super) fn limits(reader: &mut Reader<'_>) -> Limits {
    let default = Limits::default();
    let mut limit = |name, default| reader.number(name, default, 1, 100_000);
    Limits {
        sessions: limit("GAME_LIMIT_SESSIONS", default.sessions),
        purchases: limit("GAME_LIMIT_PURCHASES", default.purchases),
        receipts: limit("GAME_LIMIT_RECEIPTS", default.receipts),
        scores: limit("GAME_LIMIT_SCORES", default.scores),
        reads: limit("GAME_LIMIT_READS", default.reads),
        ranking: limit("GAME_LIMIT_RANKING", default.ranking),
        events: limit("GAME_LIMIT_EVENTS", default.events),
        manifest: limit("GAME_LIMIT_MANIFEST", default.manifest),
        admin: limit("GAME_LIMIT_ADMIN", default.admin),
        deadline: Duration::from_millis(reader.number("GAME_DEADLINE_MS", 10_000, 100, 10_000)),
    }
}
