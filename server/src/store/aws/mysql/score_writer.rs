//! Gathers the scores that come in while earlier ones are being written, and writes them in one transaction: under load
//! the cost of a commit is shared by many, and a single score waits for nobody.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::error::STORE;
use super::pool::Database;
use super::rows::MOST_ROWS;
use super::scores;
use crate::store::{BoardKey, ScoreOutcome, ScoreWrite, StoreError};

/// Transactions at once; each has a connection.
pub(super) const WRITERS: u32 = 4;
/// Scores that may wait. Beyond, callers wait to get in.
const QUEUE: usize = 4096;

const OPERATION: &str = "recording a score";

struct Job {
    write: ScoreWrite,
    answer: oneshot::Sender<Result<ScoreOutcome, StoreError>>,
}

/// The way in; the writers stop when it is dropped.
pub(super) struct ScoreWriter {
    jobs: mpsc::Sender<Job>,
}

impl ScoreWriter {
    /// Starts the writers.
    pub fn start(database: &Database) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..WRITERS {
            tokio::spawn(work(database.clone(), queue.clone()));
        }
        Self { jobs }
    }

    /// Answers when the score is durable.
    pub async fn record(&self, write: &ScoreWrite) -> Result<ScoreOutcome, StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = |_| StoreError::unavailable(STORE, OPERATION, "the writers have stopped");
        self.jobs.send(Job { write: write.clone(), answer }).await.map_err(|e| gone(e.to_string()))?;
        answered.await.map_err(|e| gone(e.to_string()))?
    }
}

async fn work(database: Database, queue: Arc<Mutex<mpsc::Receiver<Job>>>) {
    loop {
        let mut jobs = Vec::with_capacity(MOST_ROWS);
        if queue.lock().await.recv_many(&mut jobs, MOST_ROWS).await == 0 {
            return;
        }
        metrics::histogram!("score_batch_size").record(jobs.len() as f64);
        let mut boards: HashMap<BoardKey, Vec<Job>> = HashMap::new();
        for job in jobs {
            boards.entry(job.write.board.clone()).or_default().push(job);
        }
        for (board, jobs) in boards {
            write(&database, board, jobs).await;
        }
    }
}

async fn write(database: &Database, board: BoardKey, jobs: Vec<Job>) {
    let (writes, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.write, job.answer)).unzip();
    let error = match commit(database, &board, writes.clone()).await {
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
            drop(answer.send(Err(shared(&error))));
        }
        return;
    }
    // One of them cannot be written: the others shall not suffer.
    for (write, answer) in writes.into_iter().zip(answers) {
        let outcome = commit(database, &board, vec![write]).await;
        drop(answer.send(outcome.and_then(|mut outcomes| {
            outcomes.pop().ok_or_else(|| StoreError::failed(STORE, OPERATION, "a write without an outcome"))
        })));
    }
}

async fn commit(
    database: &Database,
    board: &BoardKey,
    writes: Vec<ScoreWrite>,
) -> Result<Vec<ScoreOutcome>, StoreError> {
    let batch = Arc::new((board.clone(), writes));
    database
        .run(OPERATION, move |connection| {
            let batch = batch.clone();
            Box::pin(async move { scores::record(connection, &batch.0, &batch.1).await })
        })
        .await
}

/// One error for many callers.
fn shared(error: &Arc<StoreError>) -> StoreError {
    if error.is_transient() {
        StoreError::unavailable(STORE, OPERATION, error.clone())
    } else {
        StoreError::failed(STORE, OPERATION, error.clone())
    }
}
