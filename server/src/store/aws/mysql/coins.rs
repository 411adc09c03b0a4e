//! The ledger of coins. Whoever changes a balance holds the player's row lock until the commit, so a player's movements
//! are one after the other and the ledger's sum is the balance.

use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::error::DbError;
use super::rows::{get_time, runs, values};
use crate::store::{LedgerEntry, Movement, PlayerId};

/// A movement to write down.
pub(super) struct Entry<'a> {
    pub player: &'a PlayerId,
    pub movement: Movement,
    pub reference: &'a str,
    pub at: Timestamp,
}

/// Writes movements into the ledger, in this order.
pub(super) async fn book(connection: &mut MySqlConnection, entries: &[Entry<'_>]) -> Result<(), DbError> {
    for run in runs(entries) {
        let sql = format!(
            "INSERT INTO coin_ledger (user_id, delta, balance, owed, reason, reference, booked_at) VALUES {}",
            values(run.len(), 7)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for Entry { player, movement, reference, at } in run {
            query = query
                .bind(player.as_str())
                .bind(movement.delta)
                .bind(movement.after.coins)
                .bind(movement.after.owed)
                .bind(movement.reason)
                .bind(*reference)
                .bind(at.as_microsecond());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// A player's ledger, newest first.
pub(super) async fn ledger(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<LedgerEntry>, DbError> {
    let rows = sqlx::query(
        "SELECT seq, delta, balance, owed, reason, reference, booked_at FROM coin_ledger \
         WHERE user_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
    )
    .bind(player.as_str())
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(entry).collect()
}

/// A page from a replica that holds the entry the page follows: then it holds all before it too. Unset: it does not.
pub(super) async fn page_behind(
    connection: &mut MySqlConnection,
    player: &PlayerId,
    before: i64,
    limit: u32,
) -> Result<Option<Vec<LedgerEntry>>, DbError> {
    let mut entries = ledger(connection, player, Some(before.saturating_add(1)), limit.saturating_add(1)).await?;
    if entries.first().is_none_or(|entry| entry.seq != before) {
        return Ok(None);
    }
    entries.remove(0);
    Ok(Some(entries))
}

fn entry(row: &MySqlRow) -> Result<LedgerEntry, DbError> {
    Ok(LedgerEntry {
        seq: row.try_get("seq")?,
        delta: row.try_get("delta")?,
        balance: row.try_get("balance")?,
        owed: row.try_get("owed")?,
        reason: row.try_get("reason")?,
        at: get_time(row, "booked_at")?,
        reference: row.try_get("reference")?,
    })
}
