//! The log: none lost, none doubled.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::{Json, Router, extract::State, routing::post};
use jiff::{SignedDuration, civil::date};
use serde_json::{Value, json};
use server::store::aws::DynamoLog;
use server::store::{Event, EventLog, LogSettings, StoreError, log_shard};

use crate::harness::samples::{at, event, player_id};
use crate::harness::{Backend, Dynamo};

crate::contract![
    a_repeat_overwrites_itself,
    a_players_day_is_listed_page_by_page,
    a_day_is_exported_once_and_whole,
    every_property_comes_back_as_it_was,
];

async fn write(log: &dyn EventLog, events: &[Event]) {
    let report = log.write(events).await.expect("writes");
    let written: BTreeSet<_> = report.written.into_iter().collect();
    assert_eq!(written, events.iter().map(|event| event.id.clone()).collect());
    assert_eq!(report.rejected, []);
}

async fn day(log: &dyn EventLog, day: jiff::civil::Date, limit: u32) -> Vec<Event> {
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = log.of_day(day, after.as_ref(), limit).await.expect("reads");
        assert!(page.events.len() <= limit as usize);
        events.extend(page.events);
        match page.next {
            Some(next) => after = Some(next),
            None => return events,
        }
    }
}

async fn a_repeat_overwrites_itself(backend: Backend) {
    let log = backend.events().await;
    log.check().await.expect("answers");
    let events: Vec<_> = (0..60).map(|n| event(&player_id(&format!("p{}", n % 7)), "e", at(n))).collect();
    write(&*log.store, &events).await;
    write(&*log.store, &events[10..40]).await;
    // Twice in one batch.
    let mut twice = events[..3].to_vec();
    twice.extend_from_slice(&events[..3]);
    let report = log.write(&twice).await.expect("writes");
    assert_eq!(report.written.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(log.write(&[]).await.expect("writes nothing"), Default::default());
    assert_eq!(day(&*log.store, date(2026, 5, 6), 100).await.len(), 60);
}

async fn a_players_day_is_listed_page_by_page(backend: Backend) {
    let log = backend.events().await;
    let who = player_id("abc");
    // One whose id begins alike, and the day before and after.
    let near = player_id("abcd");
    let mut events: Vec<_> = (0..25).map(|n| event(&who, "mine", at(n))).collect();
    events.extend((0..5).map(|n| event(&near, "near", at(n))));
    events.push(event(&who, "before", at(0) - SignedDuration::from_hours(24)));
    events.push(event(&who, "after", at(0) + SignedDuration::from_hours(24)));
    write(&*log.store, &events).await;
    let mut expected: Vec<_> = events[..25].to_vec();
    expected.sort_by_key(Event::sort_key);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = log.of_player(date(2026, 5, 6), &who, after.as_deref(), 10).await.expect("reads");
        listed.extend(page.events);
        match page.next {
            Some(next) => {
                assert_eq!(next.shard, log_shard(&who));
                after = Some(next.sort_key);
            }
            None => break,
        }
    }
    assert_eq!(listed, expected);
    let before = log.of_player(date(2026, 5, 5), &who, None, 10).await.expect("reads");
    assert_eq!((before.events.len(), before.events[0].name.as_str()), (1, "before"));
    for strange in ["", "zzz", "abcd#x", "a"] {
        let page = log.of_player(date(2026, 5, 6), &who, Some(strange), 100).await.expect("answers");
        let expected = if strange < "abc#" { 25 } else { 0 };
        assert_eq!(page.events.len(), expected, "behind {strange:?}");
    }
}

async fn a_day_is_exported_once_and_whole(backend: Backend) {
    let log = backend.events().await;
    let events: Vec<_> = (0..300).map(|n| event(&player_id(&format!("p{}", n % 90)), "e", at(n))).collect();
    let elsewhere = event(&player_id("p1"), "other", at(0) + SignedDuration::from_hours(48));
    write(&*log.store, &events).await;
    write(&*log.store, &[elsewhere]).await;
    let exported = day(&*log.store, date(2026, 5, 6), 3).await;
    assert_eq!(exported.len(), 300);
    let by_id: HashMap<_, _> = exported.into_iter().map(|event| (event.id.clone(), event)).collect();
    for event in &events {
        assert_eq!(by_id.get(&event.id), Some(event));
    }
    assert_eq!(day(&*log.store, date(2020, 1, 1), 100).await, []);
}

