//! Gathers the writes of one sort that come in while earlier ones are being committed, and commits them in one
//! transaction: under load the cost of a commit and of every statement is shared by many, and a single write waits for
//! nobody.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::MySqlConnection;
use tokio::sync::{Mutex, mpsc, oneshot};
use tracing::Instrument as _;

use super::error::{DbError, STORE};
use super::pool::Database;
use super::rows::MOST_ROWS;
use crate::store::{StoreError, TRACED};

/// Writes that may wait. Beyond, callers wait to get in.
const QUEUE: usize = 4096;

/// A write that can share its transaction with others.
pub(super) trait Grouped: Clone + Send + Sync + 'static {
    /// What it comes to.
    type Outcome: Send + 'static;
    /// Only writes of one kind share a transaction.
    type Kind: Eq + Hash + Send;
    /// In errors.
    const OPERATION: &'static str;

    /// Which kind it is.
    fn kind(&self) -> Self::Kind;

    /// Makes writes of one kind durable, in one transaction; the outcomes are in the same order. Safe to repeat.
    fn record<'c>(
        connection: &'c mut MySqlConnection,
        writes: &'c [Self],
    ) -> BoxFuture<'c, Result<Vec<Self::Outcome>, DbError>>;
}

struct Job<W: Grouped> {
    write: W,
    answer: oneshot::Sender<Result<W::Outcome, StoreError>>,
}

/// The way in; the writers stop when it is dropped.
pub(super) struct GroupWriter<W: Grouped> {
    jobs: mpsc::Sender<Job<W>>,
}

impl<W: Grouped> GroupWriter<W> {
    /// Starts so many writers; each uses one connection at a time.
    pub fn start(database: &Database, writers: u32) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..writers {
            tokio::spawn(work(database.clone(), queue.clone()));
        }
        Self { jobs }
    }

    /// Answers when the write is durable.
    pub async fn record(&self, write: &W) -> Result<W::Outcome, StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = |_| StoreError::unavailable(STORE, W::OPERATION, "the writers have stopped");
        let done = async {
            self.jobs.send(Job { write: write.clone(), answer }).await.map_err(|e| gone(e.to_string()))?;
            answered.await.map_err(|e| gone(e.to_string()))?
        };
        // The transaction is not this request's alone; its part in it is to wait.
        let span = tracing::debug_span!(
            target: TRACED, "database", otel.kind = "client", db.system.name = "mysql",
            db.operation.name = W::OPERATION,
        );
        done.instrument(span).await
    }
}

/// As many of the waiting as are a power of two: a statement for so many rows is prepared (see [`super::rows::runs`]).
/// The rest goes with who comes next.
async fn next<W: Grouped>(queue: &Mutex<mpsc::Receiver<Job<W>>>) -> Vec<Job<W>> {
    let mut queue = queue.lock().await;
    let mut jobs = Vec::with_capacity(MOST_ROWS);
    if let Some(first) = queue.recv().await {
        let waiting = (queue.len() + 1).min(MOST_ROWS);
        jobs.push(first);
        while jobs.len() < 1 << waiting.ilog2()
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
    }
    jobs
}

async fn work<W: Grouped>(database: Database, queue: Arc<Mutex<mpsc::Receiver<Job<W>>>>) {
    loop {
        let jobs = next(&queue).await;
        if jobs.is_empty() {
            return;
        }
        metrics::histogram!("commit_group_size", "operation" => W::OPERATION).record(jobs.len() as f64);
        let mut kinds: HashMap<W::Kind, Vec<Job<W>>> = HashMap::new();
        // Nobody waits for the others any more: who asked has given up, and may have asked anew. After an outage such writes
        // would be most of the queue, and keep it from ever becoming short.
        for job in jobs.into_iter().filter(|job| !job.answer.is_closed()) {
            kinds.entry(job.write.kind()).or_default().push(job);
        }
        for jobs in kinds.into_values() {
            write(&database, jobs).await;
        }
    }
}

async fn write<W: Grouped>(database: &Database, jobs: Vec<Job<W>>) {
    let (writes, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.write, job.answer)).unzip();
    let writes = Arc::new(writes);
    let error = match commit(database, writes.clone()).await {
        Ok(outcomes) => {
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // Who has gone does not need it.
                drop(answer.send(Ok(outcome)));
            }
            return;
        }
        Err(error) => error,
    };
    if error.is_transient() || writes.len() == 1 {
        let error = Arc::new(error);
        for answer in answers {
            drop(answer.send(Err(shared::<W>(&error))));
        }
        return;
    }
    // One of them cannot be written: the others shall not suffer.
    for (write, answer) in writes.iter().zip(answers) {
        let outcome = commit(database, Arc::new(vec![write.clone()])).await;
        drop(answer.send(outcome.and_then(|mut outcomes| {
            outcomes.pop().ok_or_else(|| StoreError::failed(STORE, W::OPERATION, "a write without an outcome"))
        })));
    }
}

async fn commit<W: Grouped>(database: &Database, writes: Arc<Vec<W>>) -> Result<Vec<W::Outcome>, StoreError> {
    database
        .run(W::OPERATION, move |connection| {
            let writes = writes.clone();
            Box::pin(async move { W::record(connection, &writes).await })
        })
        .await
}

/// One error for many callers.
fn shared<W: Grouped>(error: &Arc<StoreError>) -> StoreError {
    if error.is_transient() {
        StoreError::unavailable(STORE, W::OPERATION, error.clone())
    } else {
        StoreError::failed(STORE, W::OPERATION, error.clone())
    }
}
