//! Two servers on one database, and a season that ends while both run and one of them is killed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Method;
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::ALONE;
use crate::client::{http_client, send};
use crate::cluster::Cluster;
use crate::harness::Address;
use crate::harness::samples::id;

const PLAYERS: usize = 40;
const METRICS_PORT: u16 = 9100;

/// Enters a player and posts its score; its id, and what authorizes it.
async fn plays(door: Address, number: usize) -> (String, String) {
    let http = http_client();
    let body = json!({ "device_id": format!("phone-{number}"), "device_secret": "0123456789abcdef".repeat(4) });
    let (_, session) = send(&http, door, Method::POST, "/v1/sessions", &[], body).await;
    let text = |name: &str| session[name].as_str().unwrap_or_else(|| panic!("no {name} in {session}")).to_owned();
    let (user, authorization) = (text("user_id"), format!("Bearer {}", text("access_token")));
    let body = json!({ "score": 1000 - number, "board": "cup", "run_id": id() });
    let path = format!("/v1/users/{user}/scores");
    let (status, answer) = send(&http, door, Method::POST, &path, &[("authorization", &authorization)], body).await;
    assert_eq!(status, 200, "{answer}");
    (user, authorization)
}

/// How many events this server has delivered to the log.
async fn delivered(door: Address) -> u64 {
    let uri = format!("http://{}:{METRICS_PORT}/metrics", door.host).parse().expect("a URI");
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http::<Body>();
    let answer = client.get(uri).await.expect("metrics");
    let text = answer.into_body().collect().await.expect("a body").to_bytes();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().find(|line| line.starts_with("outbox_delivered_total"));
    line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0) as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_season_that_ends_under_two_servers_is_archived_and_paid_once() {
    let _alone = ALONE.lock().await;
    let ends = Timestamp::now() + SignedDuration::from_secs(25);
    let boards = json!([{ "name": "main" }, {
        "name": "cup", "season": "winter", "ends": ends.to_string(),
        "rewards": [{ "ranks": [1, 1], "coins": 500 }, { "ranks": [2, 10], "coins": 100 }],
    }]);
    let (boards, port) = (boards.to_string(), METRICS_PORT.to_string());
    let mut cluster = Cluster::start_with(&[("GAME_BOARDS", &boards), ("GAME_METRICS_PORT", &port)]).await;
    let doors = cluster.doors();
    let (mut players, mut authorization) = (Vec::new(), String::new());
    for number in 0..PLAYERS {
        let (user, token) = plays(doors[number % 2], number).await;
        players.push(user);
        authorization = token;
    }
    assert!(Timestamp::now() < ends, "the machine is too slow: the season ended before everybody had played");
    let mut shares = [0; 2];
    let deadline = Instant::now() + Duration::from_secs(60);
    while shares.contains(&0) {
        assert!(Instant::now() < deadline, "one server does all of the relay's work: {shares:?}");
        // More to relay, through one door only: either server may take it.
        plays(doors[0], PLAYERS).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        shares = [delivered(doors[0]).await, delivered(doors[1]).await];
    }

    let until_the_end = SignedDuration::from_millis(ends.as_millisecond() - Timestamp::now().as_millisecond());
    tokio::time::sleep(until_the_end.unsigned_abs()).await;
    cluster.kill_server(0);
    cluster.start_server(0).await;
    let path = "/v1/leaderboards/cup?season=winter&limit=100";
    let (http, deadline) = (http_client(), Instant::now() + Duration::from_secs(90));
    let final_board = loop {
        let (_, board) =
            send(&http, doors[0], Method::GET, path, &[("authorization", &authorization)], Value::Null).await;
        if board["stale"] == false && board["season"] == "winter" {
            break board;
        }
        assert!(Instant::now() < deadline, "the season is not settled: {board}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let (_, other) = send(&http, doors[1], Method::GET, path, &[("authorization", &authorization)], Value::Null).await;
    assert_eq!(final_board, other, "both servers show one final board");
    let ranked: Vec<&str> =
        final_board["entries"].as_array().expect("entries").iter().filter_map(|e| e["user_id"].as_str()).collect();
    let expected: Vec<&str> = players.iter().map(String::as_str).collect();
    assert_eq!(ranked[..PLAYERS], expected, "in the order of their scores");

    let mut connection = cluster.mariadb.connect(&cluster.database.name).await;
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT user_id, COUNT(*), CAST(SUM(delta) AS SIGNED) FROM coin_ledger WHERE reason = 'season_reward' GROUP BY user_id",
    )
    .fetch_all(&mut connection)
    .await
    .expect("reads");
    let paid: BTreeMap<String, (i64, i64)> = rows.into_iter().map(|(id, count, sum)| (id, (count, sum))).collect();
    let due = |rank: usize| if rank == 1 { (1, 500) } else { (1, 100) };
    let wanted: BTreeMap<String, (i64, i64)> =
        players.iter().take(10).enumerate().map(|(n, id)| (id.clone(), due(n + 1))).collect();
    assert_eq!(paid, wanted, "each reward once");
    let (unequal,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM players p WHERE coins <> (SELECT COALESCE(SUM(delta), 0) FROM coin_ledger l WHERE l.user_id = p.user_id)",
    )
    .fetch_one(&mut connection)
    .await
    .expect("reads");
    assert_eq!(unequal, 0, "balances are the sums of their ledgers");
    eprintln!(
        "two servers, one killed at the end of a season: {} final lines, {} rewards paid once; events relayed by each: {shares:?}",
        ranked.len(),
        paid.len()
    );
}
