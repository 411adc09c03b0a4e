//! A log that keeps nothing: for benchmarks, which measure the server and not what stands in for DynamoDB.

use async_trait::async_trait;
use jiff::civil::Date;

use crate::store::{Event, EventLog, EventPage, LogPosition, PlayerId, StoreError, WriteReport};

/// Takes every event and keeps none.
pub(super) struct DiscardLog;

#[async_trait]
impl EventLog for DiscardLog {
    async fn write(&self, events: &[Event]) -> Result<WriteReport, StoreError> {
        Ok(WriteReport { written: events.iter().map(|event| event.id.clone()).collect(), rejected: Vec::new() })
    }

    async fn of_player(&self, _: Date, _: &PlayerId, _: Option<&str>, _: u32) -> Result<EventPage, StoreError> {
        Ok(EventPage::default())
    }

    async fn of_day(&self, _: Date, _: Option<&LogPosition>, _: u32) -> Result<EventPage, StoreError> {
        Ok(EventPage::default())
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
