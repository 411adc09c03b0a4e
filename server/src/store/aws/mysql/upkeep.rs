//! What keeps the database usable.

use jiff::Timestamp;
use sqlx::MySqlConnection;

use super::error::DbError;
use super::outbox;
use super::pool::{begin, commit, rollback};
use crate::store::Event;

/// A write rolled back: fails where the database takes none.
pub(super) async fn check_write(connection: &mut MySqlConnection) -> Result<(), DbError> {
    begin(connection).await?;
    sqlx::query(
        "INSERT INTO sessions (session_id, user_id, token_hash, rotated_at, expires_at) VALUES (?, '', '', 0, 0)",
    )
    .bind(format!("check{:027x}", rand::random::<u64>()))
    .execute(&mut *connection)
    .await?;
    rollback(connection).await
}

/// Events outside any other transaction: all or none.
pub(super) async fn append(connection: &mut MySqlConnection, events: &[Event]) -> Result<(), DbError> {
    let events: Vec<_> = events.iter().collect();
    begin(connection).await?;
    outbox::append(connection, &events).await?;
    commit(connection).await
}

/// Removes old runs, records of deletions, and sessions.
pub(super) async fn purge(
    connection: &mut MySqlConnection,
    runs_before: Timestamp,
    now: Timestamp,
    limit: u32,
) -> Result<u64, DbError> {
    let runs = sqlx::query("DELETE FROM score_runs WHERE recorded_at < ? ORDER BY recorded_at LIMIT ?")
        .bind(runs_before.as_microsecond())
        .bind(limit)
        .execute(&mut *connection)
        .await?;
    let sessions = sqlx::query("DELETE FROM sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?")
        .bind(now.as_microsecond())
        .bind(limit)
        .execute(&mut *connection)
        .await?;
    let deletions = sqlx::query("DELETE FROM deleted_players WHERE deleted_at < ? ORDER BY deleted_at LIMIT ?")
        .bind(runs_before.as_microsecond())
        .bind(limit)
        .execute(connection)
        .await?;
    Ok(runs.rows_affected() + sessions.rows_affected() + deletions.rows_affected())
}
