//! Work that one server of many does from time to time.

use jiff::Timestamp;
use sqlx::MySqlConnection;

use super::error::DbError;
use super::rows::get_time;

/// Takes the task's turn if it is due, and puts the next one off until `next`. Unset: it is not due.
pub(super) async fn take(
    connection: &mut MySqlConnection,
    task: &str,
    now: Timestamp,
    next: Timestamp,
) -> Result<Option<Timestamp>, DbError> {
    sqlx::query("INSERT IGNORE INTO turns (task, due_at, done_to) VALUES (?, 0, 0)")
        .bind(task)
        .execute(&mut *connection)
        .await?;
    let taken = sqlx::query("UPDATE turns SET due_at = ? WHERE task = ? AND due_at <= ?")
        .bind(next.as_microsecond())
        .bind(task)
        .bind(now.as_microsecond())
        .execute(&mut *connection)
        .await?;
    if taken.rows_affected() == 0 {
        return Ok(None);
    }
    let micros: i64 =
        sqlx::query_scalar("SELECT done_to FROM turns WHERE task = ?").bind(task).fetch_one(connection).await?;
    let done_to = Timestamp::from_microsecond(micros).map_err(|_| DbError::Corrupt(format!("done_to {micros}")))?;
    Ok(Some(done_to))
}

/// When a task is due again. Unset: nobody has had a turn yet.
pub(super) async fn due(connection: &mut MySqlConnection, task: &str) -> Result<Option<Timestamp>, DbError> {
    let row = sqlx::query("SELECT due_at FROM turns WHERE task = ?").bind(task).fetch_optional(connection).await?;
    row.as_ref().map(|row| get_time(row, "due_at")).transpose()
}

/// Notes how far the task has come.
pub(super) async fn done(connection: &mut MySqlConnection, task: &str, to: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE turns SET done_to = ? WHERE task = ?")
        .bind(to.as_microsecond())
        .bind(task)
        .execute(connection)
        .await?;
    Ok(())
}
