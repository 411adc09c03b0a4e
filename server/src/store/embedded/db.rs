//! The SQLite file: one writer, many readers, and its schema.

use std::{path::Path, str::FromStr as _, time::Duration};

use jiff::Timestamp;
use sqlx::{
    Row, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use crate::store::{PlayerId, StoreError};

/// One entry a release that changed the schema; `user_version` counts those applied.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_receipts.sql"),
    include_str!("schema_seasons.sql"),
    include_str!("schema_deletions.sql"),
];

/// The writer and the readers of one file.
#[derive(Debug, Clone)]
pub(super) struct Db {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// Turns a library's error into the ports'.
pub(super) fn failed(operation: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| match source {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
            StoreError::unavailable("database", operation, source)
        }
        sqlx::Error::Database(ref error) if matches!(error.code().as_deref(), Some("5" | "6" | "261" | "517")) => {
            StoreError::unavailable("database", operation, source)
        }
        source => StoreError::failed("database", operation, source),
    }
}

impl Db {
    pub(super) async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str("sqlite:")
            .map_err(failed("open"))?
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An answer is only given for what survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options.clone())
            .await
            .map_err(failed("open"))?;
        let db = Self { writer: writer.clone(), readers: writer };
        db.migrate().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(failed("open"))?;
        Ok(Self { readers, ..db })
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut tx = self.write("migrate").await?;
        let version: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await.map_err(failed("migrate"))?;
        let applied = usize::try_from(version).unwrap_or(0);
        for (number, migration) in MIGRATIONS.iter().enumerate().skip(applied) {
            sqlx::raw_sql(*migration).execute(&mut *tx).await.map_err(failed("migrate"))?;
            let set = format!("PRAGMA user_version = {}", number + 1);
            sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut *tx).await.map_err(failed("migrate"))?;
        }
        tx.commit().await.map_err(failed("migrate"))
    }

    /// A transaction that holds the write lock from its start.
    pub(super) async fn write(&self, operation: &'static str) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(operation))
    }

    /// A transaction that reads one state.
    pub(super) async fn read(&self, operation: &'static str) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.readers.begin().await.map_err(failed(operation))
    }

    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Reads an instant kept as microseconds.
pub(super) fn timestamp(row: &SqliteRow, column: &'static str) -> Result<Timestamp, StoreError> {
    let micros: i64 = row.try_get(column).map_err(failed("read"))?;
    instant(micros)
}

/// The instant of so many microseconds.
pub(super) fn instant(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros)
        .map_err(|_| StoreError::Corrupt { store: "database", what: format!("the time {micros}") })
}

/// Reads a player's id.
pub(super) fn player(row: &SqliteRow, column: &'static str) -> Result<PlayerId, StoreError> {
    let id: String = row.try_get(column).map_err(failed("read"))?;
    PlayerId::parse(&id).ok_or_else(|| StoreError::Corrupt { store: "database", what: format!("the player id {id:?}") })
}

/// Reads a column of an ordinary type.
pub(super) fn column<'r, T>(row: &'r SqliteRow, name: &'static str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(name).map_err(failed("read"))
}
