//! Two servers on one database: what one did, the other knows.

use axum::http::Method;
use serde_json::{Value, json};

use crate::ALONE;
use crate::client::{http_client, send};
use crate::cluster::{Cluster, OPERATOR};
use crate::harness::Address;
use crate::schemathesis::{Caller, run};
use crate::{collector::Collector, harness::samples::id};

async fn enter(door: Address, device: &str) -> (u16, Value) {
    let body = json!({ "device_id": device, "device_secret": "0123456789abcdef".repeat(4) });
    send(&http_client(), door, Method::POST, "/v1/sessions", &[], body).await
}

async fn refresh(door: Address, token: &str) -> (u16, Value) {
    let body = json!({ "refresh_token": token });
    send(&http_client(), door, Method::POST, "/v1/sessions/refresh", &[], body).await
}

async fn profile(door: Address, session: &Value) -> u16 {
    let path = format!("/v1/users/{}", text(session, "user_id"));
    let authorization = format!("Bearer {}", text(session, "access_token"));
    send(&http_client(), door, Method::GET, &path, &[("authorization", &authorization)], Value::Null).await.0
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_was_copied_ends_the_session_at_every_server() {
    let _alone = ALONE.lock().await;
    let cluster = Cluster::start().await;
    let [one, two] = cluster.doors()[..] else { panic!("two servers") };
    let (_, first) = enter(one, "phone").await;
    let (status, second) = refresh(two, text(&first, "refresh_token")).await;
    assert_eq!(status, 200);
    // The answer was lost: asked again, at the other server, it is the same.
    let (status, again) = refresh(one, text(&first, "refresh_token")).await;
    assert_eq!((status, &again["refresh_token"]), (200, &second["refresh_token"]));
    let (status, third) = refresh(one, text(&second, "refresh_token")).await;
    assert_eq!(status, 200);
    // The thief comes with the oldest: neither has a session any more.
    assert_eq!(refresh(two, text(&first, "refresh_token")).await.0, 401);
    for door in [one, two] {
        let (status, problem) = refresh(door, text(&third, "refresh_token")).await;
        assert_eq!((status, &problem["type"]), (401, &json!("/problems/wrong-refresh-token")));
    }
    // The device still has its secret.
    assert_eq!(enter(two, "phone").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_changed_one_server_after_the_other() {
    let _alone = ALONE.lock().await;
    let (old, new) = ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "bmV3MzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let mut cluster = Cluster::start().await;
    let [one, two] = cluster.doors()[..] else { panic!("two servers") };
    let (_, before) = enter(one, "phone").await;
    // First every server learns to accept the new key, then to sign with it.
    for (current, previous) in [(old, new), (new, old)] {
        cluster.set_keys(current, previous).await;
        for n in 0..2 {
            cluster.kill_server(n);
            cluster.start_server(n).await;
            let (_, session) = enter([one, two][n], &id()).await;
            for door in [one, two] {
                assert_eq!(profile(door, &session).await, 200, "a new session at a server of either sort");
                assert_eq!(profile(door, &before).await, 200, "one from before");
            }
        }
    }
    assert_eq!(refresh(two, text(&before, "refresh_token")).await.0, 200);
    // Without the old key what it signed is nothing.
    cluster.set_keys(new, "").await;
    cluster.kill_server(0);
    cluster.start_server(0).await;
    assert_eq!((profile(one, &before).await, profile(two, &before).await), (401, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_keeps_to_its_description_on_mysql_redis_and_dynamodb() {
    let _alone = ALONE.lock().await;
    let cluster = Cluster::start().await;
    let door = cluster.doors()[0];
    let (_, session) = enter(door, "schemathesis").await;
    let api = format!("http://{}:{}", door.host, door.port);
    let (user_id, access_token) = (text(&session, "user_id").to_owned(), text(&session, "access_token").to_owned());
    let running = tokio::task::spawn_blocking(move || {
        let caller = Caller { user_id: &user_id, access_token: &access_token, operator_key: OPERATOR };
        run(&api, &caller)
    });
    let cases = running.await.unwrap_or_else(|found| std::panic::resume_unwind(found.into_panic()));
    eprintln!("schemathesis on MariaDB, Redis and DynamoDB's stand-in: {cases}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_request_asks_of_database_and_cache_is_in_its_trace() {
    let _alone = ALONE.lock().await;
    let collector = Collector::start();
    let more = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let cluster = Cluster::start_with(&more).await;
    let door = cluster.doors()[0];
    let (_, session) = enter(door, "phone").await;
    let path = format!("/v1/users/{}/scores", text(&session, "user_id"));
    let authorization = format!("Bearer {}", text(&session, "access_token"));
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let traceparent = format!("00-{trace}-{parent}-01");
    let headers = [("authorization", authorization.as_str()), ("traceparent", &traceparent), ("x-request-id", "r-1")];
    let body = json!({ "score": 7, "run_id": "r" });
    let (status, _) = send(&http_client(), door, Method::POST, &path, &headers, body).await;
    assert_eq!(status, 200);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    let spans = loop {
        let spans: Vec<_> = collector.spans().into_iter().filter(|span| span.trace_id == trace).collect();
        if spans.iter().any(|span| span.parent_id == parent) {
            break spans;
        }
        assert!(tokio::time::Instant::now() < deadline, "the trace does not come: {:?}", collector.spans());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let request = spans.iter().find(|span| span.parent_id == parent).expect("just seen");
    assert_eq!(request.name, "POST /v1/users/{id}/scores");
    assert_eq!(request.attribute("request_id"), Some("r-1"));
    for (name, system) in [("database", "mysql"), ("cache", "redis")] {
        let span = spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:?}"));
        assert_eq!((span.attribute("db.system.name"), &span.parent_id), (Some(system), &request.span_id));
    }
}
