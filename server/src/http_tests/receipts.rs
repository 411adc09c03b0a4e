use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    apple::{Apple, Flaw, transaction},
    harness::{Answer, Player, Server},
};
use crate::domain::receipts::{
    AppStores, Product, Products,
    apple::{APPLE_ROOT, Apple as Verifier},
};

pub fn products() -> Products {
    let product = |id: &str, coins| Product { product_id: id.to_owned(), coins };
    Products::new(vec![product("coins_500", 500), product("coins_1200", 1200)], 1 << 53).expect("products")
}

fn apple_stores(apple: &Apple, sandbox: bool) -> AppStores {
    let verifier = Verifier::new(&apple.root, "com.example.game".to_owned(), sandbox).expect("a root");
    AppStores { apple: Some(verifier), products: products(), ..AppStores::default() }
}

async fn server_of(apple: &Apple) -> Server {
    Server::selling(|_| apple_stores(apple, false)).await
}

pub async fn send(server: &Server, player: &Player, store: &str, receipt: &str) -> Answer {
    let body = json!({ "store": store, "receipt": receipt });
    server.post(&format!("/v1/users/{}/receipts", player.id), &player.token, body).await
}

fn now(server: &Server) -> i64 {
    server.app.game.world.now().as_millisecond()
}

fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

