//! The log in DynamoDB.

mod item;
mod write;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::civil::Date;
use std::time::Duration;

use self::item::Item;
use crate::store::{
    Event, EventLog, EventPage, LOG_SHARDS, LogPosition, LogSettings, PlayerId, StoreError, WriteReport, log_shard,
};

/// The store's name in errors.
const STORE: &str = "log";

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The log, in a table whose keys are day#shard and player#id.
pub struct DynamoLog {
    client: Client,
    settings: LogSettings,
}

impl DynamoLog {
    /// Uses the SDK's settings; connects when it is first used.
    #[must_use]
    pub fn new(settings: &LogSettings, sdk: &aws_config::SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = aws_sdk_dynamodb::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), settings: settings.clone() }
    }

    /// Items of a partition behind a sort key, all or those of a player.
    async fn query(
        &self,
        operation: &'static str,
        partition: &str,
        prefix: Option<String>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Event>, Option<String>), StoreError> {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let start =
            after.map(|sort_key| Item::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(sort_key))]));
        let condition = match prefix {
            Some(_) => "pk = :pk AND begins_with(sk, :prefix)",
            None => "pk = :pk",
        };
        let answer = self
            .client
            .query()
            .table_name(&self.settings.table)
            .key_condition_expression(condition)
            .expression_attribute_values(":pk", text(partition))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX).max(1));
        let answer = match prefix {
            Some(prefix) => answer.expression_attribute_values(":prefix", AttributeValue::S(prefix)),
            None => answer,
        };
        let answer = answer.send().await.map_err(|error| failure(operation, is_transient(&error), error))?;
        let events = answer.items().iter().map(item::to_event).collect::<Result<_, _>>()?;
        let last = answer.last_evaluated_key.map(|key| item::parse(&key, "sk", |sk| Some(sk.to_owned())));
        Ok((events, last.transpose()?))
    }
}

#[async_trait]
impl EventLog for DynamoLog {
    async fn write(&self, events: &[Event]) -> Result<WriteReport, StoreError> {
        write::write(&self.client, &self.settings, events).await
    }

    async fn of_player(
        &self,
        day: Date,
        player: &PlayerId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let shard = log_shard(player);
        let prefix = format!("{player}#");
        // A key outside of the player's would be refused: before the first it says nothing, behind the last it is
        // the end.
        let after = after.filter(|after| *after > prefix.as_str());
        if after.is_some_and(|after| !after.starts_with(&prefix)) {
            return Ok(EventPage::default());
        }
        let partition = format!("{day}#{shard}");
        let (events, last) = self.query("reading a player's events", &partition, Some(prefix), after, limit).await?;
        Ok(EventPage { events, next: last.map(|sort_key| LogPosition { shard, sort_key }) })
    }

    async fn of_day(&self, day: Date, after: Option<&LogPosition>, limit: u32) -> Result<EventPage, StoreError> {
        let (shard, sort_key) = after.map_or((0, ""), |position| (position.shard, position.sort_key.as_str()));
        if shard >= LOG_SHARDS {
            return Ok(EventPage::default());
        }
        let start = (!sort_key.is_empty()).then_some(sort_key);
        let (events, last) =
            self.query("reading a day's events", &format!("{day}#{shard}"), None, start, limit).await?;
        let next = match last {
            Some(sort_key) => Some(LogPosition { shard, sort_key }),
            None => (shard + 1 < LOG_SHARDS).then(|| LogPosition { shard: shard + 1, sort_key: String::new() }),
        };
        Ok(EventPage { events, next })
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.query("reading nothing", "check", None, None, 1).await.map(|_| ())
    }
}

/// Whether the same call may succeed soon: no answer, throttling, or an error of the service's own.
fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    const CODES: [&str; 7] = [
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "InternalServerError",
        "ServiceUnavailable",
        "RequestTimeout",
        "ExpiredTokenException",
    ];
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(answer) => {
            answer.err().code().is_some_and(|code| CODES.contains(&code)) || answer.raw().status().is_server_error()
        }
        _ => false,
    }
}

fn failure<E, R>(operation: &'static str, transient: bool, error: SdkError<E, R>) -> StoreError
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if transient {
        StoreError::unavailable(STORE, operation, error)
    } else {
        StoreError::failed(STORE, operation, error)
    }
}
