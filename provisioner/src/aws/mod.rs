//! The SDK clients (the only place that builds one), tags, names within limits, error codes.

pub mod checksum;
pub mod codes;
pub mod error;
mod http;
pub mod intercept;
pub mod policy;
pub mod rates;
pub mod stack;
pub mod tags;

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

use error::CallError;
use intercept::{Around, ByStatus, Watch};
use rates::Rates;

/// CloudFront's certificates and metrics live here, wherever the stack is.
pub const US_EAST_1: &str = "us-east-1";

/// How to reach AWS: the global options of the CLI.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// Overrides every service's endpoint (a local AWS).
    pub endpoint_url: Option<String>,
    /// The home region.
    pub region: Option<String>,
    /// A profile of the shared configuration files.
    pub profile: Option<String>,
}

macro_rules! clients {
    ($($field:ident: $sdk:ident),* $(,)?; $($global:ident: $gsdk:ident),* $(,)?; $($priced:ident: $psdk:ident),* $(,)?) => {
        /// Every client, over one HTTP stack. Global services and what CloudFront needs talk to us-east-1, the price list
        /// to a region near home that has it.
        #[derive(Debug, Clone)]
        pub struct Aws {
            /// The home region.
            pub home: String,
            /// The endpoint that replaces AWS's own, if any.
            pub endpoint_url: Option<String>,
            /// How often each service may be asked.
            pub rates: Rates,
            $(#[doc = concat!("`", stringify!($sdk), "` in the home region.")] pub $field: $sdk::Client,)*
            $(#[doc = concat!("`", stringify!($gsdk), "` in us-east-1.")] pub $global: $gsdk::Client,)*
            $(#[doc = concat!("`", stringify!($psdk), "`, where it answers.")] pub $priced: $psdk::Client,)*
        }

        impl Aws {
            fn build(config: &SdkConfig, home: String, rates: Rates, watch: Arc<dyn Watch>) -> Self {
                let global = config.to_builder().region(Region::new(US_EAST_1)).build();
                let by_status = ByStatus { emulated: config.endpoint_url().is_some() };
                let priced = config.to_builder().region(Region::new(price_list_region(&home))).build();
                Self {
                    home,
                    rates,
                    endpoint_url: config.endpoint_url().map(str::to_owned),
                    $($field: $sdk::Client::from_conf(
                        $sdk::config::Builder::from(config)
                            .interceptor(Around(watch.clone()))
                            .retry_classifier(by_status)
                            .build(),
                    ),)*
                    $($global: $gsdk::Client::from_conf(
                        $gsdk::config::Builder::from(&global)
                            .interceptor(Around(watch.clone()))
                            .retry_classifier(by_status)
                            .build(),
                    ),)*
                    $($priced: $psdk::Client::from_conf(
                        $psdk::config::Builder::from(&priced)
                            .interceptor(Around(watch.clone()))
                            .retry_classifier(by_status)
                            .build(),
                    ),)*
                }
            }
        }
    };
}

clients! {
    acm: aws_sdk_acm,
    autoscaling: aws_sdk_autoscaling,
    cloudwatch: aws_sdk_cloudwatch,
    dynamodb: aws_sdk_dynamodb,
    ec2: aws_sdk_ec2,
    elasticache: aws_sdk_elasticache,
    elbv2: aws_sdk_elasticloadbalancingv2,
    logs: aws_sdk_cloudwatchlogs,
    quotas: aws_sdk_servicequotas,
    rds: aws_sdk_rds,
    s3: aws_sdk_s3,
    secretsmanager: aws_sdk_secretsmanager,
    sns: aws_sdk_sns,
    ssm: aws_sdk_ssm,
    sts: aws_sdk_sts;
    acm_global: aws_sdk_acm,
    cloudfront: aws_sdk_cloudfront,
    cloudwatch_global: aws_sdk_cloudwatch,
    iam: aws_sdk_iam,
    quotas_global: aws_sdk_servicequotas,
    route53: aws_sdk_route53;
    pricing: aws_sdk_pricing,
}

/// Where the price list of a stack at home in `home` is asked: it answers in few regions, in each for all of a partition.
fn price_list_region(home: &str) -> &'static str {
    match home.split('-').next() {
        Some("cn") => "cn-northwest-1",
        Some("eu" | "me" | "af" | "il") => "eu-central-1",
        Some("ap") => "ap-south-1",
        _ => US_EAST_1,
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither blueprint, option, environment nor profile names a region.
    #[error("no region: set [stack] region in the blueprint, --region, or AWS_REGION")]
    NoRegion,
    /// The endpoint is no URL.
    #[error("the endpoint {0:?} is not the URL of one: give it as http://HOST:PORT or https://HOST")]
    Endpoint(String),
}

fn is_endpoint(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

impl Aws {
    /// Reads the environment and the shared configuration, and builds every client. Calls nothing.
    pub async fn connect(connection: &Connection, watch: Arc<dyn Watch>) -> Result<Self, ConnectError> {
        let rates = Rates::default();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http::client(rates.clone(), watch.clone()))
            .retry_config(RetryConfig::standard().with_max_attempts(10).with_max_backoff(Duration::from_secs(8)))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(60))
                    .build(),
            );
        if let Some(url) = &connection.endpoint_url {
            if !is_endpoint(url) {
                return Err(ConnectError::Endpoint(url.clone()));
            }
            loader = loader.endpoint_url(url);
        }
        if let Some(profile) = &connection.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &connection.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let config = loader.load().await;
        let home = config.region().ok_or(ConnectError::NoRegion)?.to_string();
        Ok(Self::build(&config, home, rates, watch))
    }

    /// Whose the credentials are: the account, and the caller's ARN.
    pub async fn identity(&self) -> Result<(String, String), CallError> {
        let identity = self.sts.get_caller_identity().send().await?;
        Ok((identity.account().unwrap_or_default().to_owned(), identity.arn().unwrap_or_default().to_owned()))
    }
}
