//! The cache loses everything under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ALONE;
use crate::client::Client;
use crate::cluster::Cluster;
use crate::harness::samples::id;

const PLAYERS: u32 = 100_000;
const CLIENTS: usize = 16;

/// What a client saw.
#[derive(Default)]
struct Seen {
    answers: usize,
    stale: usize,
    failures: Vec<String>,
}

async fn play(client: &Client, done: &AtomicBool) -> Seen {
    let (own, mut seen) = (client.player(), Seen::default());
    while !done.load(Ordering::Acquire) {
        let (path, body) = match rand::random_range(0..5) {
            0 => (
                format!("/v1/users/{own}/scores"),
                json!({ "score": rand::random_range(0..2_000_000), "run_id": id() }),
            ),
            1 => (format!("/v1/users/{own}/rank"), Value::Null),
            2 => (format!("/v1/leaderboards/main/around/{own}"), Value::Null),
            3 => ("/v1/leaderboards/main/friends".to_owned(), json!({ "user_ids": [own, "P7"] })),
            _ => ("/v1/leaderboard?limit=100".to_owned(), Value::Null),
        };
        match client.ask(&path, body).await {
            Some((200, answer)) => {
                seen.answers += 1;
                seen.stale += usize::from(answer["stale"] == true);
            }
            other => seen.failures.push(format!("{path}: {other:?}")),
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(5..40))).await;
    }
    seen
}

/// Asks the servers until both rank all players again.
async fn until_whole(client: &Client) {
    let (deadline, mut whole) = (Instant::now() + Duration::from_secs(120), 0);
    while whole < 8 {
        assert!(Instant::now() < deadline, "the board does not come back");
        let (_, page) = client.ask("/v1/leaderboard?limit=1", Value::Null).await.expect("an answer");
        let all = page["total"].as_u64().is_some_and(|total| total >= u64::from(PLAYERS));
        whole = if page["stale"] == false && all { whole + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every page of the board against the database.
async fn compare(cluster: &Cluster, client: &Client) {
    let mut connection = cluster.mariadb.connect(&cluster.database.name).await;
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT user_id, score FROM scores WHERE board = 'main' ORDER BY score DESC, achieved_at, user_id",
    )
    .fetch_all(&mut connection)
    .await
    .expect("reads");
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/leaderboard?limit=200{cursor}");
        let (status, page) = client.ask(&path, Value::Null).await.expect("an answer");
        assert_eq!(status, 200, "{page}");
        for entry in page["entries"].as_array().expect("entries") {
            let who = entry["user_id"].as_str().expect("an id").to_owned();
            listed.push((who, entry["score"].as_i64().expect("a score")));
            assert_eq!(entry["rank"], listed.len());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed.len(), rows.len());
    assert!(listed == rows, "the board is not what the database says");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_ranking_comes_back_by_itself_and_no_request_fails() {
    let _alone = ALONE.lock().await;
    let cluster = Cluster::start().await;
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let client = Client::enter(cluster.doors(), n).await;
        let first = json!({ "score": n, "run_id": "first" });
        let (status, answer) =
            client.ask(&format!("/v1/users/{}/scores", client.player()), first).await.expect("an answer");
        assert_eq!(status, 200, "{answer}");
        clients.push(Arc::new(client));
    }
    let fill = format!(
        "INSERT INTO {0}.scores (board, season, user_id, score, achieved_at, version, changed_at) \
         SELECT 'main', 'all', CONCAT('P', seq), seq * 17 % 1000003, seq, 1, seq FROM {0}.seq_1_to_{PLAYERS}",
        cluster.database.name
    );
    cluster.mariadb.execute(&fill).await;
    cluster.flush_cache();
    until_whole(&clients[0]).await;
    let done = Arc::new(AtomicBool::new(false));
    let play = |client: &Arc<Client>| {
        let (client, done) = (client.clone(), done.clone());
        tokio::spawn(async move { play(&client, &done).await })
    };
    let playing: Vec<_> = clients.iter().map(play).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let flushed = Instant::now();
    cluster.flush_cache();
    until_whole(&clients[0]).await;
    let seconds = flushed.elapsed().as_secs_f64();
    done.store(true, Ordering::Release);
    let (mut answers, mut stale, mut failures) = (0, 0, Vec::new());
    for seen in futures::future::join_all(playing).await {
        let seen = seen.expect("no panic");
        answers += seen.answers;
        stale += seen.stale;
        failures.extend(seen.failures);
    }
    eprintln!(
        "flush: {:.1} s per 100,000 players, {answers} answers meanwhile, {stale} of them stale, {} failures",
        seconds * 100_000.0 / f64::from(PLAYERS),
        failures.len()
    );
    assert_eq!(failures, Vec::<String>::new());
    assert!(stale > 0, "nobody asked while it was away");
    compare(&cluster, &clients[0]).await;
}
