//! Seasons that end: no score changes a closed one, and each final line is written and paid once, whoever does it.

#![expect(clippy::print_stdout, reason = "the counts are for people")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures::future::join_all;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use server::domain::board::{Board, Rule};
use server::store::{
    BoardKey, Closing, Event, Ledger, Order, PlayerId, RankKey, RankedEntry, Reward, Rewards, ScoreOutcome,
    SeasonState, SettleOutcome, Settlement, Stores,
};

use crate::harness::Backend;
use crate::harness::samples::{at, board, id, ledger_sum, player, score};

crate::contract![
    a_closed_season_takes_no_score_and_answers_repeats,
    a_final_board_is_archived_and_paid_once_by_many,
    scores_at_the_end_are_in_the_final_board_or_refused,
    a_board_is_settled_in_its_order,
    any_history_over_seasons_is_ranked_paid_and_archived_as_the_model_does,
];

const END: i64 = 1000;

fn event(key: &BoardKey, ended_at: Timestamp, entry: &RankedEntry, coins: i64) -> Event {
    let properties = serde_json::json!({ "rank": entry.rank, "coins": coins });
    let id = format!("{}{}", key.season, entry.key.player);
    Event { id, player: entry.key.player.clone(), name: "reward".to_owned(), at: ended_at, properties }
}

fn settlement(key: &BoardKey, limit: u32) -> Settlement {
    Settlement { key: key.clone(), limit, max_balance: 1_000_000, at: at(END + 5), event }
}

fn closing(key: &BoardKey, order: Order) -> Closing {
    let rewards = [(1, 1, 500), (2, 10, 100)].map(|(first, last, coins)| Reward { first, last, coins });
    Closing { key: key.clone(), ends_at: at(END), order, rewards: Rewards(rewards.to_vec()) }
}

async fn record(ledger: &dyn Ledger, who: &PlayerId, key: &BoardKey, points: i64, run: &str, at_: i64) -> ScoreOutcome {
    let mut write = score(who, key, points, run, at(at_));
    write.ends_at = Some(at(END));
    ledger.record_score(&write).await.expect("answers")
}

/// Steps until there are no more. Answers players and rewards.
pub async fn settle(ledger: &dyn Ledger, key: &BoardKey, limit: u32) -> (u64, u64) {
    let (mut all, mut rewarded) = (0, 0);
    loop {
        match ledger.settle_season(&settlement(key, limit)).await.expect("settles") {
            SettleOutcome::Step { players, paid } => {
                all += players;
                rewarded += paid;
            }
            SettleOutcome::Elsewhere => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
            SettleOutcome::Done => return (all, rewarded),
        }
    }
}

async fn a_closed_season_takes_no_score_and_answers_repeats(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, key) = (player(&*ledger.store, 0).await, board());
    assert_eq!(ledger.season(&key).await.expect("reads"), None);
    let ScoreOutcome::Recorded { result: first, .. } = record(&*ledger.store, &who, &key, 5, "a", 1).await else {
        panic!("it is open")
    };
    let season = ledger.season(&key).await.expect("reads").expect("there");
    assert_eq!((season.state, season.ends_at), (SeasonState::Open, at(END)));
    assert_eq!(ledger.unsettled_seasons().await.expect("reads"), [season]);
    assert_eq!(record(&*ledger.store, &who, &key, 9, "late", END).await, ScoreOutcome::SeasonOver);
    assert_eq!(ledger.settle_season(&settlement(&key, 5)).await.expect("answers"), SettleOutcome::Done, "not closed");
    ledger.close_season(&closing(&key, Order::Descending)).await.expect("closes");
    assert_eq!(record(&*ledger.store, &who, &key, 9, "b", 2).await, ScoreOutcome::SeasonOver);
    let next = BoardKey { season: "s2".to_owned(), ..key.clone() };
    for season in [&key, &next] {
        match record(&*ledger.store, &who, season, 5, "a", 3).await {
            ScoreOutcome::Repeated { result, .. } => assert_eq!(result, first),
            other => panic!("{other:?}"),
        }
        assert_eq!(record(&*ledger.store, &who, season, 6, "a", 3).await, ScoreOutcome::RunConflict);
    }
    assert_eq!(settle(&*ledger.store, &key, 5).await, (1, 1));
    let season = ledger.season(&key).await.expect("reads").expect("there");
    assert_eq!((season.state, season.players), (SeasonState::Settled, 1));
    assert_eq!(ledger.unsettled_seasons().await.expect("reads"), []);
    assert_eq!(ledger.score(&who, &key).await.expect("reads").expect("there").key.score, 5);
}

