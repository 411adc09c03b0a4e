use serde_json::{Value, json};

use super::harness::{Player, Server};

async fn post(server: &Server, player: &Player, body: Value) -> super::harness::Answer {
    server.post(&format!("/v1/users/{}/scores", player.id), &player.token, body).await
}

async fn rank(server: &Server, player: &Player) -> Value {
    server.get(&format!("/v1/users/{}/rank", player.id), &player.token).await.expect(200)
}

#[tokio::test]
async fn the_winner_is_rank_1_and_the_best_score_counts() {
    let server = Server::start().await;
    let (one, two) = (server.player("1").await, server.player("2").await);
    server.score(&one, 50, "a").await;
    let winner = server.score(&two, 80, "a").await;
    assert_eq!(
        (&winner["rank"], &winner["previous_best"], &winner["improved"]),
        (&json!(1), &json!(null), &json!(true))
    );
    let worse = server.score(&two, 10, "b").await;
    assert_eq!(worse["improved"], false);
    assert_eq!((&worse["best"], &worse["previous_best"], &worse["rank"]), (&json!(80), &json!(80), &json!(1)));
    assert_eq!(rank(&server, &one).await["rank"], 2);
    let overtakes = server.score(&one, 90, "b").await;
    assert_eq!((&overtakes["rank"], &overtakes["previous_best"]), (&json!(1), &json!(50)));
    assert_eq!(rank(&server, &two).await["rank"], 2);
    assert_eq!(server.user(&one).await["best_score"], 90);
}

#[tokio::test]
async fn equal_scores_rank_by_who_was_first() {
    let server = Server::start().await;
    let mut players = Vec::new();
    for n in 0..5 {
        players.push(server.player(&format!("{n}")).await);
    }
    for player in players.iter().rev() {
        server.score(player, 7, "r").await;
    }
    // Reaching it again does not change when it was reached first.
    server.score(&players[0], 7, "again").await;
    let board = server.get("/v1/leaderboard", &players[0].token).await.expect(200);
    let order: Vec<_> = board["entries"].as_array().expect("entries").iter().map(|e| e["user_id"].clone()).collect();
    let expected: Vec<_> = players.iter().rev().map(|player| json!(player.id)).collect();
    assert_eq!(order, expected);
}

#[tokio::test]
async fn a_run_counts_once() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let total = |score: i64, run: &str| json!({ "score": score, "run_id": run, "board": "total" });
    let first = post(&server, &player, total(5, "a")).await.expect(200);
    let second = post(&server, &player, total(3, "b")).await.expect(200);
    assert_eq!((&first["best"], &second["best"], &second["previous_best"]), (&json!(5), &json!(8), &json!(5)));
    let repeat = post(&server, &player, total(5, "a")).await.expect(200);
    assert_eq!(repeat, first);
    post(&server, &player, total(6, "a")).await.problem(422, "run-id-reused");
    let elsewhere = json!({ "score": 5, "run_id": "a" });
    post(&server, &player, elsewhere).await.problem(422, "run-id-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_once_leave_the_best_and_the_sum() {
    let server = Server::start().await;
    let player = server.player("d").await;
    let runs = (1..=30).map(|n| {
        let (server, player) = (&server, &player);
        async move {
            server.score(player, n, &format!("best{n}")).await;
            let run = json!({ "score": n, "run_id": format!("sum{n}"), "board": "total" });
            post(server, player, run).await.expect(200);
        }
    });
    futures::future::join_all(runs).await;
    assert_eq!(server.user(&player).await["best_score"], 30);
    let path = format!("/v1/users/{}/rank?board=total", player.id);
    assert_eq!(server.get(&path, &player.token).await.expect(200)["score"], 465);
}

#[tokio::test]
async fn scores_of_the_whole_range_are_exact() {
    let server = Server::start().await;
    let scores = [i64::MIN, -1, 0, 1 << 53, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
    let mut players = Vec::new();
    for score in scores {
        let player = server.player(&score.to_string()).await;
        server.score(&player, score, "r").await;
        players.push(player);
    }
    let board = server.get("/v1/leaderboard", &players[0].token).await.expect(200);
    let got: Vec<_> = board["entries"].as_array().expect("entries").iter().map(|e| e["score"].as_i64()).collect();
    assert_eq!(got, scores.iter().rev().map(|score| Some(*score)).collect::<Vec<_>>());
    for wrong in [json!(1.5), json!("1"), json!(null), json!(1e30)] {
        let body = json!({ "score": wrong, "run_id": "w" });
        post(&server, &players[0], body).await.problem(422, "invalid-request");
    }
}

#[tokio::test]
async fn lower_is_better_where_the_board_says_so() {
    let server = Server::start().await;
    let (one, two) = (server.player("1").await, server.player("2").await);
    post(&server, &one, json!({ "score": 61, "run_id": "a", "board": "laps" })).await.expect(200);
    let fast = post(&server, &two, json!({ "score": 59, "run_id": "a", "board": "laps" })).await.expect(200);
    assert_eq!(fast["rank"], 1);
    let order = async |path: &str| server.get(path, &one.token).await.expect(200)["order"].clone();
    assert_eq!(order("/v1/leaderboards/laps").await, "ascending");
    assert_eq!(order(&format!("/v1/leaderboards/laps/around/{}", one.id)).await, "ascending");
    assert_eq!(order("/v1/leaderboard").await, "descending");
    let slow = post(&server, &two, json!({ "score": 70, "run_id": "b", "board": "laps" })).await.expect(200);
    assert_eq!((&slow["best"], &slow["improved"]), (&json!(59), &json!(false)));
    // Boards do not mix.
    server.get(&format!("/v1/users/{}/rank", one.id), &one.token).await.problem(404, "not-ranked");
    post(&server, &one, json!({ "score": 1, "run_id": "c", "board": "none" }))
        .await
        .problem(404, "unknown-leaderboard");
}

async fn pages(server: &Server, token: &str, limit: u32) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/v1/leaderboards/main?limit={limit}{cursor}"), token).await.expect(200);
        let found = page["entries"].as_array().expect("entries");
        assert!(found.len() <= limit as usize);
        entries.extend(found.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return entries,
        }
    }
}

