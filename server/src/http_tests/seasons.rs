use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::harness::{Player, Server};
use crate::{
    domain::{
        Definition,
        board::{Board, Boards, Rule, Seasons},
        reconcile::Reconciler,
        season::{SeasonKeeper, Settled},
    },
    store::{Order, Reward, Rewards},
};

/// Its seasons are shorter than an access token lives.
fn half_hours() -> Board {
    Board {
        rule: Rule::Sum,
        seasons: Seasons::Cron(Box::new("*/30 * * * *".parse().expect("a pattern"))),
        rewards: Rewards(vec![Reward { first: 1, last: 1, coins: 500 }, Reward { first: 2, last: 2, coins: 100 }]),
        ..Board::named("rounds")
    }
}

async fn start(others: Vec<Board>) -> Server {
    let server = Server::start().await;
    let catalogue = server.app.game.definition().catalogue.clone();
    server.app.game.redefine(Definition { boards: Boards::new(half_hours(), others), catalogue });
    Reconciler::new(server.app.game.clone()).round().await.expect("builds the boards");
    server
}

async fn run(server: &Server, player: &Player, score: i64, run: &str) -> Value {
    let path = format!("/v1/users/{}/scores", player.id);
    server.post(&path, &player.token, json!({ "score": score, "run_id": run })).await.expect(200)
}

/// To the first moment of the next season.
fn next_season(server: &Server) {
    let game = &server.app.game;
    let now = game.world.now();
    let ends = half_hours().seasons.at(now).ends.expect("it ends");
    server.clock.advance(ends.duration_since(now) + SignedDuration::from_secs(1));
}

async fn settle(server: &Server) -> Settled {
    SeasonKeeper::new(server.app.game.clone()).round().await.expect("settles")
}

#[tokio::test]
async fn a_season_that_has_ended_keeps_its_order_when_its_boards_is_changed() {
    let server = start(Vec::new()).await;
    let (first, second) = (server.player("1").await, server.player("2").await);
    run(&server, &first, 9, "a").await;
    run(&server, &second, 5, "a").await;
    let season = server.get("/v1/leaderboard", &first.token).await.expect(200)["season"].clone();
    next_season(&server);
    settle(&server).await;
    let game = &server.app.game;
    let catalogue = game.definition().catalogue.clone();
    let turned = Board { order: Order::Ascending, ..half_hours() };
    game.redefine(Definition { boards: Boards::new(turned, Vec::new()), catalogue });
    let path = format!("/v1/leaderboard?season={}", season.as_str().expect("a season"));
    let ended = server.get(&path, &first.token).await.expect(200);
    assert_eq!((&ended["order"], &ended["entries"][0]["user_id"]), (&json!("descending"), &json!(first.id)));
    assert_eq!(server.get("/v1/leaderboard", &first.token).await.expect(200)["order"], "ascending");
}

#[tokio::test]
async fn a_season_ends_its_board_stays_and_its_rewards_are_paid_once() {
    let server = start(Vec::new()).await;
    let mut players = Vec::new();
    for n in 0..5 {
        let player = server.player(&n.to_string()).await;
        run(&server, &player, n, "a").await;
        players.push(player);
    }
    let token = &players[0].token;
    let before = server.get("/v1/leaderboard?limit=2", token).await.expect(200);
    let season = before["season"].as_str().expect("a season").to_owned();
    let cursor = before["next_cursor"].as_str().expect("there is more").to_owned();
    assert_eq!(settle(&server).await, Settled::default(), "it has not ended");
    next_season(&server);
    // It has ended and is not settled: its board is there, and may not be the last word.
    let path = format!("/v1/leaderboard?season={season}");
    let ended = server.get(&path, token).await.expect(200);
    assert_eq!((&ended["total"], &ended["stale"]), (&json!(5), &json!(true)));
    assert_eq!(settle(&server).await, Settled { players: 5, paid: 2 });
    assert_eq!(settle(&server).await, Settled::default());
    let mut settled = server.get(&path, token).await.expect(200);
    assert_eq!(settled["stale"], false);
    settled["stale"] = json!(true);
    assert_eq!(settled, ended);
    for (player, coins, lines) in [(&players[4], 1500, 2), (&players[3], 1100, 2), (&players[2], 1000, 1)] {
        let ledger = server.ledger(player, 10).await;
        assert_eq!((&server.user(player).await["coins"], ledger.len()), (&json!(coins), lines));
    }
    assert_eq!(server.ledger(&players[4], 1).await[0]["reason"], "season_reward");
    // The running season has nobody yet; a cursor of the last one is told so, and goes on if the season is named.
    assert_eq!(server.get("/v1/leaderboard", token).await.expect(200)["total"], 0);
    server.get(&format!("/v1/leaderboard?limit=2&cursor={cursor}"), token).await.problem(410, "season-ended");
    let page = server.get(&format!("{path}&limit=2&cursor={cursor}"), token).await.expect(200);
    assert_eq!((&page["entries"][0]["rank"], &page["entries"][0]["user_id"]), (&json!(3), &json!(players[2].id)));
    server.get("/v1/leaderboard?season=2020-01-01t00-00-00z", token).await.problem(404, "unknown-leaderboard");
}

