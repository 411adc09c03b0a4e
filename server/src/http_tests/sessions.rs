use jiff::SignedDuration;
use serde_json::json;

use super::harness::{Server, secret_of};

#[tokio::test]
async fn a_device_has_one_account_and_its_secret_opens_it() {
    let server = Server::start().await;
    let body = json!({ "device_id": "d", "device_secret": secret_of("d") });
    let first = server.post("/v1/sessions", "", body.clone()).await.expect(201);
    let second = server.post("/v1/sessions", "", body).await.expect(200);
    assert_eq!(first["user_id"], second["user_id"]);
    let wrong = json!({ "device_id": "d", "device_secret": secret_of("e") });
    server.post("/v1/sessions", "", wrong).await.problem(401, "wrong-device-secret");
    let short = json!({ "device_id": "d", "device_secret": "short" });
    server.post("/v1/sessions", "", short).await.problem(422, "invalid-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_asks_many_times_at_once_gets_one_account() {
    let server = Server::start().await;
    let players = futures::future::join_all((0..20).map(|_| server.player("d"))).await;
    assert!(players.iter().all(|player| player.id == players[0].id));
    assert_eq!(server.ledger(&players[0], 10).await.len(), 1);
}

#[tokio::test]
async fn new_players_have_the_first_coins() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let user = server.user(&player).await;
    assert_eq!((&user["coins"], &user["best_score"], &user["items"]), (&json!(1000), &json!(null), &json!([])));
}

#[tokio::test]
async fn nobody_acts_as_somebody_else() {
    let server = Server::start().await;
    let (one, two) = (server.player("1").await, server.player("2").await);
    for path in ["", "/rank", "/ledger"] {
        server.get(&format!("/v1/users/{}{path}", two.id), &one.token).await.problem(403, "forbidden");
        server.get(&format!("/v1/users/{}{path}", two.id), "").await.problem(401, "unauthenticated");
        server.get(&format!("/v1/users/{}{path}", two.id), "x.y.z").await.problem(401, "unauthenticated");
    }
    let score = json!({ "score": 1, "run_id": "r" });
    server.post(&format!("/v1/users/{}/scores", two.id), &one.token, score).await.problem(403, "forbidden");
    let item = json!({ "item_id": "101", "expected_price": 100 });
    server.post(&format!("/v1/users/{}/items", two.id), &one.token, item).await.problem(403, "forbidden");
    for path in ["/v1/leaderboard", "/v1/leaderboards/main", "/v1/catalog"] {
        server.get(path, "").await.problem(401, "unauthenticated");
    }
    assert_eq!(server.user(&two).await["coins"], 1000);
}

#[tokio::test]
async fn access_tokens_expire() {
    let server = Server::start().await;
    let player = server.player("d").await;
    server.clock.advance(SignedDuration::from_mins(61));
    let path = format!("/v1/users/{}", player.id);
    let answer = server.get(&path, &player.token).await;
    assert_eq!(answer.headers.get("www-authenticate").expect("a challenge"), "Bearer");
    answer.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let refresh = |token: &str| {
        let body = json!({ "refresh_token": token });
        let server = &server;
        async move { server.post("/v1/sessions/refresh", "", body).await }
    };
    let second = refresh(&player.refresh).await.expect(200);
    assert_eq!(second["user_id"], player.id);
    let third = refresh(second["refresh_token"].as_str().expect("text")).await.expect(200);
    refresh("nonsense").await.problem(401, "wrong-refresh-token");
    // A token from two exchanges ago was copied: the session ends, for whoever has the newest one too.
    refresh(&player.refresh).await.problem(401, "wrong-refresh-token");
    refresh(third["refresh_token"].as_str().expect("text")).await.problem(401, "wrong-refresh-token");
}

#[tokio::test]
async fn an_answer_lost_on_its_way_does_not_lock_out_but_a_stolen_token_ends_the_session() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let refresh = |token: String| {
        let server = &server;
        async move { server.post("/v1/sessions/refresh", "", json!({ "refresh_token": token })).await }
    };
    refresh(player.refresh.clone()).await.expect(200);
    // Twice more, and at once: a bad network.
    let (again, twice) = tokio::join!(refresh(player.refresh.clone()), refresh(player.refresh.clone()));
    let (again, twice) = (again.expect(200), twice.expect(200));
    assert_eq!(again["refresh_token"], twice["refresh_token"]);
    let current = again["refresh_token"].as_str().expect("text").to_owned();
    let next = refresh(current.clone()).await.expect(200);
    server.clock.advance(SignedDuration::from_mins(5));
    refresh(current).await.problem(401, "wrong-refresh-token");
    let newest = next["refresh_token"].as_str().expect("text").to_owned();
    refresh(newest).await.problem(401, "wrong-refresh-token");
}

#[tokio::test]
async fn refresh_tokens_expire_and_expired_sessions_are_removed() {
    let server = Server::start().await;
    let player = server.player("d").await;
    server.clock.advance(SignedDuration::from_hours(24 * 91));
    let body = json!({ "refresh_token": player.refresh });
    server.post("/v1/sessions/refresh", "", body).await.problem(401, "wrong-refresh-token");
    let now = server.app.game.world.now();
    let gone = server.app.game.stores.ledger.purge(now, now, 10).await.expect("purged");
    assert_eq!(gone, 1);
}

#[tokio::test]
async fn a_token_of_a_player_who_is_not_there_is_404() {
    let server = Server::start().await;
    let ghost = crate::store::PlayerId::parse("01GHOST").expect("an id");
    let token = server.app.game.tokens.issue(&ghost, server.app.game.world.now());
    server.get("/v1/users/01GHOST", &token).await.problem(404, "unknown-player");
    server.get("/v1/users/01GHOST/rank", &token).await.problem(404, "unknown-player");
    server.get("/v1/users/01GHOST/ledger", &token).await.problem(404, "unknown-player");
    let score = json!({ "score": 1, "run_id": "r" });
    server.post("/v1/users/01GHOST/scores", &token, score).await.problem(404, "unknown-player");
    let player = super::harness::Player { id: "01GHOST".to_owned(), token, refresh: String::new() };
    let item = json!({ "item_id": "101", "expected_price": 100 });
    server.buy(&player, "k", item).await.problem(404, "unknown-player");
    let events = json!({ "events": [{ "name": "seen", "at": server.app.game.world.now() }] });
    server.post("/v1/events", &player.token, events).await.problem(404, "unknown-player");
    server.grant("01GHOST", "k", 1).await.problem(404, "unknown-player");
}
