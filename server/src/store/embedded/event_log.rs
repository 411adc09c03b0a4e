//! The log in SQLite, with the keys it has in DynamoDB.

use async_trait::async_trait;
use jiff::civil::Date;

use super::{
    db::{Db, column, failed},
    outbox,
};
use crate::store::{Event, EventLog, EventPage, LOG_SHARDS, LogPosition, PlayerId, StoreError, WriteReport, log_shard};

/// The log in a SQLite file.
#[derive(Debug)]
pub(super) struct SqliteEventLog {
    db: Db,
}

impl SqliteEventLog {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Events of one partition between two sort keys, both left out.
    async fn read(&self, partition: &str, above: &str, below: &str, limit: u32) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM events WHERE partition = ? AND sort_key > ? AND sort_key < ? ORDER BY sort_key LIMIT ?",
        )
        .bind(partition)
        .bind(above)
        .bind(below)
        .bind(limit)
        .fetch_all(self.db.readers())
        .await
        .map_err(failed("read the log"))?;
        rows.iter().map(outbox::event).collect()
    }
}

#[async_trait]
impl EventLog for SqliteEventLog {
    async fn write(&self, events: &[Event]) -> Result<WriteReport, StoreError> {
        const OPERATION: &str = "write the log";
        let mut tx = self.db.write(OPERATION).await?;
        for event in events {
            sqlx::query(
                "INSERT OR REPLACE INTO events (partition, sort_key, id, player, name, at, properties) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(event.partition_key())
            .bind(event.sort_key())
            .bind(&event.id)
            .bind(event.player.as_str())
            .bind(&event.name)
            .bind(event.at.as_microsecond())
            .bind(event.properties.to_string())
            .execute(&mut *tx)
            .await
            .map_err(failed(OPERATION))?;
        }
        tx.commit().await.map_err(failed(OPERATION))?;
        Ok(WriteReport { written: events.iter().map(|event| event.id.clone()).collect(), rejected: Vec::new() })
    }

    async fn of_player(
        &self,
        day: Date,
        player: &PlayerId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let shard = log_shard(player);
        // '$' follows '#', so this is the range of exactly this player.
        let (first, last) = (format!("{player}#"), format!("{player}$"));
        let above = after.filter(|after| *after > first.as_str()).unwrap_or(&first);
        let events = self.read(&format!("{day}#{shard}"), above, &last, limit).await?;
        let more = events.len() == limit as usize;
        let next = events.last().filter(|_| more).map(|event| LogPosition { shard, sort_key: event.sort_key() });
        Ok(EventPage { events, next })
    }

    async fn of_day(&self, day: Date, after: Option<&LogPosition>, limit: u32) -> Result<EventPage, StoreError> {
        let (shard, above) = after.map_or((0, ""), |position| (position.shard, position.sort_key.as_str()));
        let events = self.read(&format!("{day}#{shard}"), above, "~", limit).await?;
        let next = if events.len() == limit as usize {
            events.last().map(|event| LogPosition { shard, sort_key: event.sort_key() })
        } else {
            (shard + 1 < LOG_SHARDS).then(|| LogPosition { shard: shard + 1, sort_key: String::new() })
        };
        Ok(EventPage { events, next })
    }

    async fn check(&self) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS n FROM events WHERE partition = ''")
            .fetch_one(self.db.readers())
            .await
            .map_err(failed("check the log"))?;
        column::<i64>(&row, "n").map(|_| ())
    }
}
