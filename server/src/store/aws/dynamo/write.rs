//! Writing batches.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use futures::StreamExt;
use tokio::time::sleep;

use super::item::{self, Item};
use super::{failure, is_transient};
use crate::store::{Event, LogSettings, StoreError, WriteReport};

/// DynamoDB's limit.
const BATCH: usize = 25;
/// Batches under way at once.
const AT_ONCE: usize = 8;
/// Unprocessed items are sent again this often, with these pauses (each with jitter).
const PAUSES: [Duration; 5] = [
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

const OPERATION: &str = "writing events";

/// Sends requests and answers those that stay unprocessed; the error where a call failed.
struct Sent {
    left: Vec<WriteRequest>,
    error: Option<StoreError>,
    refused: Option<String>,
}

/// Writes events.
pub(super) async fn write(
    client: &Client,
    settings: &LogSettings,
    events: &[Event],
) -> Result<WriteReport, StoreError> {
    let mut report = WriteReport::default();
    // By key: a batch that names one twice is refused. The last wins, as it would in the table.
    let mut items: HashMap<String, (String, Item)> = HashMap::new();
    for event in events {
        let item = item::of_event(event, settings.retention_days);
        let size = item::size(&item);
        if size > item::MOST_BYTES {
            report
                .rejected
                .push((event.id.clone(), format!("{size} bytes; an item holds at most {}", item::MOST_BYTES)));
        } else {
            items.insert(event.id.clone(), (event.id.clone(), item));
        }
    }
    let items: Vec<_> = items.into_values().collect();
    let batches: Vec<_> = items.chunks(BATCH).map(|batch| one_batch(client, settings, batch)).collect();
    let mut done = futures::stream::iter(batches).buffer_unordered(AT_ONCE);
    let mut first_error = None;
    while let Some((part, error)) = done.next().await {
        report.written.extend(part.written);
        report.rejected.extend(part.rejected);
        first_error = first_error.or(error);
    }
    match first_error {
        Some(error) if report.written.is_empty() && report.rejected.is_empty() => Err(error),
        Some(error) => {
            tracing::warn!(error = %crate::store::chain(&error), "a part of the events is not written yet");
            Ok(report)
        }
        None => Ok(report),
    }
}

async fn one_batch(
    client: &Client,
    settings: &LogSettings,
    batch: &[(String, Item)],
) -> (WriteReport, Option<StoreError>) {
    let requests: Vec<_> = batch.iter().map(|(_, item)| put(item.clone())).collect();
    let sent = send(client, &settings.table, requests).await;
    let mut report = WriteReport::default();
    let Some(reason) = sent.refused else {
        let left: HashSet<_> = sent.left.iter().filter_map(id_of).collect();
        report.written = batch.iter().map(|(id, _)| id.clone()).filter(|id| !left.contains(id)).collect();
        return (report, sent.error);
    };
    if let [(id, _)] = batch {
        report.rejected.push((id.clone(), reason));
        return (report, None);
    }
    // One of them spoils the batch: one by one shows which.
    let mut error = None;
    for single in batch.chunks(1) {
        let (part, failed) = Box::pin(one_batch(client, settings, single)).await;
        report.written.extend(part.written);
        report.rejected.extend(part.rejected);
        error = error.or(failed);
    }
    (report, error)
}

async fn send(client: &Client, table: &str, mut left: Vec<WriteRequest>) -> Sent {
    let mut pauses = PAUSES.iter();
    loop {
        let answer = client.batch_write_item().request_items(table, left.clone()).send().await;
        match answer {
            Ok(answer) => {
                left = answer.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default();
                if left.is_empty() {
                    return Sent { left, error: None, refused: None };
                }
            }
            Err(error) if error.code() == Some("ValidationException") => {
                let reason = error.message().unwrap_or("ValidationException").to_owned();
                return Sent { left, error: None, refused: Some(reason) };
            }
            // The SDK has tried again already, where that may help.
            Err(error) => {
                let transient = is_transient(&error);
                return Sent { left, error: Some(failure(OPERATION, transient, error)), refused: None };
            }
        }
        let Some(pause) = pauses.next() else {
            // Throttled: the rest is left for the next round.
            return Sent { left, error: None, refused: None };
        };
        metrics::counter!("log_unprocessed_items_total").increment(left.len() as u64);
        sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
    }
}

fn put(item: Item) -> WriteRequest {
    let put = PutRequest::builder().set_item(Some(item)).build().expect("an item is all that a put needs");
    WriteRequest::builder().put_request(put).build()
}

fn id_of(request: &WriteRequest) -> Option<String> {
    request.put_request.as_ref()?.item.get("id")?.as_s().ok().cloned()
}
