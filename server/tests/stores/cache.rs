//! What the ranking on Redis must stand.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use server::store::aws::RedisRanking;
use server::store::{CacheSettings, Order, Ranking, StoreError};

use crate::harness::samples::{board, build, player_id, row};
use crate::harness::{Address, Certificates, Redis};

const DOWN: Order = Order::Descending;

fn open(settings: &CacheSettings) -> RedisRanking {
    RedisRanking::open(settings, Vec::new()).expect("opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_is_away_says_so_soon_and_is_used_again_when_it_is_back() {
    let mut redis = Redis::start(&[]);
    let (ranking, board) = (open(&redis.settings()), board());
    build(&ranking, &board, DOWN, &[row("a", 1, 1, 1)]).await;
    redis.kill();
    let started = Instant::now();
    let error = ranking.rank(&board, DOWN, &player_id("a")).await.expect_err("nobody is there");
    assert!(error.is_transient(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    redis.restart();
    assert!(!ranking.is_built(&board, DOWN).await.expect("answers"), "it came back empty");
    ranking.apply(&board, DOWN, &[row("a", 1, 1, 1)]).await.expect("takes");
    assert_eq!(ranking.rank(&board, DOWN, &player_id("a")).await.expect("reads").expect("ranked").0.rank, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_answers_nobody_is_waited_for_once() {
    let redis = Redis::start(&[]);
    let (ranking, board) = (open(&redis.settings()), board());
    build(&ranking, &board, DOWN, &[row("a", 1, 1, 1)]).await;
    let pid = redis.pid();
    redis.signal("STOP", pid);
    let silent = |error: &StoreError| {
        assert!(error.is_transient(), "{error:?}");
        server::store::chain(error).to_string().contains("has not answered a moment ago")
    };
    let player = player_id("a");
    assert!(!silent(&ranking.rank(&board, DOWN, &player).await.expect_err("it does not answer")), "one waits");
    let others = futures::future::join_all((0..50).map(|_| ranking.rank(&board, DOWN, &player))).await;
    let refused = others.into_iter().filter_map(Result::err).filter(|error| silent(error)).count();
    assert!(refused >= 49, "{refused} of 50 did not wait");
    redis.signal("CONT", pid);
    let started = Instant::now();
    while ranking.rank(&board, DOWN, &player).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "it answers, and is not asked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_primary_is_left_and_its_scripts_are_sent_to_the_next() {
    let redis = Redis::start(&[]);
    let other = Redis::start(&[]);
    let (ranking, board) = (open(&redis.settings()), board());
    ranking.apply(&board, DOWN, &[row("a", 1, 1, 1)]).await.expect("takes");
    let clients = || redis.command::<String>(&["CLIENT", "LIST", "TYPE", "normal"]);
    let id = |list: String| list.lines().filter_map(|l| l.split(' ').next().map(str::to_owned)).next();
    let before = id(clients());
    let (host, port) = (other.address.host.to_string(), other.address.port.to_string());
    let _: String = redis.command(&["REPLICAOF", &host, &port]);
    redis.wait_for("master_link_status:up");
    let error = ranking.apply(&board, DOWN, &[row("a", 2, 2, 2)]).await.expect_err("READONLY");
    assert!(error.is_transient(), "{error:?}");
    // Promoted, and knowing no script.
    let _: String = redis.command(&["REPLICAOF", "NO", "ONE"]);
    let _: String = redis.command(&["SCRIPT", "FLUSH"]);
    let (entry, _) = ranking.apply_one(&board, DOWN, &row("a", 3, 3, 3)).await.expect("takes");
    assert_eq!(entry.key.score, 3);
    assert_ne!(id(clients()), before, "the old connection is not used any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_amid_an_operation_is_waited_out() {
    let mut redis = Redis::start(&[]);
    let (ranking, board) = (open(&redis.settings()), board());
    ranking.check().await.expect("answers");
    redis.restart();
    // The first attempt meets the dead connection.
    ranking.apply(&board, DOWN, &[row("a", 2, 2, 2)]).await.expect("the second attempt reaches it");
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_are_read_from_a_replica_while_there_is_one() {
    let primary = Redis::start(&[]);
    let mut replica = Redis::replica_of(&primary);
    let settings = CacheSettings { reader_host: Some(replica.address.host.to_string()), ..primary.settings() };
    let (ranking, board) = (open(&settings), board());
    ranking.apply(&board, DOWN, &[row("a", 2, 1, 1), row("b", 1, 1, 1)]).await.expect("takes");
    // Replication keeps the order: what was written before the marker is there when the marker is.
    let _: String = primary.command(&["SET", "marker", "1"]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while replica.command::<i64>(&["EXISTS", "marker"]) == 0 {
        assert!(Instant::now() < deadline, "the replica does not follow");
        std::thread::sleep(Duration::from_millis(20));
    }
    let page = ranking.page(&board, DOWN, None, 10).await.expect("reads");
    assert_eq!(page.total, 2);
    let friends = ranking.among(&board, DOWN, &[player_id("b")]).await.expect("reads");
    assert_eq!(friends.entries[0].rank, 2);
    let calls: String = replica.command(&["INFO", "commandstats"]);
    assert!(calls.contains("cmdstat_evalsha"), "the replica was asked: {calls}");
    replica.kill();
    assert_eq!(ranking.page(&board, DOWN, None, 10).await.expect("reads from the primary"), page);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boards_keys_lie_in_one_slot() {
    let redis = Redis::start(&["--cluster-enabled", "yes"]);
    let _: String = redis.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    std::thread::sleep(Duration::from_millis(300));
    let ranking = open(&redis.settings());
    let deadline = Instant::now() + Duration::from_secs(20);
    while redis.command::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:fail") {
        assert!(Instant::now() < deadline, "the cluster does not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    for _ in 0..5 {
        let board = board();
        let (entry, total) = ranking.apply_one(&board, DOWN, &row("a", 1, 1, 1)).await.expect("takes");
        assert_eq!((entry.rank, total), (1, 1));
        build(&ranking, &board, DOWN, &[row("a", 1, 1, 1)]).await;
        assert!(ranking.is_built(&board, DOWN).await.expect("answers"));
        assert!(ranking.around(&board, DOWN, &player_id("a"), 1).await.expect("reads").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_the_token_are_checked() {
    let address = Address::free();
    let certificates = Certificates::for_address(address.host);
    let redis = Redis::with_tls(address, &certificates.files(), "a-token-of-sixteen");
    let settings = CacheSettings {
        host: address.host.to_string(),
        port: address.port,
        reader_host: None,
        auth_token: Some(SecretString::from("a-token-of-sixteen")),
        tls: true,
    };
    let trusted = RedisRanking::open(&settings, certificates.authority()).expect("opens");
    trusted.check().await.expect("answers over TLS");

    let stranger = Certificates::for_address(address.host);
    let untrusted = RedisRanking::open(&settings, stranger.authority()).expect("opens");
    untrusted.check().await.expect_err("its authority is not ours");

    let elsewhere = Certificates::for_address(std::net::Ipv4Addr::LOCALHOST);
    let other = Redis::with_tls(address.neighbour(), &elsewhere.files(), "a-token-of-sixteen");
    let wrong_name = CacheSettings { host: other.address.host.to_string(), ..settings.clone() };
    let unnamed = RedisRanking::open(&wrong_name, elsewhere.authority()).expect("opens");
    unnamed.check().await.expect_err("its certificate is another host's");

    let guess = CacheSettings { auth_token: Some(SecretString::from("wrong")), ..settings.clone() };
    let refused = RedisRanking::open(&guess, certificates.authority()).expect("opens");
    let error = refused.check().await.expect_err("the token is wrong");
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");

    let plain = CacheSettings { tls: false, ..settings };
    open(&plain).check().await.expect_err("it speaks TLS alone");
    drop(redis);
}
