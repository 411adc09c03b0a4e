//! Reading from replicas: which there are, and which of them are fit for it.
//!
//! A row that the servers renew on the primary every few seconds tells how far a replica is behind. One that is behind
//! by more than [`MOST_LAG`], or does not answer, is left alone until a later look finds it well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::pool::{Database, Work};
use super::turns;
use crate::store::{Endpoint, ReplicaSource, StoreError, chain};

/// Between two questions which replicas there are.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// Between two looks at how far they are.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Between two renewals of the row, by all servers together.
const BEAT: SignedDuration = SignedDuration::from_secs(3);
/// A replica that is further behind is not read from.
const MOST_LAG: SignedDuration = SignedDuration::from_secs(10);
/// For one read: the primary is asked after it, within the request's own deadline.
const PATIENCE: Duration = Duration::from_secs(2);
const TASK: &str = "replica heartbeat";

struct Replica {
    endpoint: Endpoint,
    database: Database,
    fit: AtomicBool,
}

/// Makes the connections to a replica.
type Connect = Box<dyn Fn(&Endpoint) -> Database + Send + Sync>;

/// The replicas that are known.
pub(super) struct Replicas {
    known: ArcSwap<Vec<Arc<Replica>>>,
    next: AtomicUsize,
    connect: Connect,
}

#[async_trait]
impl ReplicaSource for Vec<Endpoint> {
    async fn replicas(&self) -> Result<Vec<Endpoint>, StoreError> {
        Ok(self.clone())
    }
}

impl Replicas {
    /// None is known yet.
    pub fn new(connect: Connect) -> Self {
        Self { known: ArcSwap::default(), next: AtomicUsize::new(0), connect }
    }

    /// What a fit replica answers, each in its turn. Unset: there is none, it fails, or `work` finds that it has not come
    /// far enough. Then the primary is to be asked.
    pub async fn read<T, W: Work<Option<T>>>(&self, operation: &'static str, work: W) -> Option<T> {
        let replica = self.next_fit()?;
        let (result, answer) = match replica.database.once(operation, PATIENCE, work).await {
            Ok(Some(answer)) => ("answered", Some(answer)),
            Ok(None) => ("behind", None),
            Err(error) => {
                replica.fit.store(false, Ordering::Relaxed);
                tracing::warn!(error = %chain(&error), host = replica.endpoint.host, "a replica does not answer");
                ("failed", None)
            }
        };
        metrics::counter!("replica_reads_total", "result" => result).increment(1);
        answer
    }

    fn next_fit(&self) -> Option<Arc<Replica>> {
        let known = self.known.load();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = (0..known.len()).map(|n| &known[(turn.wrapping_add(n)) % known.len()]);
        in_turn.into_iter().find(|replica| replica.fit.load(Ordering::Relaxed)).cloned()
    }

    /// Goes on until it is dropped.
    pub async fn watch(self: Arc<Self>, source: Arc<dyn ReplicaSource>, primary: Database) {
        let mut asked: Option<Instant> = None;
        loop {
            if asked.is_none_or(|at| at.elapsed() >= ASK_EVERY) {
                match source.replicas().await {
                    Ok(endpoints) => self.set(endpoints).await,
                    Err(error) => tracing::warn!(error = %chain(&error), "the replicas are not known"),
                }
                asked = Some(Instant::now());
            }
            self.look(&primary).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Keeps the connections to those that stay.
    async fn set(&self, endpoints: Vec<Endpoint>) {
        let before = self.known.load_full();
        let of = |endpoint: Endpoint| {
            let known = before.iter().find(|replica| replica.endpoint == endpoint).cloned();
            known.unwrap_or_else(|| {
                tracing::info!(host = endpoint.host, port = endpoint.port, "a replica is there");
                let database = (self.connect)(&endpoint);
                Arc::new(Replica { endpoint, database, fit: AtomicBool::new(false) })
            })
        };
        let now: Vec<_> = endpoints.into_iter().map(of).collect();
        let gone = before.iter().filter(|old| !now.iter().any(|new| Arc::ptr_eq(old, new)));
        let gone: Vec<_> = gone.cloned().collect();
        self.known.store(Arc::new(now));
        for replica in gone {
            tracing::info!(host = replica.endpoint.host, "a replica is gone");
            replica.database.close().await;
        }
    }

    /// Renews the row and looks how much of it each replica has.
    async fn look(&self, primary: &Database) {
        let known = self.known.load_full();
        if known.is_empty() {
            return;
        }
        let now = Timestamp::now();
        let next = now.saturating_add(BEAT).unwrap_or(now);
        let renewed = primary.once("renewing the replicas' row", PATIENCE, move |c| {
            Box::pin(async move { turns::take(c, TASK, now, next).await })
        });
        if let Err(error) = renewed.await {
            tracing::warn!(error = %chain(&error), "how far the replicas are cannot be known");
        }
        futures::future::join_all(known.iter().map(|replica| replica.look())).await;
        let fit = known.iter().filter(|replica| replica.fit.load(Ordering::Relaxed)).count();
        for (state, count) in [("fit", fit), ("unfit", known.len() - fit)] {
            metrics::gauge!("database_replicas", "state" => state).set(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// Closes the connections after what is in flight.
    pub async fn close(&self) {
        for replica in self.known.load_full().iter() {
            replica.database.close().await;
        }
    }
}

impl Replica {
    async fn look(&self) {
        let due = self
            .database
            .once("looking how far a replica is", PATIENCE, |c| Box::pin(async move { turns::due(c, TASK).await }));
        let (fit, lag) = match due.await {
            Ok(due) => {
                let lag = due.map(|due| Timestamp::now().duration_since(due) + BEAT);
                (lag.is_some_and(|lag| lag <= MOST_LAG), lag)
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), host = self.endpoint.host, "a replica does not answer");
                (false, None)
            }
        };
        if self.fit.swap(fit, Ordering::Relaxed) != fit {
            tracing::info!(host = self.endpoint.host, fit, ?lag, "a replica is read from while it is fit");
        }
    }
}