#[tokio::test]
async fn pages_join_into_the_board() {
    let server = Server::start().await;
    let mut last = None;
    for n in 0..23 {
        let player = server.player(&format!("{n}")).await;
        server.score(&player, i64::from(n % 5), "r").await;
        last = Some(player);
    }
    let token = last.expect("a player").token;
    let whole = pages(&server, &token, 200).await;
    let ranks: Vec<_> = whole.iter().map(|entry| entry["rank"].as_u64().expect("a rank")).collect();
    assert_eq!(ranks, (1..=23).collect::<Vec<_>>());
    for limit in [1, 2, 7, 22, 23] {
        assert_eq!(pages(&server, &token, limit).await, whole, "limit {limit}");
    }
    for limit in ["0", "201"] {
        server.get(&format!("/v1/leaderboard?limit={limit}"), &token).await.problem(422, "invalid-request");
    }
    server.get("/v1/leaderboard?limit=x", &token).await.problem(400, "malformed-request");
    server.get("/v1/leaderboard?cursor=AAAA", &token).await.problem(400, "wrong-cursor");
    server.get("/v1/leaderboard?season=old", &token).await.problem(404, "unknown-leaderboard");
}

#[tokio::test]
async fn a_cursor_outlives_the_line_it_stands_on() {
    let server = Server::start().await;
    let mut players = Vec::new();
    for n in 0..4 {
        let player = server.player(&format!("{n}")).await;
        server.score(&player, 10 - n, "r").await;
        players.push(player);
    }
    let token = &players[0].token;
    let page = server.get("/v1/leaderboard?limit=2", token).await.expect(200);
    server.score(&players[1], 100, "up").await;
    let cursor = page["next_cursor"].as_str().expect("more");
    let next = server.get(&format!("/v1/leaderboard?limit=2&cursor={cursor}"), token).await.expect(200);
    let got: Vec<_> = next["entries"].as_array().expect("entries").iter().map(|e| e["user_id"].clone()).collect();
    assert_eq!(got, [json!(players[2].id), json!(players[3].id)]);
}

#[tokio::test]
async fn neighbours_and_friends() {
    let server = Server::start().await;
    let mut players = Vec::new();
    for n in 0..9 {
        let player = server.player(&format!("{n}")).await;
        server.score(&player, 100 - n, "r").await;
        players.push(player);
    }
    let token = &players[0].token;
    let around = |n: usize, radius: u32| {
        let path = format!("/v1/leaderboards/main/around/{}?radius={radius}", players[n].id);
        let server = &server;
        async move {
            let board = server.get(&path, token).await.expect(200);
            board["entries"]
                .as_array()
                .expect("entries")
                .iter()
                .map(|e| e["rank"].as_u64().expect("rank"))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(around(4, 2).await, [3, 4, 5, 6, 7]);
    assert_eq!(around(0, 2).await, [1, 2, 3]);
    assert_eq!(around(8, 1).await, [8, 9]);
    assert_eq!(around(3, 0).await, [4]);
    server.get("/v1/leaderboards/main/around/nobody", token).await.problem(404, "unknown-player");
    let newcomer = server.player("new").await;
    server.get(&format!("/v1/leaderboards/main/around/{}", newcomer.id), token).await.problem(404, "not-ranked");
    let friends = json!({ "user_ids": [players[7].id, newcomer.id, players[2].id, "nobody", "!"] });
    let board = server.post("/v1/leaderboards/main/friends", token, friends).await.expect(200);
    let ranks: Vec<_> = board["entries"].as_array().expect("entries").iter().map(|e| e["rank"].clone()).collect();
    assert_eq!(ranks, [json!(3), json!(8)]);
    let crowd = json!({ "user_ids": vec!["a"; 201] });
    server.post("/v1/leaderboards/main/friends", token, crowd).await.problem(422, "invalid-request");
}
