//! Which replicas the database has, as RDS knows them.

use async_trait::async_trait;
use aws_sdk_rds::Client;
use aws_sdk_rds::error::SdkError;
use aws_sdk_rds::types::DbInstance;

use crate::store::{Endpoint, ReplicaSource, StoreError};

const STORE: &str = "database";
const OPERATION: &str = "asking RDS for replicas";

/// The replicas of a DB instance.
pub(super) struct RdsReplicas {
    client: Client,
    instance: String,
}

impl RdsReplicas {
    /// Of the instance of this identifier.
    pub fn new(instance: &str, sdk: &aws_config::SdkConfig) -> Self {
        Self { client: Client::new(sdk), instance: instance.to_owned() }
    }

    /// Unset: there is no such instance.
    async fn describe(&self, instance: &str) -> Result<Option<DbInstance>, StoreError> {
        // By its name alone: what a role may see is decided by that.
        match self.client.describe_db_instances().db_instance_identifier(instance).send().await {
            Ok(answer) => Ok(answer.db_instances.unwrap_or_default().pop()),
            Err(SdkError::ServiceError(error)) if error.err().is_db_instance_not_found_fault() => Ok(None),
            Err(error) => Err(StoreError::unavailable(STORE, OPERATION, error)),
        }
    }
}

#[async_trait]
impl ReplicaSource for RdsReplicas {
    async fn replicas(&self) -> Result<Vec<Endpoint>, StoreError> {
        let primary = self.describe(&self.instance).await?;
        let primary = primary.ok_or_else(|| StoreError::failed(STORE, OPERATION, "there is no such DB instance"))?;
        let mut endpoints = Vec::new();
        // One in another region is named by its ARN, and too far away.
        for id in primary.read_replica_db_instance_identifiers().iter().filter(|id| !id.contains(':')) {
            // Whatever its status: who reads from it sees whether it answers and how far it is behind.
            let endpoint = self.describe(id).await?.and_then(|replica| replica.endpoint);
            if let Some((Some(host), Some(port))) = endpoint.map(|endpoint| (endpoint.address, endpoint.port))
                && let Ok(port) = u16::try_from(port)
            {
                endpoints.push(Endpoint { host, port });
            }
        }
        Ok(endpoints)
    }
}
