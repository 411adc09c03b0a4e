//! Where this server runs: the instance's own metadata (IMDSv2) and the SDK's configuration.

use std::{net::IpAddr, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, imds, retry::RetryConfig, timeout::TimeoutConfig};

use crate::store::BoxError;

/// Metadata that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The service does not give it.
    #[error("the instance metadata service does not give {path}")]
    Read {
        /// What was asked for.
        path: &'static str,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// It gives something else.
    #[error("the instance's address {0:?} is not an IP address")]
    Address(String),
}

/// The SDK's configuration: the standard chain of credentials, several attempts, no call for ever.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(15))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(timeouts);
    if let Ok(region) = std::env::var("AWS_REGION") {
        loader = loader.region(Region::new(region));
    }
    loader.load().await
}

fn client() -> imds::Client {
    imds::Client::builder().connect_timeout(Duration::from_secs(2)).read_timeout(Duration::from_secs(2)).build()
}

async fn read(path: &'static str) -> Result<String, MetadataError> {
    let value = client().get(path).await.map_err(|source| MetadataError::Read { path, source: source.into() })?;
    Ok(value.as_ref().trim().to_owned())
}

/// The instance's private address.
///
/// # Errors
/// When this is no EC2 instance, or its metadata is switched off.
pub async fn local_address() -> Result<IpAddr, MetadataError> {
    let text = read("/latest/meta-data/local-ipv4").await?;
    text.parse().map_err(|_| MetadataError::Address(text))
}

/// The instance's id.
///
/// # Errors
/// When this is no EC2 instance, or its metadata is switched off.
pub async fn instance_id() -> Result<String, MetadataError> {
    read("/latest/meta-data/instance-id").await
}
