use jiff::SignedDuration;
use serde_json::json;

use super::{
    harness::Server,
    play::{FakePlay, receipt},
    receipts::{products, send},
};
use crate::domain::receipts::{AppStores, upkeep::Upkeep};

async fn google_server(sandbox: bool) -> (FakePlay, Server) {
    let play = FakePlay::start().await;
    let server = Server::selling(|world| AppStores {
        google: Some(play.google(world.clone(), sandbox)),
        products: products(),
        ..AppStores::default()
    })
    .await;
    (play, server)
}

fn upkeep(server: &Server) -> Upkeep {
    Upkeep::new(server.app.game.clone(), server.app.app_stores.clone())
}

#[tokio::test]
async fn a_purchase_of_googles_is_worth_its_coins_once_and_is_consumed() {
    let (play, server) = google_server(false).await;
    let (player, other) = (server.player("1").await, server.player("2").await);
    play.sell("t/1?x", json!({ "quantity": 2 }));
    let first = send(&server, &player, "google", &receipt("t/1?x")).await.expect(201);
    assert_eq!(first, json!({ "state": "granted", "coins": 1000, "balance": 2000, "owed": 0 }));
    let again = send(&server, &player, "google", &receipt("t/1?x")).await.expect(200);
    assert_eq!(again["state"], "already_granted");
    send(&server, &other, "google", &receipt("t/1?x")).await.problem(409, "receipt-owned-by-other");
    assert_eq!(upkeep(&server).acknowledge().await.expect("told"), 1);
    assert_eq!(play.shop().consumed, ["t/1?x"]);
    assert_eq!(upkeep(&server).acknowledge().await.expect("nothing to tell"), 0);
    // All that with one token.
    assert_eq!(play.shop().tokens_given, 1);
    let account = server.user(&player).await["account_token"].clone();
    play.sell("t2", json!({ "obfuscatedExternalAccountId": account }));
    send(&server, &other, "google", &receipt("t2")).await.problem(409, "receipt-owned-by-other");
    send(&server, &player, "google", &receipt("t2")).await.expect(201);
}

#[tokio::test]
async fn google_is_told_until_it_knows() {
    let (play, server) = google_server(false).await;
    let player = server.player("d").await;
    for token in ["a", "b"] {
        play.sell(token, json!({}));
        send(&server, &player, "google", &receipt(token)).await.expect(201);
    }
    play.shop().answer = Some(503);
    assert_eq!(upkeep(&server).acknowledge().await.expect("the database is there"), 0);
    play.shop().answer = None;
    // They are this server's until the lease is over: it may still be telling.
    assert_eq!(upkeep(&server).acknowledge().await.expect("the database is there"), 0);
    server.clock.advance(SignedDuration::from_secs(61));
    // The app was faster with one of them.
    play.shop().purchases.get_mut("b").expect("sold")["consumptionState"] = json!(1);
    assert_eq!(upkeep(&server).acknowledge().await.expect("told"), 2);
    assert_eq!(play.shop().consumed, ["a"]);
    server.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(upkeep(&server).acknowledge().await.expect("nothing to tell"), 0);
}

#[tokio::test]
async fn each_state_of_a_purchase_has_its_answer() {
    let (play, server) = google_server(false).await;
    let player = server.player("d").await;
    play.sell("p", json!({ "purchaseState": 2 }));
    let pending = send(&server, &player, "google", &receipt("p")).await.expect(202);
    assert_eq!(pending, json!({ "state": "pending", "coins": 0, "balance": 1000, "owed": 0 }));
    play.sell("p", json!({ "purchaseState": 0 }));
    send(&server, &player, "google", &receipt("p")).await.expect(201);
    play.sell("c", json!({ "purchaseState": 1 }));
    let canceled = send(&server, &player, "google", &receipt("c")).await.expect(200);
    assert_eq!((&canceled["state"], &canceled["balance"]), (&json!("refunded"), &json!(1500)));
    play.sell("t", json!({ "purchaseType": 0 }));
    send(&server, &player, "google", &receipt("t")).await.problem(422, "receipt-invalid");
    send(&server, &player, "google", &receipt("unknown")).await.problem(422, "receipt-invalid");
    send(&server, &player, "google", "not JSON").await.problem(422, "receipt-invalid");
    let foreign = json!({ "packageName": "other", "productId": "coins_500", "purchaseToken": "p" }).to_string();
    send(&server, &player, "google", &foreign).await.problem(422, "receipt-invalid");
    play.shop().answer = Some(410);
    send(&server, &player, "google", &receipt("p")).await.problem(422, "receipt-invalid");
    let (play, tester) = google_server(true).await;
    play.sell("t", json!({ "purchaseType": 0 }));
    send(&tester, &tester.player("d").await, "google", &receipt("t")).await.expect(201);
}

#[tokio::test]
async fn while_google_is_away_nothing_is_given_and_all_can_be_tried_again() {
    let (play, server) = google_server(false).await;
    let player = server.player("d").await;
    play.sell("t", json!({}));
    for status in [401, 403, 429, 500, 503] {
        play.shop().answer = Some(status);
        let answer = send(&server, &player, "google", &receipt("t")).await;
        assert_eq!(answer.headers.get("retry-after").expect("when"), "7", "{status}");
        answer.problem(503, "app-store-unavailable");
    }
    // A token that is refused is replaced.
    play.shop().answer = None;
    play.shop().good_token = "another".to_owned();
    let given = play.shop().tokens_given;
    send(&server, &player, "google", &receipt("t")).await.expect(201);
    assert_eq!(play.shop().tokens_given, given + 1);
    // And one that is old is not even shown.
    server.clock.advance(SignedDuration::from_mins(59));
    let player = server.player("d").await;
    send(&server, &player, "google", &receipt("t")).await.expect(200);
    assert_eq!(play.shop().tokens_given, given + 2);
    play.shop().hangs = true;
    let started = server.user(&player).await["coins"].clone();
    play.sell("u", json!({}));
    send(&server, &player, "google", &receipt("u")).await.problem(503, "app-store-unavailable");
    assert_eq!(server.user(&player).await["coins"], started);
}

#[tokio::test]
async fn what_google_voids_is_taken_back_once() {
    let (play, server) = google_server(false).await;
    let player = server.player("d").await;
    for token in ["a", "b", "c"] {
        play.sell(token, json!({}));
        send(&server, &player, "google", &receipt(token)).await.expect(201);
    }
    play.shop().voided = ["a", "x", "b"]
        .map(|token| json!({ "purchaseToken": token, "orderId": "GPA.1", "voidedTimeMillis": "1", "voidedReason": 1 }))
        .to_vec();
    assert_eq!(upkeep(&server).void().await.expect("asked"), 3);
    assert_eq!(server.user(&player).await["coins"], 1500);
    // It is nobody's turn for a while; then the same is told again.
    assert_eq!(upkeep(&server).void().await.expect("not due"), 0);
    server.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(upkeep(&server).void().await.expect("asked"), 3);
    assert_eq!(server.user(&player).await["coins"], 1500);
    let asked = play.shop().asked_since.clone();
    assert!(asked[0] < asked[2], "the second time it goes on from the first: {asked:?}");
    // Google goes on telling that it is purchased; and what was voided before it came is worth nothing.
    let again = send(&server, &player, "google", &receipt("a")).await.expect(200);
    assert_eq!(again["state"], "refunded");
    play.sell("x", json!({}));
    let late = send(&server, &player, "google", &receipt("x")).await.expect(200);
    assert_eq!((&late["state"], &late["balance"]), (&json!("refunded"), &json!(1500)));
}
