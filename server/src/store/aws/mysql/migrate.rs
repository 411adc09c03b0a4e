//! Migrations, by our own runner: sqlx's lock (GET_LOCK with -1) does not hold on MariaDB.
//!
//! A migration is one statement, because DDL commits by itself: a crash lies between two of them, or between one and
//! its line in `schema_migrations`, and then it runs again. So each must be repeatable: `IF NOT EXISTS`, or an error
//! that says that it is done already.

use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, MySqlConnection};
use tokio::time::{Instant, sleep, timeout};

use super::error::{DbError, Verdict};
use crate::store::StoreError;

/// One statement that changes the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// Rises; never reused.
    pub version: i64,
    /// The file's.
    pub name: &'static str,
    /// The statement.
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../../migrations/mysql/", $name, ".sql")),
        }),*]
    };
}

/// In order. New ones go to the end and must suit the release before, which runs beside them.
pub(super) const MIGRATIONS: &[Migration] = migrations![
    1 "0001_players",
    2 "0002_sessions",
    3 "0003_scores",
    4 "0004_score_runs",
    5 "0005_items",
    6 "0006_purchases",
    7 "0007_coin_grants",
    8 "0008_coin_ledger",
    9 "0009_outbox",
    10 "0010_scores_by_rank",
    20 "0020_players_owed",
    21 "0021_coin_grants_owed",
    22 "0022_coin_ledger_owed",
    23 "0023_receipts",
    24 "0024_turns",
    30 "0030_score_runs_season",
    31 "0031_seasons",
    32 "0032_season_ranks",
    33 "0033_scores_by_rank_ascending",
    40 "0040_sessions_by_user",
    41 "0041_deleted_players",
];

/// To reach the database at start: a new one may still be coming up.
const CONNECT_DEADLINE: Duration = Duration::from_secs(60);
/// Seconds to wait for another server's migrations.
const LOCK_WAIT: i64 = 60;
/// For one statement of a migration: a big table takes long.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

const JOURNAL: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (\
    version BIGINT NOT NULL, name VARCHAR(100) NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (version)\
    ) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin";

const OPERATION: &str = "migrating";

/// Brings the schema up to what this release needs. Versions of a later release are left alone.
pub(super) async fn migrate(options: &MySqlConnectOptions, migrations: &[Migration]) -> Result<(), StoreError> {
    let deadline = Instant::now() + CONNECT_DEADLINE;
    loop {
        let error = match attempt(options, migrations).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.verdict() == Verdict::Lasting || Instant::now() > deadline {
            return Err(error.into_store(OPERATION));
        }
        tracing::warn!(error = %crate::store::chain(&error), "the database cannot be migrated yet");
        sleep(Duration::from_secs(1)).await;
    }
}

async fn attempt(options: &MySqlConnectOptions, migrations: &[Migration]) -> Result<(), DbError> {
    let connecting = Duration::from_secs(5);
    let mut connection = timeout(connecting, options.connect()).await.map_err(|_| DbError::TimedOut(connecting))??;
    let done = applied(&mut connection).await?;
    if migrations.iter().any(|m| !done.contains(&m.version)) {
        locked(&mut connection, migrations).await?;
    }
    // The lock goes with the connection.
    connection.close().await?;
    Ok(())
}

async fn locked(connection: &mut MySqlConnection, migrations: &[Migration]) -> Result<(), DbError> {
    let got: Option<i64> =
        sqlx::query_scalar("SELECT GET_LOCK('migrate', ?)").bind(LOCK_WAIT).fetch_one(&mut *connection).await?;
    if got != Some(1) {
        let wait = Duration::from_secs(LOCK_WAIT.unsigned_abs());
        return Err(DbError::TimedOut(wait));
    }
    connection.execute(JOURNAL).await?;
    // Again: another server may have been faster.
    let done = applied(connection).await?;
    for migration in migrations.iter().filter(|m| !done.contains(&m.version)) {
        apply(connection, migration).await?;
    }
    sqlx::query("DO RELEASE_LOCK('migrate')").execute(connection).await?;
    Ok(())
}

async fn apply(connection: &mut MySqlConnection, migration: &Migration) -> Result<(), DbError> {
    let statement = sqlx::raw_sql(AssertSqlSafe(migration.sql)).execute(&mut *connection);
    match timeout(STATEMENT_TIMEOUT, statement).await.map_err(|_| DbError::TimedOut(STATEMENT_TIMEOUT))? {
        Err(error) if !is_done_already(&error) => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    sqlx::query("INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)")
        .bind(migration.version)
        .bind(migration.name)
        .bind(jiff::Timestamp::now().as_microsecond())
        .execute(connection)
        .await?;
    tracing::info!(version = migration.version, name = migration.name, "migrated the database");
    Ok(())
}

/// The versions that have run; none where there is no journal yet.
async fn applied(connection: &mut MySqlConnection) -> Result<Vec<i64>, DbError> {
    match sqlx::query_scalar("SELECT version FROM schema_migrations").fetch_all(connection).await {
        Ok(versions) => Ok(versions),
        Err(error) if number(&error) == Some(1146) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Table exists, column exists, key exists, nothing to drop.
fn is_done_already(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(1050 | 1060 | 1061 | 1091))
}

fn number(error: &sqlx::Error) -> Option<u16> {
    match error {
        sqlx::Error::Database(e) => e.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rise_and_each_is_one_statement() {
        assert!(MIGRATIONS.is_sorted_by(|a, b| a.version < b.version));
        for migration in MIGRATIONS {
            let code: Vec<_> = migration.sql.lines().filter(|line| !line.starts_with("--")).collect();
            assert!(!code.join("\n").contains(';'), "{}", migration.name);
        }
    }
}
