//! The outbox in SQLite.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, Transaction, sqlite::SqliteRow};

use super::db::{Db, column, failed, instant, player as player_in, timestamp};
use crate::store::{Event, MOST_COUNTED, StoreError};

/// Reads an event from a row of the outbox or of the log.
pub(super) fn event(row: &SqliteRow) -> Result<Event, StoreError> {
    let properties: String = column(row, "properties")?;
    let id: String = column(row, "id")?;
    let properties = serde_json::from_str(&properties)
        .map_err(|_| StoreError::Corrupt { store: "database", what: format!("the properties of event {id}") })?;
    Ok(Event {
        id,
        player: player_in(row, "player")?,
        name: column(row, "name")?,
        at: timestamp(row, "at")?,
        properties,
    })
}

/// Adds events within a transaction.
pub(super) async fn insert(tx: &mut Transaction<'_, Sqlite>, events: &[Event]) -> Result<(), StoreError> {
    for event in events {
        sqlx::query(
            "INSERT OR IGNORE INTO outbox (id, player, name, at, properties, due_at, lease_owner) \
             VALUES (?, ?, ?, ?, ?, 0, NULL)",
        )
        .bind(&event.id)
        .bind(event.player.as_str())
        .bind(&event.name)
        .bind(event.at.as_microsecond())
        .bind(event.properties.to_string())
        .execute(&mut **tx)
        .await
        .map_err(failed("append_events"))?;
    }
    Ok(())
}

pub(super) async fn append(db: &Db, events: &[Event]) -> Result<(), StoreError> {
    let mut tx = db.write("append_events").await?;
    insert(&mut tx, events).await?;
    tx.commit().await.map_err(failed("append_events"))
}

/// `due_at` does for both: a leased event is due again when its lease is over.
pub(super) async fn claim(
    db: &Db,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    const OPERATION: &str = "claim_events";
    let mut tx = db.write(OPERATION).await?;
    let rows = sqlx::query(
        "UPDATE outbox SET lease_owner = ?, due_at = ? \
         WHERE id IN (SELECT id FROM outbox WHERE due_at <= ? ORDER BY due_at, id LIMIT ?) RETURNING *",
    )
    .bind(owner)
    .bind(until.as_microsecond())
    .bind(now.as_microsecond())
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))?;
    let mut events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    events.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(events)
}

fn push_ids(query: &mut QueryBuilder<Sqlite>, ids: &[String]) {
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id.clone());
    }
    query.push(")");
}

pub(super) async fn complete(db: &Db, ids: &[String]) -> Result<(), StoreError> {
    const OPERATION: &str = "complete_events";
    if ids.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::new("DELETE FROM outbox WHERE id IN (");
    push_ids(&mut query, ids);
    let mut tx = db.write(OPERATION).await?;
    query.build().execute(&mut *tx).await.map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))
}

pub(super) async fn release(db: &Db, owner: &str, ids: &[String], due: Timestamp) -> Result<(), StoreError> {
    const OPERATION: &str = "release_events";
    if ids.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::new("UPDATE outbox SET lease_owner = NULL, due_at = ");
    query.push_bind(due.as_microsecond());
    query.push(" WHERE lease_owner = ");
    query.push_bind(owner.to_owned());
    query.push(" AND id IN (");
    push_ids(&mut query, ids);
    let mut tx = db.write(OPERATION).await?;
    query.build().execute(&mut *tx).await.map_err(failed(OPERATION))?;
    tx.commit().await.map_err(failed(OPERATION))
}

pub(super) async fn backlog(db: &Db) -> Result<(u64, Option<Timestamp>), StoreError> {
    let counted = "SELECT COUNT(*), MIN(at) FROM (SELECT at FROM outbox ORDER BY id LIMIT ?)";
    let (count, oldest): (i64, Option<i64>) =
        sqlx::query_as(counted).bind(MOST_COUNTED).fetch_one(db.readers()).await.map_err(failed("outbox_backlog"))?;
    Ok((count.unsigned_abs(), oldest.map(instant).transpose()?))
}
