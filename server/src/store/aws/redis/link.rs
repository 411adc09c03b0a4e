//! One shared connection to a Redis endpoint, replaced when it may be worth nothing any more.

use std::sync::{Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, RedisError, ScriptInvocation, ServerErrorKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::breaker::{Admitted, Breaker};
use crate::store::{StoreError, TRACED};

/// The store's name in errors.
pub(super) const STORE: &str = "cache";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// After a failed connect nobody tries for this long: who comes meanwhile shall not queue up for another failure.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);
/// Before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(150)];

/// An endpoint. Its name is resolved at every connect, so that a failover is followed.
pub(super) struct Link {
    client: Client,
    state: Mutex<State>,
    breaker: SyncMutex<Breaker>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Of the connection; rises with each.
    generation: u64,
    failed: Option<(Instant, RedisError)>,
}

/// What to do about an error.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A new connection may lead to a server that answers.
    Reconnect,
    /// Trying again will not help.
    Lasting,
}

impl Link {
    pub fn new(client: Client) -> Self {
        Self { client, state: Mutex::default(), breaker: SyncMutex::default() }
    }

    /// Runs a script. It must be safe to repeat.
    pub async fn run<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let span = tracing::debug_span!(
            target: TRACED, "cache", otel.kind = "client", db.system.name = "redis", db.operation.name = operation,
        );
        self.until_done(operation, script).instrument(span).await
    }

    async fn until_done<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let admitted = self.breaker().admit(Instant::now());
        if admitted == Admitted::Not {
            let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, "it has not answered a moment ago");
            return Err(StoreError::unavailable(STORE, operation, RedisError::from(silent)));
        }
        let mut pauses = PAUSES.iter();
        loop {
            let began = Instant::now();
            let error = match self.attempt(script).await {
                Ok(value) => {
                    self.breaker().answered(Instant::now());
                    return Ok(value);
                }
                Err(error) => error,
            };
            if verdict(&error) == Verdict::Lasting {
                self.breaker().answered(Instant::now());
                return Err(StoreError::failed(STORE, operation, error));
            }
            let silent = error.is_timeout() && self.waited_in_vain(began);
            let next = pauses.next().filter(|_| !silent && admitted == Admitted::Freely);
            let Some(pause) = next else {
                return Err(StoreError::unavailable(STORE, operation, error));
            };
            tracing::debug!(operation, error = %crate::store::chain(&error), "trying again");
            metrics::counter!("cache_retries_total", "operation" => operation).increment(1);
            sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a call was not answered in time. Whether nobody's was.
    fn waited_in_vain(&self, began: Instant) -> bool {
        let mut breaker = self.breaker();
        if breaker.waited_in_vain(began, Instant::now()) {
            metrics::counter!("cache_silences_total").increment(1);
        }
        breaker.is_silent()
    }

    async fn attempt<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, RedisError> {
        let (mut connection, generation) = self.connection().await?;
        let result = script.invoke_async(&mut connection).await;
        if let Err(error) = &result
            && verdict(error) == Verdict::Reconnect
        {
            self.discard(generation).await;
        }
        result
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), RedisError> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.generation));
        }
        if let Some((at, error)) = &state.failed
            && at.elapsed() < CONNECT_PAUSE
        {
            return Err(error.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => {
                state.generation += 1;
                state.failed = None;
                state.connection = Some(connection.clone());
                Ok((connection, state.generation))
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Forgets the connection, unless it was replaced already.
    async fn discard(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation {
            state.connection = None;
        }
    }

    /// Forgets the connection for good measure; what is in flight is still answered.
    pub async fn close(&self) {
        self.state.lock().await.connection = None;
    }
}

fn verdict(error: &RedisError) -> Verdict {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse => Verdict::Reconnect,
        // A replica that was the primary, one that has lost it, one that is still loading: after a failover the
        // endpoint's name leads elsewhere.
        ErrorKind::Server(
            ServerErrorKind::ReadOnly
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown,
        ) => Verdict::Reconnect,
        // Before Redis 7 a script's error hides the code.
        ErrorKind::Server(ServerErrorKind::ResponseError)
            if error.detail().is_some_and(|text| text.contains("READONLY")) =>
        {
            Verdict::Reconnect
        }
        _ => Verdict::Lasting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failover_errors_lead_to_a_new_connection() {
        let io = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(verdict(&io), Verdict::Reconnect);
        for kind in [ServerErrorKind::ReadOnly, ServerErrorKind::BusyLoading, ServerErrorKind::MasterDown] {
            assert_eq!(verdict(&RedisError::from((ErrorKind::Server(kind), "a test"))), Verdict::Reconnect);
        }
        let refused = RedisError::from((ErrorKind::Server(ServerErrorKind::NoPerm), "a test"));
        assert_eq!(verdict(&refused), Verdict::Lasting);
    }
}