async fn a_final_board_is_archived_and_paid_once_by_many(backend: Backend) {
    let (ledger, key) = (backend.ledger().await, board());
    let players: Vec<_> = join_all((0..60).map(|_| player(&*ledger.store, 10))).await;
    for (n, who) in (0..).zip(&players) {
        record(&*ledger.store, who, &key, n / 3, "r", n).await;
    }
    // Each closes and settles as if it were alone.
    let closers = (0..4).map(|n| {
        let (ledger, key) = (ledger.store.clone(), key.clone());
        tokio::spawn(async move {
            ledger.close_season(&closing(&key, Order::Descending)).await.expect("closes");
            settle(&*ledger, &key, 3 + n).await
        })
    });
    let done: Vec<_> = join_all(closers).await.into_iter().map(|done| done.expect("settles")).collect();
    let sum = done.iter().fold((0, 0), |sum, step| (sum.0 + step.0, sum.1 + step.1));
    println!("{backend:?}: 4 closers archived and paid {done:?}");
    assert_eq!(sum, (60, 10));
    let expected = ledger.ranked(&key, Order::Descending, 0, 100).await.expect("reads");
    let archived = ledger.final_page(&key, 0, 100).await.expect("reads");
    assert_eq!(archived.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>(), expected);
    assert!((1..).zip(&archived).all(|(rank, entry)| entry.rank == rank));
    assert_eq!(ledger.final_page(&key, 57, 100).await.expect("reads"), archived[57..]);
    for entry in &archived {
        let who = &entry.key.player;
        let coins = 10
            + if entry.rank == 1 {
                500
            } else if entry.rank <= 10 {
                100
            } else {
                0
            };
        let lines = if entry.rank <= 10 { 2 } else { 1 };
        assert_eq!(ledger_sum(&*ledger.store, who).await, (coins, lines), "{entry:?}");
        let profile = ledger.profile(who, &key).await.expect("reads").expect("there");
        assert_eq!(profile.player.coins, coins);
    }
    let some = [players[7].clone(), players[59].clone(), player(&*ledger.store, 0).await, players[7].clone()];
    let lines = ledger.final_lines(&key, &some).await.expect("reads");
    assert_eq!(
        lines.iter().map(|line| line.key.player.clone()).collect::<Vec<_>>(),
        [players[59].clone(), players[7].clone()]
    );
    assert_eq!(ledger.final_lines(&key, &[]).await.expect("reads"), []);
}

