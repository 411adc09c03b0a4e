use std::sync::atomic::Ordering;

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::harness::{OPERATOR, Player, Server};
use crate::domain::relay::Relay;

async fn send(server: &Server, player: &Player, key: Option<&str>, events: Vec<Value>) -> super::harness::Answer {
    let body = json!({ "events": events });
    server.call(Method::POST, "/v1/events", &player.token, key, Some(body)).await
}

fn tap(server: &Server, n: usize) -> Value {
    json!({ "name": "tap", "at": server.app.game.world.now().to_string(), "properties": { "n": n } })
}

/// The player's taps in the log.
async fn taps(server: &Server, player: &Player) -> Vec<Value> {
    let path = format!("/admin/v1/events?user_id={}&limit=1000", player.id);
    let page = server.get(&path, OPERATOR).await.expect(200);
    page["events"].as_array().expect("events").iter().filter(|event| event["name"] == "tap").cloned().collect()
}

/// Rounds until nothing is due.
async fn carry(server: &Server, relay: &mut Relay) {
    for _ in 0..100 {
        if relay.round().await.expect("the outbox").claimed == 0 {
            return;
        }
    }
    panic!("{} events are still there", server.app.game.stores.ledger.outbox_backlog().await.expect("read").0);
}

#[tokio::test]
async fn forty_four_events_of_one_second_are_forty_four_items() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let one = tap(&server, 0);
    let accepted = send(&server, &player, None, vec![one; 44]).await.expect(202);
    assert_eq!(accepted["accepted"], 44);
    carry(&server, &mut Relay::new(server.app.game.clone())).await;
    assert_eq!(taps(&server, &player).await.len(), 44);
}

#[tokio::test]
async fn what_players_do_is_in_the_log() {
    let server = Server::start().await;
    let player = server.player("d").await;
    server.score(&player, 5, "r").await;
    server.score(&player, 5, "r").await;
    let item = json!({ "item_id": "101", "expected_price": 100 });
    server.buy(&player, "k", item.clone()).await.expect(201);
    server.buy(&player, "k", item).await.expect(201);
    server.grant(&player.id, "g", 10).await.expect(201);
    carry(&server, &mut Relay::new(server.app.game.clone())).await;
    let page = server.get(&format!("/admin/v1/events?user_id={}", player.id), OPERATOR).await.expect(200);
    let events = page["events"].as_array().expect("events");
    let mut names: Vec<_> = events.iter().map(|event| event["name"].as_str().expect("a name")).collect();
    names.sort_unstable();
    assert_eq!(names, ["game.account_created", "game.grant", "game.purchase", "game.score"]);
}

#[tokio::test]
async fn nothing_is_lost_while_the_log_is_away() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let mut relay = Relay::new(server.app.game.clone());
    server.log.away.store(true, Ordering::SeqCst);
    for n in 0..5 {
        send(&server, &player, None, (0..50).map(|i| tap(&server, n * 50 + i)).collect()).await.expect(202);
        relay.round().await.expect("the outbox");
        server.clock.advance(SignedDuration::from_secs(40));
    }
    assert!(taps(&server, &player).await.is_empty());
    server.log.away.store(false, Ordering::SeqCst);
    carry(&server, &mut relay).await;
    assert_eq!(taps(&server, &player).await.len(), 250);
    assert_eq!(server.app.game.stores.ledger.outbox_backlog().await.expect("read").0, 0);
}

/// An hour by the clock: players go on as if nothing were, the log is not pestered, and in the end it has all, once.
#[tokio::test]
async fn an_hour_without_the_log_loses_nothing_and_stops_nobody() {
    let server = Server::start().await;
    let player = server.player("d").await;
    server.grant(&player.id, "g", 10_000).await.expect(201);
    let mut relay = Relay::new(server.app.game.clone());
    server.log.away.store(true, Ordering::SeqCst);
    for minute in 0..60_usize {
        let item = json!({ "item_id": "101", "expected_price": 100 });
        server.buy(&player, &format!("k{minute}"), item).await.expect(201);
        server.score(&player, i64::try_from(minute).expect("small"), &format!("r{minute}")).await;
        send(&server, &player, None, vec![tap(&server, minute)]).await.expect(202);
        for _ in 0..2 {
            relay.round().await.expect("the outbox");
            server.clock.advance(SignedDuration::from_secs(29));
        }
    }
    let asked = server.log.calls.load(Ordering::SeqCst);
    assert!(asked <= 120, "asked {asked} times");
    let waiting = server.app.game.stores.ledger.outbox_backlog().await.expect("read").0;
    assert_eq!(waiting, 1 + 1 + 3 * 60, "account, grant, and what the player did");
    server.log.away.store(false, Ordering::SeqCst);
    server.clock.advance(SignedDuration::from_mins(1));
    carry(&server, &mut relay).await;
    let path = format!("/admin/v1/events?user_id={}&limit=1000", player.id);
    let mut logged = 0;
    for day in [server.app.game.world.now(), server.app.game.world.now() - SignedDuration::from_hours(2)]
        .map(crate::store::day_of)
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>()
    {
        let page = server.get(&format!("{path}&day={day}"), OPERATOR).await.expect(200);
        logged += page["events"].as_array().expect("events").len();
    }
    assert_eq!(logged as u64, waiting);
}