async fn every_property_comes_back_as_it_was(backend: Backend) {
    let log = backend.events().await;
    let who = player_id("p1");
    let mut odd = event(&who, "odd", at(0));
    odd.properties = json!({
        "": "", "big": u64::MAX, "small": i64::MIN, "float": 1e300, "tiny": 5e-324, "none": null, "list": [1, "a", {}],
        "text": "\u{0}\u{1F3B2}\"\\", "nested": {"a": {"b": [[]]}},
    });
    write(&*log.store, &[odd.clone()]).await;
    let page = log.of_player(date(2026, 5, 6), &who, None, 10).await.expect("reads");
    assert_eq!(page.events, [odd]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_item_holds_is_rejected_and_the_rest_written() {
    let dynamo = Dynamo::shared();
    let log = DynamoLog::new(&dynamo.table().await, &dynamo.sdk());
    let mut events: Vec<_> = (0..30).map(|n| event(&player_id("p1"), "e", at(n))).collect();
    events[7].properties = json!({ "text": "x".repeat(410 * 1024) });
    let report = log.write(&events).await.expect("writes");
    assert_eq!(report.written.len(), 29);
    assert_eq!(report.rejected.len(), 1);
    assert_eq!(report.rejected[0].0, events[7].id);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_expire_and_lie_under_their_keys() {
    let dynamo = Dynamo::shared();
    let settings = dynamo.table().await;
    let log = DynamoLog::new(&settings, &dynamo.sdk());
    let event = event(&player_id("p1"), "e", at(0));
    write(&log, std::slice::from_ref(&event)).await;
    let client = aws_sdk_dynamodb::Client::new(&dynamo.sdk());
    let items = client.scan().table_name(&settings.table).send().await.expect("scans").items.expect("items");
    let text = |name: &str| items[0][name].as_s().expect("text").clone();
    assert_eq!(text("pk"), format!("2026-05-06#{}", log_shard(&event.player)));
    assert_eq!(text("sk"), format!("p1#{}", event.id));
    let expires: i64 = items[0]["expires_at"].as_n().expect("a number").parse().expect("seconds");
    assert_eq!(expires, event.at.as_second() + 90 * 86_400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_away_is_an_error_worth_trying_again() {
    let mut dynamo = Dynamo::start();
    let log = DynamoLog::new(&dynamo.table().await, &dynamo.sdk());
    dynamo.kill();
    let error = log.write(&[event(&player_id("p1"), "e", at(0))]).await.expect_err("nobody is there");
    assert!(error.is_transient(), "{error:?}");
    let log = DynamoLog::new(&LogSettings { table: "none".to_owned(), retention_days: 1 }, &Dynamo::shared().sdk());
    let error = log.check().await.expect_err("no such table");
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
}

/// A DynamoDB that takes `takes` items of a batch and leaves the rest unprocessed, as a throttled one does.
struct Throttled {
    takes: usize,
    ids: Mutex<Vec<String>>,
}

async fn batch_write(State(state): State<Arc<Throttled>>, body: String) -> Json<Value> {
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let (table, requests) = body["RequestItems"].as_object().expect("a map").iter().next().expect("a table");
    let requests = requests.as_array().expect("a list");
    assert!(requests.len() <= 25, "more than DynamoDB takes");
    let (taken, left) = requests.split_at(state.takes.min(requests.len()));
    let id = |request: &Value| request["PutRequest"]["Item"]["id"]["S"].as_str().expect("an id").to_owned();
    state.ids.lock().expect("not poisoned").extend(taken.iter().map(id));
    let unprocessed = if left.is_empty() { json!({}) } else { json!({ table: left }) };
    Json(json!({ "UnprocessedItems": unprocessed }))
}

async fn throttled(takes: usize) -> (DynamoLog, Arc<Throttled>) {
    let state = Arc::new(Throttled { takes, ids: Mutex::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    let router = Router::new().route("/", post(batch_write)).with_state(state.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .endpoint_url(format!("http://{address}"))
        .build();
    (DynamoLog::new(&LogSettings { table: "log".to_owned(), retention_days: 1 }, &sdk), state)
}

#[tokio::test(flavor = "multi_thread")]
async fn unprocessed_items_are_sent_again() {
    let (log, state) = throttled(6).await;
    let events: Vec<_> = (0..50).map(|n| event(&player_id("p1"), "e", at(n))).collect();
    write(&log, &events).await;
    let taken = state.ids.lock().expect("not poisoned").clone();
    assert_eq!(taken.len(), 50, "each once");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), events.iter().map(|e| e.id.clone()).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_unprocessed_is_neither_written_nor_rejected() {
    let (log, state) = throttled(0).await;
    let report = log.write(&[event(&player_id("p1"), "e", at(0))]).await.expect("answers");
    assert_eq!(report, Default::default());
    assert!(state.ids.lock().expect("not poisoned").is_empty());
}