async fn scores_at_the_end_are_in_the_final_board_or_refused(backend: Backend) {
    let (ledger, key) = (backend.ledger().await, board());
    let players: Vec<_> = join_all((0..40).map(|_| player(&*ledger.store, 0))).await;
    record(&*ledger.store, &players[0], &key, 1, "first", 0).await;
    let writers = players.iter().cloned().map(|who| {
        let (ledger, key) = (ledger.store.clone(), key.clone());
        tokio::spawn(async move {
            let mut counted = Vec::new();
            for n in 1..30 {
                match record(&*ledger, &who, &key, n, &format!("r{n}"), n).await {
                    ScoreOutcome::Recorded { .. } => counted.push(n),
                    ScoreOutcome::SeasonOver => {}
                    other => panic!("{other:?}"),
                }
            }
            (who, counted)
        })
    });
    let writers = join_all(writers.collect::<Vec<_>>());
    let closer = async {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        ledger.close_season(&closing(&key, Order::Descending)).await.expect("closes");
        settle(&*ledger.store, &key, 7).await
    };
    let (written, settled) = tokio::join!(writers, closer);
    let mut recorded = 0;
    let mut bests = BTreeMap::new();
    for written in written {
        let (who, counted) = written.expect("writes");
        recorded += counted.len();
        if let Some(best) = counted.into_iter().max() {
            bests.insert(who, best);
        }
    }
    bests.entry(players[0].clone()).or_insert(1);
    let archived = ledger.final_page(&key, 0, 100).await.expect("reads");
    let archived: BTreeMap<_, _> = archived.into_iter().map(|line| (line.key.player, line.key.score)).collect();
    println!("{backend:?}: {recorded} of 1160 scores were recorded before the end; {settled:?} archived, paid");
    assert_eq!(archived, bests);
}

async fn a_board_is_settled_in_its_order(backend: Backend) {
    let (ledger, key) = (backend.ledger().await, board());
    for n in 0..9 {
        let who = player(&*ledger.store, 0).await;
        record(&*ledger.store, &who, &key, n % 4, "r", n % 3).await;
    }
    ledger.close_season(&closing(&key, Order::Ascending)).await.expect("closes");
    // What is said later does not count.
    ledger.close_season(&closing(&key, Order::Descending)).await.expect("answers");
    let order = ledger.season(&key).await.expect("reads").expect("there").order;
    assert_eq!(order, Some(Order::Ascending));
    assert_eq!(settle(&*ledger.store, &key, 2).await, (9, 9));
    let archived = ledger.final_page(&key, 0, 100).await.expect("reads");
    let expected = ledger.ranked(&key, Order::Ascending, 0, 100).await.expect("reads");
    assert_eq!(archived.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), expected);
}

type Standing = Option<(i64, Timestamp)>;

/// What stands in a season, written anew and as plainly as it goes.
fn model(rule: Rule, order: Order, now: Standing, points: i64, reached: Timestamp) -> (i64, Timestamp) {
    let Some((score, since)) = now else { return (points, reached) };
    let better = match order {
        Order::Ascending => points < score,
        Order::Descending => points > score,
    };
    match rule {
        Rule::Best if better => (points, reached),
        Rule::Latest if points != score => (points, reached),
        Rule::Sum if score.saturating_add(points) != score => (score.saturating_add(points), reached),
        Rule::Best | Rule::Latest | Rule::Sum => (score, since),
    }
}

const SCORES: usize = 280;
const SEASONS: u32 = 6;
const PLAYERS: usize = 12;

/// What was done to both, and what came of it.
#[derive(Default)]
struct Counts {
    operations: AtomicUsize,
    ties: AtomicUsize,
    seasons: AtomicUsize,
    paid: AtomicUsize,
}

fn raise(count: &AtomicUsize, by: usize) {
    count.fetch_add(by, Relaxed);
}

/// Who scores how many points: few players, many ties, and sometimes anything at all.
fn history() -> impl Strategy<Value = Vec<(usize, i64)>> {
    let points = prop_oneof![9 => -2..3_i64, 1 => any::<i64>()];
    prop::collection::vec((0..PLAYERS, points), SCORES)
}

