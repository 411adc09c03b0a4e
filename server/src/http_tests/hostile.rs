//! Clients that lie, tamper and exaggerate. Nothing of it is done, nothing is a 5xx, and what is there stays.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    http::{Method, Request, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::stream;
use serde_json::{Value, json};

use super::harness::{OPERATOR, Player, Server};
use crate::{config::Limits, domain::shop::Catalogue};

async fn raw(
    server: &Server,
    method: Method,
    path: &str,
    token: &str,
    body: impl Into<Body>,
) -> super::harness::Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", "k");
    server.send(request.body(body.into()).expect("a request")).await
}

/// Fails unless it is refused for what the client did.
#[track_caller]
fn refused(answer: &super::harness::Answer, what: &str) {
    assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.text);
    let problem: Value = answer.json();
    assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("/problems/")), "{what}: {}", answer.text);
}

#[tokio::test]
async fn numbers_and_texts_beyond_reason_are_refused() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let user = format!("/v1/users/{}", player.id);
    let long = "x".repeat(70_000);
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let scores = [
        r#"{"score": 9223372036854775808, "run_id": "r"}"#.to_owned(),
        r#"{"score": -9223372036854775809, "run_id": "r"}"#.to_owned(),
        r#"{"score": 1e999, "run_id": "r"}"#.to_owned(),
        r#"{"score": NaN, "run_id": "r"}"#.to_owned(),
        r#"{"score": -0.5, "run_id": "r"}"#.to_owned(),
        r#"{"score": 1, "score": 2, "run_id": "r"}"#.to_owned(),
        r#"{"score": 1, "run_id": ""}"#.to_owned(),
        r#"{"score": 1, "run_id": "a b"}"#.to_owned(),
        r#"{"score": 1, "run_id": "ü"}"#.to_owned(),
        "{\"score\": 1, \"run_id\": \"\u{202e}r\"}".to_owned(),
        r#"{"score": 1, "run_id": "\u0000"}"#.to_owned(),
        r#"{"score": 1, "run_id": "\ud800"}"#.to_owned(),
        format!(r#"{{"score": 1, "run_id": "{long}"}}"#),
        format!(r#"{{"score": 1, "run_id": "r", "board": "{long}"}}"#),
        format!(r#"{{"score": 1, "run_id": "r", "metadata": {{"a": "{long}"}}}}"#),
        format!(r#"{{"score": 1, "run_id": "r", "metadata": {{"a": {deep}}}}}"#),
        r#"{"score": 1, "run_id": "r", "metadata": []}"#.to_owned(),
        r#"{"score": 1, "run_id": "r", "board": "main/../total"}"#.to_owned(),
        "[]".to_owned(),
        String::new(),
    ];
    for body in scores {
        let answer = raw(&server, Method::POST, &format!("{user}/scores"), &player.token, body.clone()).await;
        refused(&answer, &body[..body.len().min(80)]);
    }
    let not_utf8 = Bytes::from_static(b"{\"score\": 1, \"run_id\": \"\xff\xfe\"}");
    refused(&raw(&server, Method::POST, &format!("{user}/scores"), &player.token, not_utf8).await, "not UTF-8");
    let items = [
        r#"{"item_id": "101", "expected_price": -1}"#.to_owned(),
        r#"{"item_id": "101", "expected_price": 99.99}"#.to_owned(),
        r#"{"item_id": "101", "expected_price": 18446744073709551615}"#.to_owned(),
        r#"{"item_id": "101", "expected_price": 0}"#.to_owned(),
        r#"{"item_id": -101, "expected_price": 100}"#.to_owned(),
        r#"{"item_id": "101\u0000", "expected_price": 100}"#.to_owned(),
        r#"{"item_id": "101' OR '1'='1", "expected_price": 100}"#.to_owned(),
        r#"{"item_id": "101", "expected_price": 100, "slot": 0}"#.to_owned(),
        r#"{"item_id": "101", "expected_price": 100, "slot": 256}"#.to_owned(),
        r#"{"item_id": "101", "expected_price": 100, "slot": -1}"#.to_owned(),
        format!(r#"{{"item_id": "{long}", "expected_price": 100}}"#),
    ];
    for body in items {
        let answer = raw(&server, Method::POST, &format!("{user}/items"), &player.token, body.clone()).await;
        refused(&answer, &body[..body.len().min(80)]);
    }
    let board = server.get("/v1/leaderboard", &player.token).await.expect(200);
    assert_eq!((server.user(&player).await["coins"].clone(), board["total"].clone()), (json!(1000), json!(0)));
}

#[tokio::test]
async fn queries_beyond_reason_are_refused() {
    let server = Server::start().await;
    let player = server.player("d").await;
    server.score(&player, 1, "r").await;
    for query in [
        "limit=4294967295",
        "limit=4294967296",
        "limit=-1",
        "limit=1e3",
        "limit=%00",
        "limit=",
        "limit=1&limit=2",
        "cursor=",
        "cursor=%ff",
        "season=%F0%9F%8E%B2",
        "season=../main",
        "season=%00",
    ] {
        refused(&server.get(&format!("/v1/leaderboard?{query}"), &player.token).await, query);
    }
    for path in ["radius=4294967295", "radius=101", "radius=-1"] {
        let path = format!("/v1/leaderboards/main/around/{}?{path}", player.id);
        refused(&server.get(&path, &player.token).await, &path);
    }
    for day in ["9999-12-32", "-009999-01-01x", "2026-02-30", "today"] {
        refused(&server.get(&format!("/admin/v1/events?day={day}"), OPERATOR).await, day);
    }
    // The ends of the calendar are days too.
    for day in ["9999-12-31", "-009999-01-01"] {
        server.get(&format!("/admin/v1/events?day={day}"), OPERATOR).await.expect(200);
    }
    let at = |at: &str| json!({ "events": [{ "name": "tap", "at": at }] });
    for moment in ["9999-12-30T22:00:00Z", "-009999-01-02T01:59:59Z", "1969-12-31T23:59:60Z", "now", ""] {
        refused(&server.post("/v1/events", &player.token, at(moment)).await, moment);
    }
}

async fn pages(server: &Server, player: &Player) -> [(String, String); 2] {
    let ledger = format!("/v1/users/{}/ledger?limit=1", player.id);
    let page = server.get(&ledger, &player.token).await.expect(200);
    let board = server.get("/v1/leaderboard?limit=1", &player.token).await.expect(200);
    let cursor = |page: &Value| page["next_cursor"].as_str().expect("there is more").to_owned();
    [(ledger, cursor(&page)), ("/v1/leaderboard?limit=1".to_owned(), cursor(&board))]
}

#[tokio::test]
async fn a_cursor_is_good_as_it_was_given_and_for_who_it_was_given_to() {
    let server = Server::start().await;
    let (one, two) = (server.player("1").await, server.player("2").await);
    for (n, player) in (1..).zip([&one, &two]) {
        server.score(player, n, "r").await;
        server.grant(&player.id, "g", 5).await.expect(201);
    }
    let (mine, yours) = (pages(&server, &one).await, pages(&server, &two).await);
    for (path, cursor) in &mine {
        server.get(&format!("{path}&cursor={cursor}"), &one.token).await.expect(200);
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let tampered = URL_SAFE_NO_PAD.encode(&bytes);
            server.get(&format!("{path}&cursor={tampered}"), &one.token).await.problem(400, "wrong-cursor");
            bytes[at] ^= 1;
        }
        for wrong in [format!("{cursor}="), cursor[1..].to_owned(), format!("{cursor}{cursor}"), "A".repeat(4000)] {
            server.get(&format!("{path}&cursor={wrong}"), &one.token).await.problem(400, "wrong-cursor");
        }
    }
    // Another's ledger, another listing.
    server.get(&format!("{}&cursor={}", mine[0].0, yours[0].1), &one.token).await.problem(400, "wrong-cursor");
    server.get(&format!("{}&cursor={}", mine[0].0, mine[1].1), &one.token).await.problem(400, "wrong-cursor");
    server.get(&format!("{}&cursor={}", mine[1].0, mine[0].1), &one.token).await.problem(400, "wrong-cursor");
}

#[tokio::test]
async fn no_token_stands_for_another_sort_of_token() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let user = format!("/v1/users/{}", player.id);
    let [head, claims, tag] = player.token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let headed = |header: Value| URL_SAFE_NO_PAD.encode(header.to_string());
    let none = headed(json!({ "alg": "none", "typ": "JWT" }));
    let stronger = headed(json!({ "alg": "HS512", "typ": "JWT" }));
    let asymmetric = headed(json!({ "alg": "RS256", "typ": "JWT", "jwk": { "kty": "oct", "k": "AA" } }));
    let wrong = [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{tag}"),
        format!("{stronger}.{claims}.{tag}"),
        format!("{asymmetric}.{claims}.{tag}"),
        format!("{head}.{claims}."),
        format!("{head}.{claims}"),
        format!("{head}.{claims}.{tag}.{tag}"),
        player.refresh.clone(),
        OPERATOR.to_owned(),
        "..".to_owned(),
        String::new(),
    ];
    for token in wrong {
        server.get(&user, &token).await.problem(401, "unauthenticated");
    }
    for token in [player.token.as_str(), OPERATOR, "", "..", "a.1.b", "a.-1.b", "a.99999999999999999999.b"] {
        let body = json!({ "refresh_token": token });
        server.post("/v1/sessions/refresh", "", body).await.problem(401, "wrong-refresh-token");
    }
    for token in [player.token.as_str(), &player.refresh, &OPERATOR[..OPERATOR.len() - 1], &OPERATOR[1..], ""] {
        server.get("/admin/v1/events", token).await.problem(401, "unauthenticated");
    }
    // Whatever the case of the id: it is another's.
    server.get(&user.to_lowercase(), &player.token).await.problem(403, "forbidden");
    server.get(&format!("/v1/users/%30{}", &player.id[1..]), &player.token).await.expect(200);
    server.get("/v1/users/%ff", &player.token).await.problem(403, "forbidden");
}

#[tokio::test]
async fn sums_end_where_numbers_do() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let path = format!("/v1/users/{}/scores", player.id);
    let mut best = Vec::new();
    for (n, score) in [i64::MAX, 1, i64::MAX, -1, i64::MIN, i64::MIN, i64::MIN].into_iter().enumerate() {
        let run = json!({ "score": score, "run_id": n.to_string(), "board": "total" });
        best.push(server.post(&path, &player.token, run).await.expect(200)["best"].as_i64().expect("a score"));
    }
    assert_eq!(best, [i64::MAX, i64::MAX, i64::MAX, i64::MAX - 1, -2, i64::MIN, i64::MIN]);
    let rank = server.get(&format!("/v1/users/{}/rank?board=total", player.id), &player.token).await.expect(200);
    assert_eq!(rank["score"], i64::MIN);
}

/// A body that is begun and never ends.
fn endless() -> Body {
    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    Body::from_stream(futures::StreamExt::chain(begun, stream::pending()))
}

#[tokio::test]
async fn who_sends_a_body_slowly_takes_up_nobodys_room() {
    let directory = Arc::new(tempfile::tempdir().expect("a directory"));
    let limits = Limits { sessions: 1, deadline: std::time::Duration::from_millis(500), ..Limits::default() };
    let server = Arc::new(Server::over(directory, Catalogue::starter(), limits).await);
    let slow = |_| {
        let server = server.clone();
        tokio::spawn(async move { raw(&server, Method::POST, "/v1/sessions", "", endless()).await })
    };
    let slow: Vec<_> = (0..50).map(slow).collect();
    tokio::task::yield_now().await;
    server.player("honest").await;
    for answer in futures::future::join_all(slow).await {
        answer.expect("no panic").problem(503, "timed-out");
    }
    // Whatever length it announces, or none.
    let much = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096])));
    raw(&server, Method::POST, "/v1/sessions", "", Body::from_stream(much)).await.problem(413, "request-too-large");
}

#[tokio::test]
async fn made_up_methods_are_not_remembered() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let server = Server::start().await;
    let _guard = metrics::set_default_local_recorder(&recorder);
    for n in 0..20 {
        let method = Method::from_bytes(format!("MADEUP{n}").as_bytes()).expect("a method");
        server.call(method, "/v1/catalog", "", None, None).await.problem(405, "method-not-allowed");
    }
    let text = handle.render();
    assert!(text.contains("method=\"other\"") && !text.contains("MADEUP"), "{text}");
}

#[tokio::test]
async fn of_two_idempotency_keys_neither_counts() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let request = Request::post(format!("/v1/users/{}/items", player.id))
        .header(header::AUTHORIZATION, format!("Bearer {}", player.token))
        .header(header::CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", "one")
        .header("Idempotency-Key", "two");
    let body = json!({ "item_id": "101", "expected_price": 100 }).to_string();
    let answer = server.send(request.body(Body::from(body)).expect("a request")).await;
    answer.problem(400, "idempotency-key-missing");
    assert_eq!(server.user(&player).await["coins"], 1000);
}
