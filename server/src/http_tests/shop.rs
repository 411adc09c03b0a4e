use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::harness::Server;
use crate::{
    config::Limits,
    domain::shop::{Catalogue, Placement},
};

fn bomb() -> Value {
    json!({ "item_id": "101", "expected_price": 100 })
}

fn sum(ledger: &[Value]) -> i64 {
    ledger.iter().map(|entry| entry["delta"].as_i64().expect("a number")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_buys_at_once_by_a_player_with_coins_for_ten_are_ten() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let buys = (0..40).map(|n| {
        let (server, player) = (&server, &player);
        async move { server.buy(player, &format!("k{n}"), bomb()).await.status }
    });
    let statuses = futures::future::join_all(buys).await;
    let count = |status| statuses.iter().filter(|s| **s == status).count();
    assert_eq!((count(StatusCode::CREATED), count(StatusCode::PAYMENT_REQUIRED)), (10, 30));
    let user = server.user(&player).await;
    assert_eq!(user["coins"], 0);
    assert_eq!(user["items"], json!([{ "item_id": "101", "slot": null, "quantity": 10 }]));
    let ledger = server.ledger(&player, 3).await;
    assert_eq!((ledger.len(), sum(&ledger)), (11, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_sent_many_times_at_once_buys_once() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let answers = futures::future::join_all((0..20).map(|_| server.buy(&player, "k", bomb()))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED));
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    assert_eq!(server.user(&player).await["coins"], 900);
}

#[tokio::test]
async fn a_balance_equal_to_the_price_buys() {
    let server = Server::start().await;
    let player = server.player("d").await;
    for n in 0..9 {
        server.buy(&player, &format!("k{n}"), bomb()).await.expect(201);
    }
    let last = server.buy(&player, "last", bomb()).await.expect(201);
    assert_eq!(last["balance"], 0);
    let problem = server.buy(&player, "more", bomb()).await.problem(402, "too-few-coins");
    assert_eq!((&problem["balance"], &problem["price"]), (&json!(0), &json!(100)));
}

#[tokio::test]
async fn a_refused_purchase_leaves_its_key_free() {
    let server = Server::start().await;
    let player = server.player("d").await;
    for n in 0..10 {
        server.buy(&player, &format!("k{n}"), bomb()).await.expect(201);
    }
    server.buy(&player, "k", bomb()).await.problem(402, "too-few-coins");
    server.grant(&player.id, "g", 100).await.expect(201);
    server.buy(&player, "k", bomb()).await.expect(201);
}

#[tokio::test]
async fn the_repeat_has_the_same_answer_whatever_happened_since() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let body = json!({ "item_id": "102", "slot": 2, "expected_price": 150 });
    let first = server.buy(&player, "k", body.clone()).await;
    assert_eq!(first.json()["balance"], 850);
    server.buy(&player, "other", bomb()).await.expect(201);
    // The item costs more by now, and then is gone.
    for items in [
        Catalogue::starter()
            .into_iter()
            .map(|mut item| {
                item.price += 1;
                item
            })
            .collect::<Vec<_>>(),
        Vec::new(),
    ] {
        let later = Server::over(server.directory.clone(), items, Limits::default()).await;
        let repeat = later.buy(&player, "k", body.clone()).await;
        assert_eq!((repeat.status, &repeat.text), (StatusCode::CREATED, &first.text));
    }
    assert_eq!(server.user(&player).await["coins"], 750);
}

#[tokio::test]
async fn each_refusal_has_its_own_answer_and_costs_nothing() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let path = format!("/v1/users/{}/items", player.id);
    server.post(&path, &player.token, bomb()).await.problem(400, "idempotency-key-missing");
    server.buy(&player, "k", json!({ "item_id": "101", "expected_price": 99 })).await.problem(409, "price-changed");
    let changed = server.buy(&player, "k", json!({ "item_id": "101", "expected_price": 99 })).await.json();
    assert_eq!(changed["price"], 100);
    server.buy(&player, "k", json!({ "item_id": "999", "expected_price": 1 })).await.problem(404, "unknown-item");
    let slot = json!({ "item_id": "101", "slot": 4, "expected_price": 100 });
    let wrong = server.buy(&player, "k", slot).await.problem(422, "invalid-request");
    assert_eq!(wrong["errors"][0]["field"], "slot");
    assert_eq!(server.user(&player).await["coins"], 1000);
    server.buy(&player, "k", bomb()).await.expect(201);
    let other = json!({ "item_id": "102", "expected_price": 150 });
    server.buy(&player, "k", other).await.problem(422, "idempotency-key-reused");
    assert_eq!(server.user(&player).await["coins"], 900);
}

