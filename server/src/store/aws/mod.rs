//! MySQL, Redis and DynamoDB.

mod ca;
mod discard;
mod dynamo;
mod mysql;
mod rds;
mod redis;

use std::sync::Arc;

use crate::store::{AwsSettings, EventLog, ReplicaSettings, ReplicaSource, StoreError, Stores};

pub use dynamo::DynamoLog;
pub use mysql::MySqlLedger;
pub use redis::RedisRanking;

/// Opens the three stores. The database is migrated; cache and log need not be reachable yet.
///
/// # Errors
/// When the database cannot be reached or migrated, or a setting cannot be used.
pub async fn open(settings: &AwsSettings, sdk: &aws_config::SdkConfig) -> Result<Stores, StoreError> {
    let authorities = ca::Authorities::load(settings.ca_file.as_deref()).await?;
    let replicas: Arc<dyn ReplicaSource> = match &settings.database.replicas {
        ReplicaSettings::At(endpoints) => Arc::new(endpoints.clone()),
        ReplicaSettings::OfInstance(instance) => Arc::new(rds::RdsReplicas::new(instance, sdk)),
    };
    let ledger = MySqlLedger::open_with(&settings.database, authorities.database, replicas).await?;
    let ranking = RedisRanking::open(&settings.cache, authorities.cache)?;
    let events: Arc<dyn EventLog> = match &settings.log {
        Some(log) => Arc::new(DynamoLog::new(log, sdk)),
        None => {
            tracing::warn!("GAME_EVENT_LOG=discard: events are thrown away");
            Arc::new(discard::DiscardLog)
        }
    };
    Ok(Stores { ledger: Arc::new(ledger), ranking: Arc::new(ranking), events })
}