/// Scores in seasons that end between them; every rule of a board in both directions.
async fn any_history_over_seasons_is_ranked_paid_and_archived_as_the_model_does(backend: Backend) {
    let stores = Arc::new(backend.stores().await);
    let counts = Arc::new(Counts::default());
    for order in [Order::Ascending, Order::Descending] {
        for rule in [Rule::Best, Rule::Latest, Rule::Sum] {
            let (stores, counts, handle) = (stores.clone(), counts.clone(), tokio::runtime::Handle::current());
            let property = move || {
                let config = Config { cases: SEASONS, failure_persistence: None, ..Config::default() };
                TestRunner::new(config)
                    .run(&history(), |history| handle.block_on(a_season(&stores.store, rule, order, &history, &counts)))
                    .unwrap_or_else(|failed| panic!("{rule:?} {order:?}: {failed}"));
            };
            tokio::task::spawn_blocking(property).await.expect("holds");
        }
    }
    let [operations, ties, seasons, paid] =
        [&counts.operations, &counts.ties, &counts.seasons, &counts.paid].map(|count| count.load(Relaxed));
    println!(
        "{backend:?}: {operations} scores, {ties} ties at the ends of {seasons} seasons, {paid} rewards: all as the model"
    );
    assert!(operations >= 10_000 && ties > 0);
}

/// One season from its first score to its rewards.
async fn a_season(
    stores: &Stores,
    rule: Rule,
    order: Order,
    history: &[(usize, i64)],
    counts: &Counts,
) -> Result<(), TestCaseError> {
    let (ledger, ranking, key) = (&*stores.ledger, &*stores.ranking, board());
    let players: Vec<_> = join_all((0..PLAYERS).map(|_| player(ledger, 0))).await;
    let advance = Board { rule, order, ..Board::named(&key.board) }.advance();
    let mut standings: BTreeMap<PlayerId, (i64, Timestamp)> = BTreeMap::new();
    for (n, (who, points)) in history.iter().enumerate() {
        let (who, reached) = (&players[*who], at(i64::try_from(n / 4).expect("small")));
        let mut write = score(who, &key, *points, &id(), reached);
        (write.ends_at, write.advance) = (Some(at(END)), advance);
        let outcome = ledger.record_score(&write).await.expect("records");
        let ScoreOutcome::Recorded { result, row } = outcome else { panic!("{outcome:?}") };
        let stands = model(rule, order, standings.get(who).copied(), *points, reached);
        standings.insert(who.clone(), stands);
        prop_assert_eq!((result.best, result.achieved_at), stands);
        let (line, total) = ranking.apply_one(&key, order, &row).await.expect("takes");
        let ranked = ranked(&standings, order);
        let expected = ranked.iter().find(|entry| entry.key.player == *who);
        prop_assert_eq!((Some(&line), total), (expected, ranked.len() as u64));
    }
    raise(&counts.operations, history.len());
    let expected = ranked(&standings, order);
    raise(&counts.ties, expected.windows(2).filter(|pair| pair[0].key.score == pair[1].key.score).count());
    prop_assert_eq!(&ranking.page(&key, order, None, 100).await.expect("reads").entries, &expected);
    ledger.close_season(&closing(&key, order)).await.expect("closes");
    prop_assert_eq!(settle(ledger, &key, 5).await.0, expected.len() as u64);
    prop_assert_eq!(&ledger.final_page(&key, 0, 100).await.expect("reads"), &expected);
    for entry in &expected {
        let due = match entry.rank {
            1 => 500,
            2..=10 => 100,
            _ => 0,
        };
        raise(&counts.paid, usize::from(due > 0));
        prop_assert_eq!(ledger_sum(ledger, &entry.key.player).await.0, due);
    }
    raise(&counts.seasons, 1);
    Ok(())
}

fn ranked(standings: &BTreeMap<PlayerId, (i64, Timestamp)>, order: Order) -> Vec<RankedEntry> {
    let mut keys: Vec<RankKey> = standings
        .iter()
        .map(|(player, (score, at))| RankKey { score: *score, achieved_at: *at, player: player.clone() })
        .collect();
    keys.sort_by(|a, b| {
        let scores = match order {
            Order::Ascending => a.score.cmp(&b.score),
            Order::Descending => b.score.cmp(&a.score),
        };
        scores.then(a.achieved_at.cmp(&b.achieved_at)).then(a.player.cmp(&b.player))
    });
    (1..).zip(keys).map(|(rank, key)| RankedEntry { rank, key }).collect()
}