#[tokio::test]
async fn nothing_is_doubled_when_the_answer_of_the_log_is_lost() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let mut relay = Relay::new(server.app.game.clone());
    send(&server, &player, None, (0..30).map(|n| tap(&server, n)).collect()).await.expect(202);
    server.log.answer_lost.store(true, Ordering::SeqCst);
    let round = relay.round().await.expect("the outbox");
    assert_eq!(round.left(), round.claimed);
    server.log.answer_lost.store(false, Ordering::SeqCst);
    server.clock.advance(SignedDuration::from_mins(1));
    carry(&server, &mut relay).await;
    assert_eq!(taps(&server, &player).await.len(), 30);
}

#[tokio::test]
async fn the_rest_of_a_batch_that_was_taken_in_part_follows() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let mut relay = Relay::new(server.app.game.clone());
    send(&server, &player, None, (0..30).map(|n| tap(&server, n)).collect()).await.expect(202);
    server.log.partial.store(true, Ordering::SeqCst);
    let round = relay.round().await.expect("the outbox");
    assert!(round.written > 0 && round.left() > 0);
    server.log.partial.store(false, Ordering::SeqCst);
    server.clock.advance(SignedDuration::from_mins(1));
    carry(&server, &mut relay).await;
    assert_eq!(taps(&server, &player).await.len(), 30);
}

#[tokio::test]
async fn a_killed_relays_events_are_another_ones_after_the_lease_and_not_before() {
    let server = Server::start().await;
    let player = server.player("d").await;
    send(&server, &player, None, vec![tap(&server, 0)]).await.expect(202);
    let ledger = &server.app.game.stores.ledger;
    let now = server.app.game.world.now();
    let claimed = ledger.claim_events("killed", now, now + SignedDuration::from_secs(30), 100).await.expect("claimed");
    assert_eq!(claimed.len(), 2);
    let mut relay = Relay::new(server.app.game.clone());
    assert_eq!(relay.round().await.expect("the outbox").claimed, 0);
    server.clock.advance(SignedDuration::from_secs(31));
    carry(&server, &mut relay).await;
    assert_eq!(taps(&server, &player).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_relays_share_the_work() {
    let server = Server::start().await;
    let player = server.player("d").await;
    for n in 0..10 {
        send(&server, &player, None, (0..100).map(|i| tap(&server, n * 100 + i)).collect()).await.expect(202);
    }
    let relays = (0..4).map(|_| Relay::new(server.app.game.clone()));
    let carried = futures::future::join_all(relays.map(|mut relay| async move {
        let mut written = 0;
        loop {
            let round = relay.round().await.expect("the outbox");
            if round.claimed == 0 {
                return written;
            }
            written += round.written;
        }
    }))
    .await;
    // Each event once (1,000 taps and the account's own), so no two relays had the same one.
    assert_eq!(carried.iter().sum::<usize>(), 1001);
}

#[tokio::test]
async fn a_batch_with_a_key_is_logged_once() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let batch: Vec<Value> = (0..3).map(|n| tap(&server, n)).collect();
    let mut relay = Relay::new(server.app.game.clone());
    send(&server, &player, Some("k"), batch.clone()).await.expect(202);
    send(&server, &player, Some("k"), batch.clone()).await.expect(202);
    carry(&server, &mut relay).await;
    send(&server, &player, Some("k"), batch).await.expect(202);
    carry(&server, &mut relay).await;
    assert_eq!(taps(&server, &player).await.len(), 3);
}

#[tokio::test]
async fn one_bad_event_takes_none() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let big = json!({ "name": "tap", "at": server.app.game.world.now().to_string(), "properties": { "x": "y".repeat(5000) } });
    let problem = send(&server, &player, None, vec![tap(&server, 0), big]).await.problem(422, "invalid-request");
    assert_eq!(problem["errors"][0]["field"], "events.properties");
    send(&server, &player, None, Vec::new()).await.problem(422, "invalid-request");
    send(&server, &player, None, vec![json!({ "name": "game.purchase", "at": "2026-01-01T00:00:00Z" })])
        .await
        .problem(422, "invalid-request");
    carry(&server, &mut Relay::new(server.app.game.clone())).await;
    assert!(taps(&server, &player).await.is_empty());
}
