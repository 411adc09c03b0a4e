//! What a crash between two stores leaves is healed.

use std::sync::Arc;

use jiff::civil::Date;
use server::domain::board::{Board, Boards, Seasons};
use server::domain::clock::World;
use server::domain::keys::SigningKeys;
use server::domain::reconcile::Reconciler;
use server::domain::relay::Relay;
use server::domain::shop::Catalogue;
use server::domain::{Definition, Game, Rules};
use server::store::aws::{DynamoLog, RedisRanking};
use server::store::{BoardKey, Event, Order, PlayerId, ScoreOutcome, Stores, day_of};

use crate::harness::samples::{board, event, id, order, player, score};
use crate::harness::{Backend, Dynamo, Redis};

crate::contract![
    a_score_committed_but_never_ranked_is_ranked_by_the_next_round,
    an_empty_ranking_is_built_from_the_ledger,
    events_of_committed_transactions_reach_the_log_once,
];

pub fn game(stores: &Stores, board: &BoardKey) -> Arc<Game> {
    let rules = Rules {
        start_coins: 1000,
        max_balance: 1_000_000,
        slots: 3,
        access_lifetime: std::time::Duration::from_secs(60),
        refresh_lifetime: std::time::Duration::from_secs(600),
    };
    let keys = SigningKeys::from_base64("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", None).expect("32 bytes");
    let endless = Seasons::Endless(board.season.clone());
    let boards = Boards::new(Board { seasons: endless, ..Board::named(&board.board) }, Vec::new());
    let catalogue = Catalogue::new(Catalogue::starter()).expect("sound");
    let definition = Definition { boards, catalogue };
    Arc::new(Game::new(stores.clone(), World::default(), definition, rules, &keys))
}

/// Commits a score as a server does that is killed before it tells the ranking.
pub async fn commit(stores: &Stores, board: &BoardKey, points: i64) -> PlayerId {
    let who = player(&*stores.ledger, 0).await;
    let now = World::default().now();
    let outcome = stores.ledger.record_score(&score(&who, board, points, &id(), now)).await.expect("records");
    assert!(matches!(outcome, ScoreOutcome::Recorded { .. }));
    who
}

pub async fn ranked(stores: &Stores, board: &BoardKey) -> Vec<(u64, PlayerId)> {
    let page = stores.ranking.page(board, Order::Descending, None, 5000).await.expect("reads");
    page.entries.into_iter().map(|entry| (entry.rank, entry.key.player)).collect()
}

async fn a_score_committed_but_never_ranked_is_ranked_by_the_next_round(backend: Backend) {
    let (stores, board) = (backend.stores().await, board());
    let game = game(&stores, &board);
    Reconciler::new(game.clone()).round().await.expect("builds");
    let first = commit(&stores, &board, 10).await;
    let second = commit(&stores, &board, 20).await;
    assert_eq!(ranked(&stores, &board).await, []);
    // A process that has just begun does not leave it to another that shares the cache.
    Reconciler::new(game).round().await.expect("heals");
    assert_eq!(ranked(&stores, &board).await, [(1, second), (2, first)]);
}

async fn an_empty_ranking_is_built_from_the_ledger(backend: Backend) {
    let (stores, board) = (backend.stores().await, board());
    let mut players = Vec::new();
    for points in 0..40 {
        players.insert(0, commit(&stores, &board, points).await);
    }
    let game = game(&stores, &board);
    assert!(!stores.ranking.is_built(&board, Order::Descending).await.expect("answers"));
    Reconciler::new(game).round().await.expect("builds");
    assert!(stores.ranking.is_built(&board, Order::Descending).await.expect("answers"));
    let expected: Vec<_> = (1..).zip(players).collect();
    assert_eq!(ranked(&stores, &board).await, expected);
}

async fn day_of_log(stores: &Stores, day: Date) -> Vec<Event> {
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = stores.events.of_day(day, after.as_ref(), 500).await.expect("reads");
        events.extend(page.events);
        match page.next {
            Some(next) => after = Some(next),
            None => return events,
        }
    }
}

async fn events_of_committed_transactions_reach_the_log_once(backend: Backend) {
    let (stores, board) = (backend.stores().await, board());
    let game = game(&stores, &board);
    let who = player(&*stores.ledger, 1000).await;
    let purchase = order(&who, "k", 100);
    stores.ledger.buy(&purchase).await.expect("buys");
    stores.ledger.buy(&order(&who, "k", 100)).await.expect("repeats");
    stores.ledger.buy(&order(&who, "k2", 100_000)).await.expect("refuses");
    // A relay that dies after it has written and before it has said so.
    let now = game.world.now();
    let until = now + jiff::SignedDuration::from_millis(50);
    let claimed = stores.ledger.claim_events("dead", now, until, 10).await.expect("claims");
    assert_eq!(claimed.len(), 2);
    stores.events.write(&claimed).await.expect("writes");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let round = Relay::new(game.clone()).round().await.expect("delivers");
    assert_eq!((round.claimed, round.written), (2, 2));
    assert_eq!(stores.ledger.outbox_backlog().await.expect("reads").0, 0);
    let mut names: Vec<_> = day_of_log(&stores, day_of(purchase.at)).await.into_iter().map(|e| e.name).collect();
    names.sort();
    assert_eq!(names, ["purchase", "signup"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_lost_everything_is_built_again() {
    let mut redis = Redis::start(&[]);
    let ranking = RedisRanking::open(&redis.settings(), Vec::new()).expect("opens");
    let stores = Stores { ranking: Arc::new(ranking), ..Backend::Aws.stores().await.store };
    let board = board();
    let mut reconciler = Reconciler::new(game(&stores, &board));
    let mut expected = Vec::new();
    for points in 0..20 {
        expected.insert(0, commit(&stores, &board, points).await);
    }
    reconciler.round().await.expect("builds");
    redis.kill();
    let error = reconciler.round().await.expect_err("the cache is away");
    assert!(error.is_transient(), "{error:?}");
    expected.insert(0, commit(&stores, &board, 50).await);
    redis.restart();
    reconciler.round().await.expect("builds again");
    assert_eq!(ranked(&stores, &board).await, (1..).zip(expected).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_board_is_as_good_as_none() {
    let redis = Redis::shared();
    let stores = Backend::Aws.stores().await;
    for lost in ["members", "standings"] {
        let board = board();
        let game = game(&stores, &board);
        let who = commit(&stores, &board, 1).await;
        Reconciler::new(game.clone()).round().await.expect("builds");
        let gone: i64 = redis.command(&["DEL", &format!("rank:{{{board}}}:descending:{lost}")]);
        assert_eq!(gone, 1);
        Reconciler::new(game).round().await.expect("builds again");
        assert_eq!(ranked(&stores, &board).await, [(1, who)], "after the loss of {lost}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_wait_while_the_log_is_away() {
    let mut dynamo = Dynamo::start();
    let table = dynamo.table().await;
    let away = DynamoLog::new(&table, &dynamo.sdk());
    dynamo.kill();
    let all = Backend::Aws.stores().await;
    let stores = Stores { events: Arc::new(away), ..all.store.clone() };
    let who = player(&*stores.ledger, 0).await;
    stores.ledger.append_events(&[event(&who, "seen", World::default().now())]).await.expect("keeps");
    let round = Relay::new(game(&stores, &board())).round().await.expect("claims");
    assert_eq!((round.claimed, round.written, round.rejected), (2, 0, 0));
    assert_eq!(stores.ledger.outbox_backlog().await.expect("reads").0, 2, "nothing is lost");
}
