//! Events on their way to the log.

use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::error::DbError;
use super::pool::{begin, commit, rollback};
use super::rows::{get, get_player, get_time, places, runs, values};
use crate::store::{Event, MOST_COUNTED};

/// Puts events in; one whose id is there already is skipped. Due at once: `available_at` 0 is before every lease, and
/// among equals the id orders, which is a ULID and rises with time.
pub(super) async fn append(connection: &mut MySqlConnection, events: &[&Event]) -> Result<(), DbError> {
    for run in runs(events) {
        let sql = format!(
            "INSERT INTO outbox (event_id, user_id, name, happened_at, properties, available_at) VALUES {} \
             ON DUPLICATE KEY UPDATE event_id = VALUES(event_id)",
            values(run.len(), 6)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for event in run {
            query = query
                .bind(&event.id)
                .bind(event.player.as_str())
                .bind(&event.name)
                .bind(event.at.as_microsecond())
                .bind(event.properties.to_string())
                .bind(0_i64);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Who claims, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub owner: String,
    pub now: Timestamp,
    pub until: Timestamp,
    pub limit: u32,
}

/// Leases events that nobody else leases. In the order of the index, so that no more rows are locked than taken; rows
/// that another claim is just taking are skipped, not waited for.
pub(super) async fn claim(connection: &mut MySqlConnection, claim: &Claim) -> Result<Vec<Event>, DbError> {
    begin(connection).await?;
    let rows = sqlx::query(
        "SELECT event_id, user_id, name, happened_at, properties FROM outbox FORCE INDEX (outbox_by_availability) \
         WHERE available_at <= ? ORDER BY available_at, event_id LIMIT ? FOR UPDATE SKIP LOCKED",
    )
    .bind(claim.now.as_microsecond())
    .bind(claim.limit)
    .fetch_all(&mut *connection)
    .await?;
    let events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    if events.is_empty() {
        rollback(connection).await?;
        return Ok(events);
    }
    for run in runs(&events) {
        let sql =
            format!("UPDATE outbox SET available_at = ?, lease_owner = ? WHERE event_id IN ({})", places(run.len()));
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(claim.until.as_microsecond()).bind(&claim.owner);
        for event in run {
            query = query.bind(&event.id);
        }
        query.execute(&mut *connection).await?;
    }
    commit(connection).await?;
    Ok(events)
}

fn event(row: &MySqlRow) -> Result<Event, DbError> {
    let id: String = get(row, "event_id")?;
    let properties: &str = get(row, "properties")?;
    let properties =
        serde_json::from_str(properties).map_err(|_| DbError::Corrupt(format!("the properties of event {id}")))?;
    Ok(Event {
        id,
        player: get_player(row, "user_id")?,
        name: get(row, "name")?,
        at: get_time(row, "happened_at")?,
        properties,
    })
}

/// Removes delivered events.
pub(super) async fn complete(connection: &mut MySqlConnection, ids: &[String]) -> Result<(), DbError> {
    if ids.is_empty() {
        return Ok(());
    }
    begin(connection).await?;
    remove(connection, ids).await?;
    commit(connection).await
}

/// Removes events, in the transaction there is.
pub(super) async fn remove(connection: &mut MySqlConnection, ids: &[String]) -> Result<(), DbError> {
    for run in runs(ids) {
        let sql = format!("DELETE FROM outbox WHERE event_id IN ({})", places(run.len()));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for id in run {
            query = query.bind(id);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Gives leased events back.
pub(super) async fn release(
    connection: &mut MySqlConnection,
    owner: &str,
    ids: &[String],
    due: Timestamp,
) -> Result<(), DbError> {
    for run in runs(ids) {
        let sql = format!(
            "UPDATE outbox SET available_at = ?, lease_owner = NULL WHERE lease_owner = ? AND event_id IN ({})",
            places(run.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(due.as_microsecond()).bind(owner);
        for id in run {
            query = query.bind(id);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// How many wait, and since when the oldest does.
pub(super) async fn backlog(connection: &mut MySqlConnection) -> Result<(u64, Option<Timestamp>), DbError> {
    // After an hour without the log there are millions: to count them all, again and again, is what it would suffer from.
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM (SELECT 1 FROM outbox LIMIT ?) AS waiting")
        .bind(MOST_COUNTED)
        .fetch_one(&mut *connection)
        .await?;
    let oldest =
        sqlx::query("SELECT happened_at FROM outbox ORDER BY event_id LIMIT 1").fetch_optional(connection).await?;
    let since = oldest.map(|row| get_time(&row, "happened_at")).transpose()?;
    Ok((count.unsigned_abs(), since))
}
