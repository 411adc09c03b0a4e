//! MySQL, Redis and DynamoDB.

mod ca;
mod dynamo;
mod mysql;
mod redis;

use std::sync::Arc;

use crate::store::{AwsSettings, StoreError, Stores};

pub use dynamo::DynamoLog;
pub use mysql::MySqlLedger;
pub use redis::RedisRanking;

/// Opens the three stores. The database is migrated; cache and log need not be reachable yet.
///
/// # Errors
/// When the database cannot be reached or migrated, or a setting cannot be used.
pub async fn open(settings: &AwsSettings, sdk: &aws_config::SdkConfig) -> Result<Stores, StoreError> {
    let authorities = ca::Authorities::load(settings.ca_file.as_deref()).await?;
    let ledger = MySqlLedger::open(&settings.database, authorities.database).await?;
    let ranking = RedisRanking::open(&settings.cache, authorities.cache)?;
    let events = DynamoLog::new(&settings.log, sdk);
    Ok(Stores { ledger: Arc::new(ledger), ranking: Arc::new(ranking), events: Arc::new(events) })
}
