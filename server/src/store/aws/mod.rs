//! MySQL, Redis and DynamoDB. The way in is
//! `pub async fn open(settings: &AwsSettings, sdk: &aws_config::SdkConfig) -> Result<Stores, StoreError>`.