#[tokio::test]
async fn every_read_of_a_past_season_agrees() {
    let server = start(Vec::new()).await;
    let mut players = Vec::new();
    for n in 0..9 {
        let player = server.player(&n.to_string()).await;
        run(&server, &player, n / 2, "a").await;
        players.push(player);
    }
    let token = &players[0].token;
    let season = server.get("/v1/leaderboard", token).await.expect(200)["season"].as_str().expect("text").to_owned();
    let ids: Vec<_> = players.iter().step_by(2).map(|player| player.id.clone()).chain(["nobody".to_owned()]).collect();
    let body = json!({ "user_ids": ids });
    let mut told: Vec<Vec<Value>> = Vec::new();
    for round in 0..3 {
        // Live, ended, settled.
        match round {
            1 => next_season(&server),
            2 => assert_eq!(settle(&server).await.players, 9),
            _ => {}
        }
        let mut answers = vec![
            server.get(&format!("/v1/leaderboards/rounds?season={season}"), token).await.expect(200),
            server.get(&format!("/v1/users/{}/rank?season={season}", players[0].id), token).await.expect(200),
        ];
        for player in &players {
            let path = format!("/v1/leaderboards/rounds/around/{}?radius=2&season={season}", player.id);
            answers.push(server.get(&path, token).await.expect(200));
        }
        for path in ["friends", "players"] {
            let path = format!("/v1/leaderboards/rounds/{path}?season={season}");
            answers.push(server.post(&path, token, body.clone()).await.expect(200));
        }
        let asked = answers.last().expect("there")["players"].as_array().expect("players").clone();
        assert_eq!(asked.iter().map(|line| line["user_id"].as_str().expect("text")).collect::<Vec<_>>(), ids);
        assert_eq!(asked.last().expect("there")["rank"], json!(null));
        for answer in &mut answers {
            assert_eq!(answer["stale"], round == 1);
            answer["stale"] = json!(null);
        }
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

#[tokio::test]
async fn a_run_is_answered_as_the_first_time_after_its_season() {
    let server = start(Vec::new()).await;
    let player = server.player("1").await;
    let first = run(&server, &player, 7, "a").await;
    next_season(&server);
    for round in 0..2 {
        let repeat = run(&server, &player, 7, "a").await;
        for field in ["best", "previous_best", "improved", "season", "achieved_at"] {
            assert_eq!(repeat[field], first[field], "{field}");
        }
        let path = format!("/v1/users/{}/scores", player.id);
        let other = json!({ "score": 8, "run_id": "a" });
        server.post(&path, &player.token, other).await.problem(422, "run-id-reused");
        assert_eq!(settle(&server).await.players, u64::from(round == 0));
    }
    let next = run(&server, &player, 2, "b").await;
    assert_eq!((&next["best"], &next["previous_best"]), (&json!(2), &json!(null)), "sums begin anew");
    assert_ne!(next["season"], first["season"]);
}

#[tokio::test]
async fn a_board_whose_only_season_has_ended_takes_no_score_until_its_end_is_moved() {
    let cup = |ends: Timestamp| Board {
        seasons: Seasons::Until { name: "final".to_owned(), ends },
        rewards: Rewards(vec![Reward { first: 1, last: 1, coins: 5 }]),
        ..Board::named("cup")
    };
    let now = Timestamp::now();
    let server = start(vec![cup(now + SignedDuration::from_mins(10))]).await;
    let player = server.player("1").await;
    let path = format!("/v1/users/{}/scores", player.id);
    let score = |run: &str| json!({ "score": 5, "run_id": run, "board": "cup" });
    let first = server.post(&path, &player.token, score("a")).await.expect(200);
    server.clock.advance(SignedDuration::from_mins(20));
    server.post(&path, &player.token, score("b")).await.problem(409, "season-over");
    assert_eq!(server.post(&path, &player.token, score("a")).await.expect(200)["best"], first["best"]);
    // Not settled yet: the end can be moved.
    let catalogue = server.app.game.definition().catalogue.clone();
    let boards = Boards::new(half_hours(), vec![cup(now + SignedDuration::from_mins(30))]);
    server.app.game.redefine(Definition { boards, catalogue });
    assert_eq!(settle(&server).await, Settled::default());
    server.post(&path, &player.token, score("b")).await.expect(200);
    server.clock.advance(SignedDuration::from_mins(15));
    assert_eq!(settle(&server).await, Settled { players: 1, paid: 1 });
    server.post(&path, &player.token, score("c")).await.problem(409, "season-over");
    let board = server.get("/v1/leaderboards/cup", &player.token).await.expect(200);
    assert_eq!((&board["total"], &board["season"], &board["stale"]), (&json!(1), &json!("final"), &json!(false)));
}