#[tokio::test]
async fn a_transaction_of_apples_is_worth_its_coins_once() {
    let apple = Apple::new();
    let server = server_of(&apple).await;
    let (player, other) = (server.player("1").await, server.player("2").await);
    let jws = apple.sign(&transaction("2000001", now(&server)));
    let first = send(&server, &player, "apple", &jws).await.expect(201);
    assert_eq!(first, json!({ "state": "granted", "coins": 500, "balance": 1500, "owed": 0 }));
    let again = send(&server, &player, "apple", &jws).await.expect(200);
    assert_eq!(again, json!({ "state": "already_granted", "coins": 500, "balance": 1500, "owed": 0 }));
    let stolen = send(&server, &other, "apple", &jws).await.problem(409, "receipt-owned-by-other");
    assert_eq!(stolen["state"], "owned_by_other");
    let three = with(with(transaction("2000002", now(&server)), "quantity", 3), "productId", "coins_1200");
    let three = send(&server, &player, "apple", &apple.sign(&three)).await.expect(201);
    assert_eq!((&three["coins"], &three["balance"]), (&json!(3600), &json!(5100)));
    assert_eq!(server.user(&other).await["coins"], 1000);
    let ledger = server.ledger(&player, 50).await;
    assert_eq!(ledger.iter().filter(|entry| entry["reason"] == "receipt").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_times_the_same_receipt_at_once_is_one_grant() {
    let apple = Apple::new();
    let server = server_of(&apple).await;
    let player = server.player("d").await;
    let jws = apple.sign(&transaction("1", now(&server)));
    let answers = futures::future::join_all((0..40).map(|_| send(&server, &player, "apple", &jws))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(StatusCode::CREATED), count(StatusCode::OK)), (1, 39));
    assert_eq!(server.user(&player).await["coins"], 1500);
}

#[tokio::test]
async fn only_what_apple_signed_for_this_app_counts() {
    let apple = Apple::new();
    let server = server_of(&apple).await;
    let player = server.player("d").await;
    let now = now(&server);
    let good = transaction("1", now);
    let signed = |claims: &Value| apple.sign(claims);
    let jws = signed(&good);
    let parts: Vec<&str> = jws.split('.').collect();
    let other_jws = signed(&with(good.clone(), "transactionId", "2"));
    let other: Vec<&str> = other_jws.split('.').collect();
    let stranger = Apple::new();
    let day = 24 * 3600 * 1000;
    let bad = [
        ("no JWS", "no receipt".to_owned()),
        ("another content", [parts[0], other[1], parts[2]].join(".")),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("unsigned", format!("eyJhbGciOiJub25lIn0.{}.", parts[1])),
        ("another root", stranger.sign(&good)),
        ("another's key under Apple's certificates", stranger.sign_as(&apple, &good)),
        ("another app", signed(&with(good.clone(), "bundleId", "com.example.other"))),
        ("the sandbox", signed(&with(good.clone(), "environment", "Sandbox"))),
        ("Xcode", signed(&with(good.clone(), "environment", "Xcode"))),
        ("the future", signed(&with(good.clone(), "signedDate", now + day))),
        ("before the certificates", signed(&with(good.clone(), "signedDate", 1_000_000_000_000_i64))),
        ("a subscription", signed(&with(good.clone(), "type", "Auto-Renewable Subscription"))),
        ("a family's", signed(&with(good.clone(), "inAppOwnershipType", "FAMILY_SHARED"))),
        ("a negative quantity", signed(&with(good.clone(), "quantity", -1))),
    ];
    for (what, receipt) in bad {
        let problem = send(&server, &player, "apple", &receipt).await.problem(422, "receipt-invalid");
        assert!(problem["detail"].is_string(), "{what}");
    }
    let unknown = signed(&with(good.clone(), "productId", "coins_9"));
    send(&server, &player, "apple", &unknown).await.problem(422, "unknown-product");
    send(&server, &player, "apple", "").await.problem(422, "invalid-request");
    assert_eq!(server.user(&player).await["coins"], 1000);
    assert_eq!(server.ledger(&player, 50).await.len(), 1);
    send(&server, &player, "apple", &jws).await.expect(201);
}

#[tokio::test]
async fn a_chain_must_be_apples_in_every_part() {
    for flaw in [Flaw::UnmarkedLeaf, Flaw::UnmarkedIntermediate, Flaw::Expired, Flaw::NoAuthority] {
        let apple = Apple::with(flaw);
        let server = server_of(&apple).await;
        let player = server.player("d").await;
        let jws = apple.sign(&transaction("1", now(&server)));
        let problem = send(&server, &player, "apple", &jws).await.problem(422, "receipt-invalid");
        assert!(problem["detail"].as_str().expect("a detail").contains("certificates"), "{flaw:?}: {problem}");
    }
    // What was signed while they were valid stays so.
    let apple = Apple::with(Flaw::Expired);
    let server = server_of(&apple).await;
    let player = server.player("d").await;
    let then: Timestamp = "2018-05-05T00:00:00Z".parse().expect("a time");
    let jws = apple.sign(&transaction("1", then.as_millisecond()));
    send(&server, &player, "apple", &jws).await.expect(201);
}

#[test]
fn apples_own_root_is_the_published_one() {
    use sha2::{Digest as _, Sha256};
    let (_, pem) = x509_parser::pem::parse_x509_pem(APPLE_ROOT.as_bytes()).expect("PEM");
    let fingerprint = hex::encode(Sha256::digest(&pem.contents));
    assert_eq!(fingerprint, "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179");
    assert!(Verifier::new(APPLE_ROOT.as_bytes(), "a".to_owned(), false).is_ok());
    assert!(Verifier::new(b"no certificate", "a".to_owned(), false).is_err());
}

#[tokio::test]
async fn a_purchase_made_for_another_account_is_that_ones() {
    let apple = Apple::new();
    let server = server_of(&apple).await;
    let (player, other) = (server.player("1").await, server.player("2").await);
    let token = server.user(&player).await["account_token"].as_str().expect("a token").to_uppercase();
    let jws = apple.sign(&with(transaction("1", now(&server)), "appAccountToken", token));
    send(&server, &other, "apple", &jws).await.problem(409, "receipt-owned-by-other");
    send(&server, &player, "apple", &jws).await.expect(201);
}

#[tokio::test]
async fn a_sandbox_is_taken_where_it_is_wanted() {
    let apple = Apple::new();
    let server = Server::selling(|_| apple_stores(&apple, true)).await;
    let player = server.player("d").await;
    let jws = apple.sign(&with(transaction("1", now(&server)), "environment", "Sandbox"));
    send(&server, &player, "apple", &jws).await.expect(201);
}

async fn notify(server: &Server, apple: &Apple, kind: &str, claims: &Value) -> Answer {
    let payload = json!({
        "notificationType": kind, "notificationUUID": "u", "version": "2.0", "signedDate": claims["signedDate"],
        "data": { "bundleId": "com.example.game", "signedTransactionInfo": apple.sign(claims) },
    });
    server.post("/v1/notifications/apple", "", json!({ "signedPayload": apple.sign(&payload) })).await
}

#[tokio::test]
async fn what_apple_refunds_is_taken_back_and_what_it_reverses_given_again() {
    let apple = Apple::new();
    let server = server_of(&apple).await;
    let player = server.player("d").await;
    let now = now(&server);
    let jws = apple.sign(&transaction("1", now - 9000));
    send(&server, &player, "apple", &jws).await.expect(201);
    for n in 0..14 {
        let bomb = json!({ "item_id": "101", "expected_price": 100 });
        server.buy(&player, &format!("k{n}"), bomb).await.expect(201);
    }
    let refund = with(transaction("1", now - 8000), "revocationDate", now - 8000);
    for _ in 0..2 {
        notify(&server, &apple, "REFUND", &refund).await.expect_empty(204);
    }
    let user = server.user(&player).await;
    assert_eq!((&user["coins"], &user["owed"]), (&json!(0), &json!(400)));
    // The transaction as it was signed before is no way back.
    let old = send(&server, &player, "apple", &jws).await.expect(200);
    assert_eq!(old, json!({ "state": "refunded", "coins": 500, "balance": 0, "owed": 400 }));
    notify(&server, &apple, "REFUND_REVERSED", &transaction("1", now - 7000)).await.expect_empty(204);
    notify(&server, &apple, "REFUND", &refund).await.expect_empty(204);
    let user = server.user(&player).await;
    assert_eq!((&user["coins"], &user["owed"]), (&json!(100), &json!(0)));
    let told: Vec<_> = server.ledger(&player, 4).await;
    let told: Vec<_> = told.iter().take(4).map(|e| (e["reason"].as_str().expect("text"), e["delta"].clone())).collect();
    let expected = [("settlement", -400), ("refund_reversed", 500), ("refund", -100), ("purchase", -100)];
    assert_eq!(told, expected.map(|(reason, delta)| (reason, json!(delta))));
}

#[tokio::test]
async fn a_refund_comes_with_the_transaction_too_and_other_news_change_nothing() {
    let apple = Apple::new();
    let server = server_of(&apple).await;
    let player = server.player("d").await;
    let now = now(&server);
    send(&server, &player, "apple", &apple.sign(&transaction("1", now - 9000))).await.expect(201);
    notify(&server, &apple, "CONSUMPTION_REQUEST", &transaction("1", now - 8500)).await.expect_empty(204);
    assert_eq!(server.user(&player).await["coins"], 1500);
    let refunded = with(transaction("1", now - 8000), "revocationDate", now - 8000);
    let answer = send(&server, &player, "apple", &apple.sign(&refunded)).await.expect(200);
    assert_eq!((&answer["state"], &answer["balance"]), (&json!("refunded"), &json!(1000)));
    // Refunded before it ever came: it is worth nothing.
    let early = with(transaction("2", now - 8000), "revocationDate", now - 8000);
    notify(&server, &apple, "REFUND", &early).await.expect_empty(204);
    let late = send(&server, &player, "apple", &apple.sign(&transaction("2", now - 9000))).await.expect(200);
    assert_eq!((&late["state"], &late["balance"]), (&json!("refunded"), &json!(1000)));
    // And only Apple speaks for Apple.
    notify(&server, &Apple::new(), "REFUND", &refunded).await.problem(422, "receipt-invalid");
    let test = apple.sign(&json!({ "notificationType": "TEST", "signedDate": now, "version": "2.0" }));
    server.post("/v1/notifications/apple", "", json!({ "signedPayload": test })).await.expect_empty(204);
}

#[tokio::test]
async fn receipts_of_a_store_that_is_not_configured_are_not_taken() {
    let server = Server::start().await;
    let player = server.player("d").await;
    for store in ["apple", "google"] {
        send(&server, &player, store, "x").await.problem(404, "app-store-not-configured");
    }
    send(&server, &player, "steam", "x").await.problem(422, "invalid-request");
    let body = json!({ "signedPayload": "x" });
    server.post("/v1/notifications/apple", "", body).await.problem(404, "app-store-not-configured");
    let other = server.player("other").await;
    let path = format!("/v1/users/{}/receipts", other.id);
    let body = json!({ "store": "apple", "receipt": "x" });
    server.call(Method::POST, &path, &player.token, None, Some(body)).await.problem(403, "forbidden");
}
