//! The end of an account, in SQLite.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Sqlite, Transaction};

use super::db::{Db, failed, player as player_in};
use crate::store::{DeleteOutcome, PlayerId, SeasonState, StoreError};

const OPERATION: &str = "delete_player";

/// What is a player's own, before the player itself. Receipts stay, so that none is worth coins twice.
const TABLES: [&str; 9] =
    ["sessions", "scores", "season_ranks", "runs", "items", "purchases", "grants", "ledger", "outbox"];

pub(super) async fn delete(db: &Db, player: &PlayerId, at: Timestamp) -> Result<DeleteOutcome, StoreError> {
    let mut tx = db.write(OPERATION).await?;
    if !holds(&mut tx, "SELECT 1 FROM players WHERE id = ?", player).await? {
        // The repeat of a call whose answer was lost.
        let before = holds(&mut tx, "SELECT 1 FROM deletions WHERE player = ?", player).await?;
        return Ok(if before { DeleteOutcome::Deleted } else { DeleteOutcome::UnknownPlayer });
    }
    let closed = SeasonState::Closed.number();
    let settling = format!(
        "SELECT 1 FROM scores s JOIN seasons e ON e.board = s.board AND e.season = s.season \
         WHERE s.player = ? AND e.state = {closed} LIMIT 1"
    );
    if holds(&mut tx, &settling, player).await? {
        return Ok(DeleteOutcome::SeasonSettling);
    }
    for table in TABLES {
        execute(&mut tx, format!("DELETE FROM {table} WHERE player = ?"), player).await?;
    }
    execute(&mut tx, "DELETE FROM players WHERE id = ?".to_owned(), player).await?;
    execute(&mut tx, format!("INSERT INTO deletions (player, at) VALUES (?, {})", at.as_microsecond()), player).await?;
    tx.commit().await.map_err(failed(OPERATION))?;
    Ok(DeleteOutcome::Deleted)
}

async fn holds(tx: &mut Transaction<'_, Sqlite>, sql: &str, player: &PlayerId) -> Result<bool, StoreError> {
    let found: Option<i64> = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .bind(player.as_str())
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed(OPERATION))?;
    Ok(found.is_some())
}

async fn execute(tx: &mut Transaction<'_, Sqlite>, sql: String, player: &PlayerId) -> Result<(), StoreError> {
    let done = sqlx::query(AssertSqlSafe(sql)).bind(player.as_str()).execute(&mut **tx).await;
    done.map(drop).map_err(failed(OPERATION))
}

pub(super) async fn recent(db: &Db, since: Timestamp) -> Result<Vec<PlayerId>, StoreError> {
    let rows = sqlx::query("SELECT player FROM deletions WHERE at >= ? ORDER BY at")
        .bind(since.as_microsecond())
        .fetch_all(db.readers())
        .await
        .map_err(failed("recent_deletions"))?;
    rows.iter().map(|row| player_in(row, "player")).collect()
}
