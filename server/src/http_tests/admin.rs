use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{OPERATOR, Server};
use crate::{domain::relay::Relay, store::day_of};

#[tokio::test]
async fn only_the_operator_is_the_operator() {
    let server = Server::start().await;
    let player = server.player("d").await;
    for token in ["", "wrong", &player.token] {
        server.get("/admin/v1/events", token).await.problem(401, "unauthenticated");
        let path = format!("/admin/v1/users/{}/grants", player.id);
        let body = json!({ "coins": 1, "reason": "r" });
        server.call(Method::POST, &path, token, Some("k"), Some(body)).await.problem(401, "unauthenticated");
    }
    // And the operator is no player.
    server.get(&format!("/v1/users/{}", player.id), OPERATOR).await.problem(401, "unauthenticated");
    assert_eq!(server.user(&player).await["coins"], 1000);
}

#[tokio::test]
async fn a_grant_is_given_once() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let first = server.grant(&player.id, "k", 500).await.expect(201);
    assert_eq!(first["balance"], 1500);
    assert_eq!(server.grant(&player.id, "k", 500).await.expect(201), first);
    server.grant(&player.id, "k", 501).await.problem(422, "idempotency-key-reused");
    server.grant(&player.id, "l", 0).await.problem(422, "invalid-request");
    server.grant(&player.id, "l", -5).await.problem(422, "invalid-request");
    let path = format!("/admin/v1/users/{}/grants", player.id);
    let body = json!({ "coins": 1, "reason": "r" });
    server.post(&path, OPERATOR, body).await.problem(400, "idempotency-key-missing");
    let most = crate::http_tests::harness::rules().max_balance;
    server.grant(&player.id, "m", most).await.problem(409, "too-many-coins");
    assert_eq!(server.user(&player).await["coins"], 1500);
}

#[tokio::test]
async fn a_day_is_exported_whole_and_listed_in_pages() {
    let server = Server::start().await;
    for n in 0..30 {
        let player = server.player(&format!("{n}")).await;
        server.score(&player, n, "r").await;
    }
    let mut relay = Relay::new(server.app.game.clone());
    while relay.round().await.expect("the outbox").claimed > 0 {}
    let day = day_of(server.app.game.world.now());
    let export = server.get(&format!("/admin/v1/events/export?day={day}"), OPERATOR).await;
    assert_eq!(export.headers.get("content-type").expect("a type"), "application/x-ndjson");
    let lines: Vec<Value> = export.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 60);
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/admin/v1/events?day={day}&limit=7{cursor}"), OPERATOR).await.expect(200);
        listed.extend(page["events"].as_array().expect("events").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, lines);
    let empty = server.get("/admin/v1/events/export?day=2001-01-01", OPERATOR).await;
    assert_eq!((empty.status.as_u16(), empty.text.as_str()), (200, ""));
    server.get("/admin/v1/events/export?day=someday", OPERATOR).await.problem(400, "malformed-request");
}

async fn revoke(server: &Server, player: &str, key: &str, coins: i64) -> super::harness::Answer {
    let path = format!("/admin/v1/users/{player}/revocations");
    server.call(Method::POST, &path, OPERATOR, Some(key), Some(json!({ "coins": coins, "reason": "fraud" }))).await
}

#[tokio::test]
async fn what_a_player_does_not_have_is_owed_and_settled_first() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let first = revoke(&server, &player.id, "r", 1200).await.expect(201);
    assert_eq!((&first["coins"], &first["balance"], &first["owed"]), (&json!(1200), &json!(0), &json!(200)));
    assert_eq!(revoke(&server, &player.id, "r", 1200).await.expect(201), first);
    revoke(&server, &player.id, "r", 1).await.problem(422, "idempotency-key-reused");
    server.grant(&player.id, "r", 1200).await.problem(422, "idempotency-key-reused");
    revoke(&server, &player.id, "s", 0).await.problem(422, "invalid-request");
    revoke(&server, "nobody", "s", 1).await.problem(404, "unknown-player");
    let most = crate::http_tests::harness::rules().max_balance;
    let much = revoke(&server, &player.id, "s", most).await.problem(409, "too-much-owed");
    assert_eq!(much["owed"], 200);
    let user = server.user(&player).await;
    assert_eq!((&user["coins"], &user["owed"]), (&json!(0), &json!(200)));
    let given = server.grant(&player.id, "g", 300).await.expect(201);
    assert_eq!((&given["coins"], &given["balance"], &given["owed"]), (&json!(300), &json!(100), &json!(0)));
    let told: Vec<_> =
        server.ledger(&player, 50).await.into_iter().map(|e| (e["reason"].clone(), e["delta"].clone())).collect();
    let expected = [("settlement", -200), ("grant", 300), ("revocation", -1000), ("signup", 1000)];
    assert_eq!(told, expected.map(|(reason, delta)| (json!(reason), json!(delta))));
}

async fn delete(server: &Server, player: &str) -> super::harness::Answer {
    server.call(Method::DELETE, &format!("/admin/v1/users/{player}"), OPERATOR, None, None).await
}

#[tokio::test]
async fn a_deleted_player_is_gone_and_the_device_begins_anew() {
    let server = Server::start().await;
    let (player, other) = (server.player("d").await, server.player("e").await);
    server.score(&player, 50, "r").await;
    server.score(&other, 40, "r").await;
    server.buy(&player, "k", json!({ "item_id": "101", "expected_price": 100 })).await.expect(201);
    let path = format!("/admin/v1/users/{}", player.id);
    server.call(Method::DELETE, &path, &other.token, None, None).await.problem(401, "unauthenticated");
    delete(&server, &player.id).await.expect_empty(204);
    // The answer may have been lost: the repeat is a success.
    delete(&server, &player.id).await.expect_empty(204);
    delete(&server, "nobody").await.problem(404, "unknown-player");
    server.get(&format!("/v1/users/{}", player.id), &player.token).await.problem(404, "unknown-player");
    let score = json!({ "score": 60, "run_id": "s" });
    server.post(&format!("/v1/users/{}/scores", player.id), &player.token, score).await.problem(404, "unknown-player");
    let refresh = json!({ "refresh_token": player.refresh });
    server.post("/v1/sessions/refresh", "", refresh).await.problem(401, "wrong-refresh-token");
    let board = server.get("/v1/leaderboard", &other.token).await.expect(200);
    assert_eq!(board["entries"].as_array().expect("entries").len(), 1, "{board}");
    assert_eq!((&board["total"], &board["entries"][0]["user_id"]), (&json!(1), &json!(other.id)));
    let again = server.player("d").await;
    assert_ne!(again.id, player.id);
    assert_eq!(server.user(&again).await["coins"], 1000);
}

#[tokio::test]
async fn who_was_deleted_while_the_ranking_was_away_leaves_it_when_it_is_back() {
    let server = Server::start().await;
    let (player, other) = (server.player("d").await, server.player("e").await);
    server.score(&player, 50, "r").await;
    server.ranking.away.store(true, std::sync::atomic::Ordering::SeqCst);
    delete(&server, &player.id).await.expect_empty(204);
    server.ranking.away.store(false, std::sync::atomic::Ordering::SeqCst);
    let total = async || server.get("/v1/leaderboard", &other.token).await.expect(200)["total"].clone();
    assert_eq!(total().await, 1);
    crate::domain::reconcile::Reconciler::new(server.app.game.clone()).round().await.expect("both stores");
    assert_eq!(total().await, 0);
}
