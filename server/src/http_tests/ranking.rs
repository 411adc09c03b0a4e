use std::sync::{Arc, atomic::Ordering};

use serde_json::json;

use super::harness::Server;
use crate::{config::Limits, domain::reconcile::Reconciler, domain::shop::Catalogue};

#[tokio::test]
async fn a_score_is_recorded_while_the_ranking_is_away_and_ranked_when_it_is_back() {
    let server = Server::start().await;
    let (one, two) = (server.player("1").await, server.player("2").await);
    let mut reconciler = Reconciler::new(server.app.game.clone());
    reconciler.round().await.expect("a round");
    server.score(&one, 10, "a").await;
    server.ranking.away.store(true, Ordering::SeqCst);
    let answer = server.score(&two, 20, "a").await;
    assert_eq!((&answer["best"], &answer["rank"]), (&json!(20), &json!(null)));
    let board = server.get("/v1/leaderboard", &one.token).await.expect(200);
    assert_eq!((&board["entries"][0]["user_id"], &board["stale"]), (&json!(two.id), &json!(true)));
    assert!(reconciler.round().await.is_err());
    server.ranking.away.store(false, Ordering::SeqCst);
    reconciler.round().await.expect("a round");
    let board = server.get("/v1/leaderboard", &one.token).await.expect(200);
    assert_eq!((&board["total"], &board["entries"][0]["user_id"]), (&json!(2), &json!(two.id)));
    assert_eq!(board["stale"], false);
}

#[tokio::test]
async fn one_process_reconciles_for_all_unless_another_has_reason_to_doubt() {
    let server = Server::start().await;
    let player = server.player("1").await;
    server.score(&player, 10, "a").await;
    let mut reconciler = Reconciler::new(server.app.game.clone());
    assert_eq!(reconciler.round().await.expect("a round"), 1, "applied again");
    server.ranking.other_leads.store(true, Ordering::SeqCst);
    assert_eq!(reconciler.round().await.expect("a round"), 0);
    server.app.game.doubt_ranking();
    assert_eq!(reconciler.round().await.expect("a round"), 1);
    assert_eq!(reconciler.round().await.expect("a round"), 0);
    // The other one is silent: what it may have missed meanwhile is not left out.
    server.clock.advance(jiff::SignedDuration::from_mins(1));
    reconciler.round().await.expect("a round");
    server.ranking.other_leads.store(false, Ordering::SeqCst);
    assert_eq!(reconciler.round().await.expect("a round"), 1);
}

#[tokio::test]
async fn an_empty_ranking_is_stale_until_it_is_built_from_the_ledger() {
    let server = Server::start().await;
    let mut players = Vec::new();
    for n in 0..10 {
        let player = server.player(&format!("{n}")).await;
        server.score(&player, n, "r").await;
        players.push(player);
    }
    // A new process has an empty ranking.
    let later = Server::over(server.directory.clone(), Catalogue::starter(), Limits::default()).await;
    let before = later.get("/v1/leaderboard", &players[0].token).await.expect(200);
    assert_eq!((&before["stale"], &before["total"]), (&json!(true), &json!(10)));
    Reconciler::new(later.app.game.clone()).round().await.expect("a round");
    let after = later.get("/v1/leaderboard", &players[0].token).await.expect(200);
    let expected = server.get("/v1/leaderboard", &players[0].token).await.expect(200);
    assert_eq!(after["entries"], expected["entries"]);
    assert_eq!(after["stale"], false);
}

/// An answer without what may differ while the ranking is away.
fn told(mut answer: serde_json::Value) -> serde_json::Value {
    let fields = answer.as_object_mut().expect("an object");
    fields.remove("stale");
    answer
}

#[tokio::test]
async fn the_database_ranks_as_the_ranking_does() {
    let server = Server::start().await;
    let mut players = Vec::new();
    for n in 0..12 {
        let player = server.player(&format!("{n}")).await;
        for board in ["main", "laps"] {
            let run = json!({ "score": n % 5 - 2, "run_id": board, "board": board });
            server.post(&format!("/v1/users/{}/scores", player.id), &player.token, run).await.expect(200);
        }
        players.push(player);
    }
    let token = &players[0].token;
    let friends = json!({ "user_ids": players.iter().step_by(3).map(|player| &player.id).collect::<Vec<_>>() });
    for board in ["main", "laps"] {
        let first = format!("/v1/leaderboards/{board}?limit=5");
        let mut paths = vec![first.clone()];
        let page = server.get(&first, token).await.expect(200);
        paths.push(format!("{first}&cursor={}", page["next_cursor"].as_str().expect("there is more")));
        for player in &players {
            paths.push(format!("/v1/leaderboards/{board}/around/{}?radius=2", player.id));
        }
        let rank = format!("/v1/users/{}/rank?board={board}", players[0].id);
        paths.push(rank);
        for path in paths {
            let ranked = server.get(&path, token).await.expect(200);
            server.ranking.away.store(true, Ordering::SeqCst);
            let stale = server.get(&path, token).await.expect(200);
            server.ranking.away.store(false, Ordering::SeqCst);
            assert_eq!((&ranked["stale"], &stale["stale"]), (&json!(false), &json!(true)), "{path}");
            assert_eq!(told(ranked), told(stale), "{path}");
        }
        let path = format!("/v1/leaderboards/{board}/friends");
        let ranked = server.post(&path, token, friends.clone()).await.expect(200);
        server.ranking.away.store(true, Ordering::SeqCst);
        let stale = server.post(&path, token, friends.clone()).await.expect(200);
        server.ranking.away.store(false, Ordering::SeqCst);
        assert_eq!(told(ranked), told(stale));
    }
}

#[tokio::test]
async fn old_versions_change_nothing() {
    let server = Server::start().await;
    let player = server.player("1").await;
    server.score(&player, 10, "a").await;
    let game = &server.app.game;
    let definition = game.definition();
    let board = definition.boards.default_board();
    let key = board.key(game.world.now());
    let id = crate::store::PlayerId::parse(&player.id).expect("an id");
    let old = game.stores.ledger.score(&id, &key).await.expect("read").expect("there");
    server.score(&player, 20, "b").await;
    game.stores.ranking.apply(&key, board.order, &[old]).await.expect("applied");
    let rank = server.get(&format!("/v1/users/{}/rank", player.id), &player.token).await.expect(200);
    assert_eq!(rank["score"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_for_a_rebuild_join_into_the_whole() {
    let server = Server::start().await;
    let server = Arc::new(server);
    let players: Vec<_> = futures::future::join_all((0..40).map(|n| {
        let server = server.clone();
        async move { server.player(&format!("{n}")).await }
    }))
    .await;
    for (n, player) in players.iter().enumerate() {
        server.score(player, i64::try_from(n).expect("small"), "r").await;
    }
    let game = &server.app.game;
    let key = game.definition().boards.default_board().key(game.world.now());
    let mut after = None;
    let mut seen = 0;
    loop {
        let rows = game.stores.ledger.all_scores(&key, after.as_ref(), 7).await.expect("rows");
        seen += rows.len();
        match rows.last() {
            Some(last) if rows.len() == 7 => after = Some(last.key.player.clone()),
            _ => break,
        }
    }
    assert_eq!(seen, 40);
    let mut cursor = None;
    let mut recent = 0;
    loop {
        let (rows, next) =
            game.stores.ledger.recent_scores(jiff::Timestamp::UNIX_EPOCH, cursor.as_ref(), 7).await.expect("rows");
        recent += rows.len();
        match next {
            Some(next) if rows.len() == 7 => cursor = Some(next),
            _ => break,
        }
    }
    assert_eq!(recent, 40);
}
