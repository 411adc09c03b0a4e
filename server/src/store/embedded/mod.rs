//! SQLite and an in-process ranking: a whole game on a laptop, with no set-up.

mod account;
mod coins;
mod db;
mod deletions;
mod event_log;
mod funds;
mod grants;
mod ledger;
mod outbox;
mod ranking;
mod receipts;
mod scores;
mod seasons;
mod turns;

use std::{path::Path, sync::Arc};

pub use ranking::InProcessRanking;

use self::{db::Db, event_log::SqliteEventLog, ledger::SqliteLedger};
use super::{StoreError, Stores};

/// Opens (or makes) the stores in a directory.
///
/// # Errors
/// When the directory or the file in it cannot be written or is of a newer release.
pub async fn open(directory: &Path) -> Result<Stores, StoreError> {
    let db = Db::open(&directory.join("game.sqlite")).await?;
    Ok(Stores {
        ledger: Arc::new(SqliteLedger::new(db.clone())),
        ranking: Arc::new(InProcessRanking::default()),
        events: Arc::new(SqliteEventLog::new(db)),
    })
}