#[tokio::test]
async fn keys_of_different_players_are_different_keys() {
    let server = Server::start().await;
    let (one, two) = (server.player("1").await, server.player("2").await);
    let first = server.buy(&one, "k", bomb()).await.expect(201);
    let second = server.buy(&two, "k", bomb()).await.expect(201);
    assert_ne!(first["purchase_id"], second["purchase_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_posted_during_grants_wipe_no_grant() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let scores = futures::future::join_all((0..300).map(|n| {
        let (server, player) = (&server, &player);
        async move { server.score(player, n, &format!("r{n}")).await }
    }));
    let grants = futures::future::join_all((0..8).map(|n| {
        let (server, player) = (&server, &player);
        async move { server.grant(&player.id, &format!("g{n}"), 1000).await.expect(201) }
    }));
    tokio::join!(scores, grants);
    let user = server.user(&player).await;
    assert_eq!((&user["coins"], &user["best_score"]), (&json!(9000), &json!(299)));
}

#[tokio::test]
async fn the_ledger_tells_every_movement_newest_first() {
    let server = Server::start().await;
    let player = server.player("d").await;
    server.buy(&player, "k", bomb()).await.expect(201);
    server.grant(&player.id, "g", 50).await.expect(201);
    let ledger = server.ledger(&player, 2).await;
    let told: Vec<_> =
        ledger.iter().map(|e| (e["reason"].as_str(), e["delta"].as_i64(), e["balance"].as_i64())).collect();
    assert_eq!(
        told,
        [
            (Some("grant"), Some(50), Some(950)),
            (Some("purchase"), Some(-100), Some(900)),
            (Some("signup"), Some(1000), Some(1000)),
        ]
    );
    // A cursor of one player's ledger is nothing in another's.
    let path = format!("/v1/users/{}/ledger?limit=1", player.id);
    let cursor = server.get(&path, &player.token).await.json()["next_cursor"].as_str().expect("more").to_owned();
    let other = server.player("other").await;
    let path = format!("/v1/users/{}/ledger?cursor={cursor}", other.id);
    server.get(&path, &other.token).await.problem(400, "wrong-cursor");
}

#[tokio::test]
async fn the_catalogue_is_sent_once() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let first = server.get("/v1/catalog", &player.token).await;
    let etag = first.headers.get(header::ETAG).expect("a tag").clone();
    assert_eq!(first.json()["items"][0]["item_id"], "101");
    let request = Request::builder()
        .method(Method::GET)
        .uri("/v1/catalog")
        .header(header::AUTHORIZATION, format!("Bearer {}", player.token))
        .header(header::IF_NONE_MATCH, etag)
        .body(axum::body::Body::empty())
        .expect("a request");
    let second = server.send(request).await;
    assert_eq!((second.status, second.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
}

#[tokio::test]
async fn an_item_goes_where_the_catalogue_says() {
    let directory = std::sync::Arc::new(tempfile::tempdir().expect("a directory"));
    let mut items = Catalogue::starter();
    (items[0].placement, items[1].placement) = (Placement::Stackable, Placement::Slot);
    let server = Server::over(directory, items, Limits::default()).await;
    let player = server.player("d").await;
    let told = server.get("/v1/catalog", &player.token).await.expect(200);
    assert_eq!((&told["items"][0]["placement"], &told["items"][1]["placement"]), (&json!("stackable"), &json!("slot")));
    let bomb_in_slot = json!({ "item_id": "101", "slot": 1, "expected_price": 100 });
    let problem = server.buy(&player, "k", bomb_in_slot).await.problem(422, "invalid-request");
    assert_eq!(problem["errors"][0]["field"], "slot");
    let loose = json!({ "item_id": "102", "expected_price": 150 });
    server.buy(&player, "k", loose).await.problem(422, "invalid-request");
    assert_eq!(server.user(&player).await["coins"], 1000);
    server.buy(&player, "k", bomb()).await.expect(201);
    server.buy(&player, "l", json!({ "item_id": "102", "slot": 2, "expected_price": 150 })).await.expect(201);
    let owned = server.user(&player).await["items"].clone();
    let expected = json!([
        { "item_id": "101", "slot": null, "quantity": 1 },
        { "item_id": "102", "slot": 2, "quantity": 1 },
    ]);
    assert_eq!(owned, expected);
}
