//! The ledger on MySQL (8.4 on RDS; MariaDB stands in for it locally, so the SQL is what both understand).

mod accounts;
mod coins;
mod deletions;
mod error;
mod funds;
mod grants;
mod group;
mod ledger;
mod migrate;
mod outbox;
mod pool;
mod purchase_plan;
mod purchases;
mod ranked;
mod receipts;
mod replicas;
mod rows;
mod score_plan;
mod scores;
mod seasons;
mod turns;
mod upkeep;

use std::sync::Arc;

use tokio::task::JoinHandle;

use self::group::GroupWriter;
use self::pool::Database;
use self::replicas::Replicas;
use crate::store::{DatabaseSettings, Endpoint, PurchaseOrder, ReplicaSource, ScoreWrite, SessionRow, StoreError};

/// Transactions at once of each sort of write that is grouped.
const WRITERS: u32 = 2;

/// The truth, in MySQL.
pub struct MySqlLedger {
    primary: Database,
    /// Connections of their own: a flood of scores or of reads leaves purchases theirs.
    purchases: Database,
    scores: Database,
    replicas: Arc<Replicas>,
    watch: JoinHandle<()>,
    purchase_writer: GroupWriter<PurchaseOrder>,
    score_writer: GroupWriter<ScoreWrite>,
    session_writer: GroupWriter<SessionRow>,
}

impl MySqlLedger {
    /// Connects and migrates; there are no replicas.
    ///
    /// # Errors
    /// When the database cannot be reached within a minute, or a migration fails.
    pub async fn open(settings: &DatabaseSettings, authorities: Vec<u8>) -> Result<Self, StoreError> {
        Self::open_with(settings, authorities, Arc::new(Vec::new())).await
    }

    /// Connects and migrates. What may lag is read from the replicas that `source` tells of, now and later.
    ///
    /// # Errors
    /// When the database cannot be reached within a minute, or a migration fails.
    pub async fn open_with(
        settings: &DatabaseSettings,
        authorities: Vec<u8>,
        source: Arc<dyn ReplicaSource>,
    ) -> Result<Self, StoreError> {
        let endpoint = Endpoint { host: settings.host.clone(), port: settings.port };
        let options = pool::connect_options(settings, &endpoint, &authorities);
        migrate::migrate(&options, migrate::MIGRATIONS).await?;
        let general = settings.max_connections.saturating_sub(2 * WRITERS).max(2);
        let pool = |size| Database::new(settings, &endpoint, size, &authorities);
        let (primary, purchases, scores) = (pool(general), pool(WRITERS), pool(WRITERS));
        let settings = settings.clone();
        let connect = move |replica: &Endpoint| Database::new(&settings, replica, general, &authorities);
        let replicas = Arc::new(Replicas::new(Box::new(connect)));
        Ok(Self {
            purchase_writer: GroupWriter::start(&purchases, WRITERS),
            score_writer: GroupWriter::start(&scores, WRITERS),
            session_writer: GroupWriter::start(&primary, WRITERS),
            watch: tokio::spawn(replicas.clone().watch(source, primary.clone())),
            primary,
            purchases,
            scores,
            replicas,
        })
    }
}

impl Drop for MySqlLedger {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
