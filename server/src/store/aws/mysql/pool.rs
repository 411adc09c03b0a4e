//! Connections to one database host, and running work on them.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::{Connection, Executor, MySql, MySqlConnection, MySqlPool};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use super::error::{DbError, Verdict};
use crate::store::{DatabaseSettings, Endpoint, StoreError, TRACED};

/// To get a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// For all statements of one attempt. Above the lock wait timeout, so that the server gives up first.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// No new attempt after this.
const RETRY_DEADLINE: Duration = Duration::from_secs(8);
/// Between attempts, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// A connection idle for longer is tested before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// For that test.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// From here on a connection is replaced with a rising probability, so that a fleet does not reconnect at once.
const LIFETIME: Duration = Duration::from_secs(20 * 60);
/// After this surely.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Strict, whatever the server's defaults: an answer never stands for a truncated value.
const SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
    SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
    innodb_lock_wait_timeout = 3";

/// Work on a connection: one attempt, from the start.
pub(super) trait Work<T>:
    for<'c> Fn(&'c mut MySqlConnection) -> BoxFuture<'c, Result<T, DbError>> + Send + Sync + 'static
{
}

impl<T, F> Work<T> for F where
    F: for<'c> Fn(&'c mut MySqlConnection) -> BoxFuture<'c, Result<T, DbError>> + Send + Sync + 'static
{
}

/// A pool whose connections are dropped, never reused, after an error that may have come from the connection.
#[derive(Clone)]
pub(super) struct Database {
    pool: MySqlPool,
    /// Connections older than this instant go to a server that only reads.
    distrusted: Arc<watch::Sender<Instant>>,
}

impl Database {
    /// A pool of at most `size` connections to one server; connects when it is first used.
    pub fn new(settings: &DatabaseSettings, endpoint: &Endpoint, size: u32, authorities: &[u8]) -> Self {
        let distrusted = Arc::new(watch::Sender::new(Instant::now()));
        let seen = distrusted.clone();
        let pool = MySqlPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(MAX_LIFETIME)
            .idle_timeout(Duration::from_secs(5 * 60))
            // The ping of `usable` does this, but not a thousand times a second.
            .test_before_acquire(false)
            .before_acquire(move |connection, age| {
                let distrusted = *seen.borrow();
                Box::pin(async move { Ok(usable(connection, &age, distrusted).await) })
            })
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::raw_sql(SESSION).execute(connection).await.map(|_| ()) })
            })
            .connect_lazy_with(connect_options(settings, endpoint, authorities));
        Self { pool, distrusted }
    }

    /// Runs `work` until it succeeds, fails for good, or time is up. `work` must be safe to repeat, even after an
    /// attempt whose commit was not answered. It goes on when the caller has gone: a half-done exchange with the server
    /// would cost the connection.
    pub async fn run<T, W>(&self, operation: &'static str, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Work<T>,
    {
        let database = self.clone();
        let task = async move { database.until_done(operation, work).await };
        match tokio::spawn(task.instrument(span(operation))).await {
            Ok(result) => result,
            Err(stopped) => Err(StoreError::unavailable(super::error::STORE, operation, stopped)),
        }
    }

    /// One attempt within `patience`, for who has somebody else to ask.
    pub async fn once<T, W: Work<T>>(
        &self,
        operation: &'static str,
        patience: Duration,
        work: W,
    ) -> Result<T, StoreError> {
        let attempt = timeout(patience, self.attempt(&work)).instrument(span(operation));
        attempt.await.unwrap_or(Err(DbError::TimedOut(patience))).map_err(|error| error.into_store(operation))
    }

    async fn until_done<T, W>(&self, operation: &'static str, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Work<T>,
    {
        let deadline = Instant::now() + RETRY_DEADLINE;
        let mut pause = PAUSES.0;
        loop {
            let error = match self.attempt(&work).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let verdict = error.verdict();
            if verdict == Verdict::Lasting || self.pool.is_closed() || Instant::now() + pause > deadline {
                return Err(error.into_store(operation));
            }
            tracing::debug!(operation, ?verdict, error = %crate::store::chain(&error), "trying again");
            metrics::counter!("database_retries_total", "operation" => operation).increment(1);
            sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn attempt<T, W: Work<T>>(&self, work: &W) -> Result<T, DbError> {
        let started = Instant::now();
        let mut lease = Lease(Some(self.pool.acquire().await?));
        let result =
            timeout(ATTEMPT_TIMEOUT, work(lease.connection())).await.unwrap_or(Err(DbError::TimedOut(ATTEMPT_TIMEOUT)));
        match result.as_ref().map_err(DbError::verdict) {
            Ok(_) => lease.give_back(),
            Err(Verdict::Broken) => {}
            Err(Verdict::ReadOnly) => {
                self.distrusted.send_modify(|since| *since = started.max(*since));
            }
            Err(Verdict::Conflict | Verdict::Lasting) => {
                if matches!(timeout(PING_TIMEOUT, rollback(lease.connection())).await, Ok(Ok(()))) {
                    lease.give_back();
                }
            }
        }
        result
    }

    /// Closes the connections after what is in flight.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn span(operation: &'static str) -> tracing::Span {
    tracing::debug_span!(
        target: TRACED, "database", otel.kind = "client", db.system.name = "mysql", db.operation.name = operation,
    )
}

/// A connection that is closed at once when dropped, unless it was given back.
struct Lease(Option<PoolConnection<MySql>>);

impl Lease {
    fn connection(&mut self) -> &mut MySqlConnection {
        self.0.as_mut().expect("taken only by give_back, which consumes the lease")
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            // Without a farewell: the other side may be dead.
            drop(connection.detach());
        }
    }
}

async fn usable(connection: &mut MySqlConnection, age: &PoolConnectionMetadata, distrusted: Instant) -> bool {
    let opened = Instant::now().checked_sub(age.age);
    if opened.is_none_or(|opened| opened <= distrusted) {
        return false;
    }
    if let Some(over) = age.age.checked_sub(LIFETIME) {
        let ripe = over.as_secs_f64() / (MAX_LIFETIME - LIFETIME).as_secs_f64();
        if rand::random_range(0.0..1.0) < ripe * ripe {
            return false;
        }
    }
    age.idle_for < TRUSTED_IDLE || matches!(timeout(PING_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

/// How to connect to a server.
pub(super) fn connect_options(
    settings: &DatabaseSettings,
    endpoint: &Endpoint,
    authorities: &[u8],
) -> MySqlConnectOptions {
    let options = MySqlConnectOptions::new()
        .host(&endpoint.host)
        .port(endpoint.port)
        .username(&settings.username)
        .password(settings.password.expose_secret())
        .database(&settings.name)
        .charset("utf8mb4")
        .collation("utf8mb4_bin")
        .statement_cache_capacity(64)
        // The session's mode is set as a whole.
        .pipes_as_concat(false)
        .no_engine_substitution(false);
    if settings.tls {
        options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca_from_pem(authorities.to_vec())
    } else {
        options.ssl_mode(MySqlSslMode::Disabled)
    }
}

/// Starts a transaction.
pub(super) async fn begin(connection: &mut MySqlConnection) -> Result<(), DbError> {
    connection.execute("START TRANSACTION").await?;
    Ok(())
}

/// Makes it durable.
pub(super) async fn commit(connection: &mut MySqlConnection) -> Result<(), DbError> {
    connection.execute("COMMIT").await?;
    Ok(())
}

/// Undoes it.
pub(super) async fn rollback(connection: &mut MySqlConnection) -> Result<(), DbError> {
    connection.execute("ROLLBACK").await?;
    Ok(())
}
