//! The two sets of stores.

use std::sync::Arc;

use server::store::aws::{DynamoLog, MySqlLedger, RedisRanking};
use server::store::{EventLog, Ledger, Ranking, Stores, embedded};
use tempfile::TempDir;

use super::{Dynamo, MariaDb, Redis};

/// Where the stores under test are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// SQLite and in process.
    Embedded,
    /// MySQL, Redis, DynamoDB.
    Aws,
}

/// A store and what it lies in.
pub struct Kept<T> {
    pub store: T,
    _directory: Option<TempDir>,
}

impl<T> std::ops::Deref for Kept<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.store
    }
}

impl Backend {
    pub async fn ledger(self) -> Kept<Arc<dyn Ledger>> {
        match self {
            Self::Embedded => {
                let stores = in_a_directory().await;
                Kept { store: stores.store.ledger.clone(), _directory: stores._directory }
            }
            Self::Aws => {
                let settings = MariaDb::shared().database().await;
                let ledger = MySqlLedger::open(&settings, Vec::new()).await.expect("opens");
                Kept { store: Arc::new(ledger), _directory: None }
            }
        }
    }

    pub async fn ranking(self) -> Kept<Arc<dyn Ranking>> {
        match self {
            Self::Embedded => {
                let stores = in_a_directory().await;
                Kept { store: stores.store.ranking.clone(), _directory: stores._directory }
            }
            Self::Aws => {
                let ranking = RedisRanking::open(&Redis::shared().settings(), Vec::new()).expect("opens");
                Kept { store: Arc::new(ranking), _directory: None }
            }
        }
    }

    pub async fn events(self) -> Kept<Arc<dyn EventLog>> {
        match self {
            Self::Embedded => {
                let stores = in_a_directory().await;
                Kept { store: stores.store.events.clone(), _directory: stores._directory }
            }
            Self::Aws => {
                let dynamo = Dynamo::shared();
                let log = DynamoLog::new(&dynamo.table().await, &dynamo.sdk());
                Kept { store: Arc::new(log), _directory: None }
            }
        }
    }

    pub async fn stores(self) -> Kept<Stores> {
        match self {
            Self::Embedded => in_a_directory().await,
            Self::Aws => {
                let stores = Stores {
                    ledger: self.ledger().await.store,
                    ranking: self.ranking().await.store,
                    events: self.events().await.store,
                };
                Kept { store: stores, _directory: None }
            }
        }
    }
}

async fn in_a_directory() -> Kept<Stores> {
    let directory = tempfile::tempdir().expect("a directory");
    let stores = embedded::open(directory.path()).await.expect("opens");
    Kept { store: stores, _directory: Some(directory) }
}
