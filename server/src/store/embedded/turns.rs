//! Work that is done from time to time, in SQLite.

use jiff::Timestamp;

use super::db::{Db, failed, instant};
use crate::store::StoreError;

/// Takes the task's turn if it is due, and puts the next one off until `next`. Unset: it is not due.
pub(super) async fn take(
    db: &Db,
    task: &str,
    now: Timestamp,
    next: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    const OPERATION: &str = "take_turn";
    let mut tx = db.write(OPERATION).await?;
    sqlx::query("INSERT INTO turns (task, due_at, done_to) VALUES (?, 0, 0) ON CONFLICT DO NOTHING")
        .bind(task)
        .execute(&mut *tx)
        .await
        .map_err(failed(OPERATION))?;
    let done_to: Option<i64> =
        sqlx::query_scalar("UPDATE turns SET due_at = ? WHERE task = ? AND due_at <= ? RETURNING done_to")
            .bind(next.as_microsecond())
            .bind(task)
            .bind(now.as_microsecond())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))?;
    done_to.map(instant).transpose()
}

/// Notes how far the task has come.
pub(super) async fn done(db: &Db, task: &str, to: Timestamp) -> Result<(), StoreError> {
    const OPERATION: &str = "turn_done";
    let mut tx = db.write(OPERATION).await?;
    sqlx::query("UPDATE turns SET done_to = ? WHERE task = ?")
        .bind(to.as_microsecond())
        .bind(task)
        .execute(&mut *tx)
        .await
        .map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))
}
