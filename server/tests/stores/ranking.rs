//! Ranks, against a simple model and case by case.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use server::store::{BoardKey, Order, RankKey, RankPage, RankedEntry, Ranking, ScoreRow};

use crate::harness::Backend;
use crate::harness::samples::{board, build, player_id, row};

crate::contract![
    ranks_start_at_one_and_the_first_to_reach_a_score_leads,
    only_higher_versions_are_taken,
    neighbouring_scores_at_the_ends_of_i64_are_told_apart,
    pages_go_on_where_the_last_ended,
    around_is_cut_at_both_ends,
    boards_are_apart,
    a_board_is_built_when_its_build_is_finished,
    a_board_whose_order_changes_is_built_anew,
    a_build_takes_what_is_written_meanwhile_and_the_place_at_once,
    a_board_has_one_builder_at_a_time,
    rows_at_once_leave_the_highest_version,
    any_history_ranks_as_the_model_does,
];

fn names(page: &RankPage) -> Vec<(u64, &str)> {
    page.entries.iter().map(|entry| (entry.rank, entry.key.player.as_str())).collect()
}

async fn ranks_start_at_one_and_the_first_to_reach_a_score_leads(backend: Backend) {
    let (ranking, board) = (backend.ranking().await, board());
    let down = Order::Descending;
    ranking.check().await.expect("answers");
    assert_eq!(ranking.page(&board, down, None, 10).await.expect("reads"), RankPage::default());
    assert_eq!(ranking.rank(&board, down, &player_id("a")).await.expect("reads"), None);
    let (entry, total) = ranking.apply_one(&board, down, &row("a", 10, 5, 1)).await.expect("takes");
    assert_eq!((entry.rank, total), (1, 1));
    assert_eq!(entry.key, row("a", 10, 5, 1).key);
    ranking.apply(&board, down, &[row("b", 10, 4, 1), row("c", 30, 9, 1), row("d", -5, 1, 1)]).await.expect("takes");
    let page = ranking.page(&board, down, None, 10).await.expect("reads");
    assert_eq!(names(&page), [(1, "c"), (2, "b"), (3, "a"), (4, "d")]);
    assert_eq!(page.total, 4);
    let (entry, total) = ranking.rank(&board, down, &player_id("a")).await.expect("reads").expect("ranked");
    assert_eq!((entry.rank, total), (3, 4));
    let (entry, _) = ranking.apply_one(&board, down, &row("d", 11, 10, 2)).await.expect("takes");
    assert_eq!(entry.rank, 2);
    let friends = [player_id("d"), player_id("nobody"), player_id("a"), player_id("c"), player_id("a")];
    let page = ranking.among(&board, down, &friends).await.expect("reads");
    assert_eq!((names(&page), page.total), (vec![(1, "c"), (2, "d"), (4, "a")], 4));
    assert_eq!(ranking.among(&board, down, &[]).await.expect("reads"), RankPage { entries: Vec::new(), total: 4 });
}

async fn only_higher_versions_are_taken(backend: Backend) {
    let (ranking, board) = (backend.ranking().await, board());
    let down = Order::Descending;
    ranking.apply(&board, down, &[row("a", 10, 1, 9), row("b", 20, 1, 1)]).await.expect("takes");
    // Late: the row of a transaction before.
    let (entry, total) = ranking.apply_one(&board, down, &row("a", 99, 2, 8)).await.expect("answers");
    assert_eq!((entry.rank, entry.key.score, total), (2, 10, 2));
    ranking.apply(&board, down, &[row("a", 99, 2, 9)]).await.expect("answers");
    assert_eq!(ranking.rank(&board, down, &player_id("a")).await.expect("reads").expect("ranked").0.key.score, 10);
    // Ten is higher than nine, and a later version may lower the score.
    let (entry, total) = ranking.apply_one(&board, down, &row("a", 5, 3, 10)).await.expect("takes");
    assert_eq!((entry.rank, entry.key.score, total), (2, 5, 2));
}

async fn neighbouring_scores_at_the_ends_of_i64_are_told_apart(backend: Backend) {
    let (ranking, board) = (backend.ranking().await, board());
    let scores = [i64::MIN, i64::MIN + 1, -1, 0, 1, (1 << 53), (1 << 53) + 1, i64::MAX - 1, i64::MAX];
    let rows: Vec<_> = (0..).zip(scores).map(|(n, score)| row(&format!("p{n}"), score, 0, 1)).collect();
    for order in [Order::Ascending, Order::Descending] {
        let board = BoardKey { season: format!("{order:?}").to_lowercase(), ..board.clone() };
        ranking.apply(&board, order, &rows).await.expect("takes");
        let page = ranking.page(&board, order, None, 20).await.expect("reads");
        let mut listed: Vec<_> = page.entries.iter().map(|entry| entry.key.score).collect();
        if order == Order::Descending {
            listed.reverse();
        }
        assert_eq!(listed, scores);
    }
}

async fn pages_go_on_where_the_last_ended(backend: Backend) {
    let (ranking, board) = (backend.ranking().await, board());
    let down = Order::Descending;
    let rows: Vec<_> = (0..600).map(|n| row(&format!("p{n:03}"), n / 3, n % 2, 1)).collect();
    ranking.apply(&board, down, &rows).await.expect("takes");
    let all = ranking.page(&board, down, None, 1000).await.expect("reads");
    assert_eq!(all.entries.len(), 600);
    let mut paged: Vec<RankedEntry> = Vec::new();
    loop {
        let after = paged.last().map(|entry| entry.key.clone());
        let page = ranking.page(&board, down, after.as_ref(), 77).await.expect("reads");
        assert_eq!(page.total, 600);
        if page.entries.is_empty() {
            break;
        }
        paged.extend(page.entries);
    }
    assert_eq!(paged, all.entries);
    // Who ended the page has moved up since: the next page starts behind where they stood.
    let last = all.entries[9].key.clone();
    let moved = ScoreRow { key: RankKey { score: 10_000, ..last.clone() }, version: 2 };
    ranking.apply(&board, down, &[moved]).await.expect("takes");
    let page = ranking.page(&board, down, Some(&last), 1).await.expect("reads");
    assert_eq!(page.entries[0].key, all.entries[10].key);
    assert_eq!(page.entries[0].rank, 11);
}

async fn around_is_cut_at_both_ends(backend: Backend) {
    let (ranking, board) = (backend.ranking().await, board());
    let down = Order::Descending;
    let rows: Vec<_> = (0..9).map(|n| row(&format!("p{n}"), 100 - n, 0, 1)).collect();
    ranking.apply(&board, down, &rows).await.expect("takes");
    for (who, radius, expected) in
        [("p0", 2, 1..=3), ("p4", 2, 3..=7), ("p8", 3, 6..=9), ("p4", 0, 5..=5), ("p4", 50, 1..=9)]
    {
        let page = ranking.around(&board, down, &player_id(who), radius).await.expect("reads").expect("ranked");
        let ranks: Vec<_> = page.entries.iter().map(|entry| entry.rank).collect();
        assert_eq!((ranks, page.total), (expected.collect(), 9), "{who} {radius}");
    }
    assert_eq!(ranking.around(&board, down, &player_id("nobody"), 2).await.expect("reads"), None);
}

async fn boards_are_apart(backend: Backend) {
    let (ranking, one) = (backend.ranking().await, board());
    let two = BoardKey { season: "s2".to_owned(), ..one.clone() };
    ranking.apply(&one, Order::Descending, &[row("a", 1, 1, 5)]).await.expect("takes");
    ranking.apply(&two, Order::Ascending, &[row("a", 2, 1, 1), row("b", 1, 1, 1)]).await.expect("takes");
    assert_eq!(names(&ranking.page(&one, Order::Descending, None, 9).await.expect("reads")), [(1, "a")]);
    assert_eq!(names(&ranking.page(&two, Order::Ascending, None, 9).await.expect("reads")), [(1, "b"), (2, "a")]);
}

async fn a_board_is_built_when_its_build_is_finished(backend: Backend) {
    let (ranking, one) = (backend.ranking().await, board());
    assert!(!ranking.is_built(&one, Order::Descending).await.expect("answers"));
    ranking.apply(&one, Order::Descending, &[row("a", 1, 1, 1)]).await.expect("takes");
    assert!(!ranking.is_built(&one, Order::Descending).await.expect("answers"), "a score is no rebuild");
    build(&*ranking.store, &one, Order::Descending, &[row("a", 1, 1, 1)]).await;
    assert!(ranking.is_built(&one, Order::Descending).await.expect("answers"));
    let page = ranking.page(&one, Order::Descending, None, 9).await.expect("reads");
    assert_eq!((names(&page), page.total), (vec![(1, "a")], 1), "the mark is nobody's rank");
    let empty = board();
    build(&*ranking.store, &empty, Order::Descending, &[]).await;
    assert!(ranking.is_built(&empty, Order::Descending).await.expect("answers"), "no players, but built");
}

async fn a_board_whose_order_changes_is_built_anew(backend: Backend) {
    let (ranking, board) = (backend.ranking().await, board());
    let rows = [row("a", 1, 1, 1), row("b", 2, 1, 1)];
    build(&*ranking.store, &board, Order::Descending, &rows).await;
    assert!(!ranking.is_built(&board, Order::Ascending).await.expect("answers"));
    build(&*ranking.store, &board, Order::Ascending, &rows).await;
    assert!(ranking.is_built(&board, Order::Ascending).await.expect("answers"));
    assert_eq!(names(&ranking.page(&board, Order::Ascending, None, 9).await.expect("reads")), [(1, "a"), (2, "b")]);
    // And when it changes back, what was built first has long been overtaken.
    assert!(!ranking.is_built(&board, Order::Descending).await.expect("answers"));
    assert_eq!(names(&ranking.page(&board, Order::Descending, None, 9).await.expect("reads")), []);
    // Who leaves the board leaves it in both orders: a server of the release before may still write the other.
    ranking.apply(&board, Order::Descending, &rows).await.expect("takes");
    ranking.remove(&board, &[player_id("a")]).await.expect("removes");
    for order in Order::BOTH {
        assert_eq!(names(&ranking.page(&board, order, None, 9).await.expect("reads")), [(1, "b")], "{order:?}");
    }
    ranking.forget(&board).await.expect("forgets");
    for order in Order::BOTH {
        assert!(!ranking.is_built(&board, order).await.expect("answers"), "{order:?}");
    }
}

async fn a_build_takes_what_is_written_meanwhile_and_the_place_at_once(backend: Backend) {
    let (ranking, board, down) = (backend.ranking().await, board(), Order::Descending);
    build(&*ranking.store, &board, down, &[row("a", 1, 1, 1), row("gone", 9, 1, 1)]).await;
    assert!(ranking.begin_build(&board, Order::Descending, "me").await.expect("begins"));
    ranking.build(&board, down, &[row("a", 1, 1, 1), row("b", 2, 1, 1)]).await.expect("takes");
    ranking.apply(&board, down, &[row("b", 5, 2, 2), row("c", 3, 2, 1)]).await.expect("takes");
    // Read before the last write, and late.
    ranking.build(&board, down, &[row("b", 2, 1, 1)]).await.expect("takes");
    let before = ranking.page(&board, down, None, 9).await.expect("reads");
    assert_eq!(names(&before), [(1, "gone"), (2, "b"), (3, "c"), (4, "a")]);
    assert!(ranking.finish_build(&board, Order::Descending, "me").await.expect("finishes"));
    assert_eq!(names(&ranking.page(&board, down, None, 9).await.expect("reads")), [(1, "b"), (2, "c"), (3, "a")]);
    assert!(ranking.is_built(&board, Order::Descending).await.expect("answers"));
    assert!(
        !ranking.finish_build(&board, Order::Descending, "me").await.expect("answers"),
        "there is nothing more to finish"
    );
}

async fn a_board_has_one_builder_at_a_time(backend: Backend) {
    let (ranking, board, down) = (backend.ranking().await, board(), Order::Descending);
    assert!(ranking.begin_build(&board, Order::Descending, "first").await.expect("begins"));
    ranking.build(&board, down, &[row("a", 1, 1, 1)]).await.expect("takes");
    assert!(!ranking.begin_build(&board, Order::Descending, "second").await.expect("answers"));
    assert!(!ranking.finish_build(&board, Order::Descending, "second").await.expect("answers"));
    assert!(!ranking.is_built(&board, Order::Descending).await.expect("answers"));
    assert!(ranking.begin_build(&board, Order::Descending, "first").await.expect("begins again"));
    ranking.build(&board, down, &[row("b", 2, 1, 1)]).await.expect("takes");
    assert!(ranking.finish_build(&board, Order::Descending, "first").await.expect("finishes"));
    assert_eq!(names(&ranking.page(&board, down, None, 9).await.expect("reads")), [(1, "b")]);
    assert!(ranking.begin_build(&board, Order::Descending, "second").await.expect("begins"));
}

async fn rows_at_once_leave_the_highest_version(backend: Backend) {
    let (ranking, board) = (backend.ranking().await, board());
    let take = |n: i64| {
        let (ranking, board): (Arc<dyn Ranking>, _) = (ranking.store.clone(), board.clone());
        let version = (n * 37) % 101;
        tokio::spawn(async move {
            ranking.apply_one(&board, Order::Descending, &row("a", version, 0, version)).await.expect("takes")
        })
    };
    futures::future::join_all((1..=100).map(take)).await;
    let page = ranking.page(&board, Order::Descending, None, 9).await.expect("reads");
    assert_eq!((page.total, page.entries[0].key.score), (1, 100));
}

/// The model: what stands for each player; ranks by sorting.
#[derive(Default)]
struct Model(BTreeMap<String, ScoreRow>);

impl Model {
    fn apply(&mut self, row: &ScoreRow) {
        let old = self.0.get(row.key.player.as_str());
        if old.is_none_or(|old| old.version < row.version) {
            self.0.insert(row.key.player.to_string(), row.clone());
        }
    }

    fn ranked(&self, order: Order) -> Vec<RankedEntry> {
        let mut keys: Vec<RankKey> = self.0.values().map(|row| row.key.clone()).collect();
        keys.sort_by(|a, b| {
            let scores = match order {
                Order::Ascending => a.score.cmp(&b.score),
                Order::Descending => b.score.cmp(&a.score),
            };
            scores.then(a.achieved_at.cmp(&b.achieved_at)).then(a.player.cmp(&b.player))
        });
        (1..).zip(keys).map(|(rank, key)| RankedEntry { rank, key }).collect()
    }
}

/// Player, score, second, version.
type Step = (u8, i64, i64, i64);

/// Whether the highest is first, what comes, lines of a page, radius.
fn history() -> impl Strategy<Value = (bool, Vec<Step>, u32, u32)> {
    let score =
        prop_oneof![any::<i64>(), -3..3_i64, Just(i64::MIN), Just(i64::MAX), Just(1 << 53), Just((1 << 53) + 1)];
    let step = (0..12_u8, score, -2..3_i64, 0..6_i64);
    (any::<bool>(), prop::collection::vec(step, 1..60), 1..8_u32, 0..5_u32)
}

async fn any_history_ranks_as_the_model_does(backend: Backend) {
    let ranking = backend.ranking().await;
    let handle = tokio::runtime::Handle::current();
    let store = ranking.store.clone();
    let property = move || {
        let mut runner = TestRunner::new(Config { cases: 340, failure_persistence: None, ..Config::default() });
        runner
            .run(&history(), |(descending, steps, limit, radius)| {
                let order = if descending { Order::Descending } else { Order::Ascending };
                handle.block_on(follow(&*store, order, &steps, limit, radius))
            })
            .expect("the store does as the model does");
    };
    tokio::task::spawn_blocking(property).await.expect("holds");
}

async fn follow(
    ranking: &dyn Ranking,
    order: Order,
    steps: &[Step],
    limit: u32,
    radius: u32,
) -> Result<(), TestCaseError> {
    let (board, mut model) = (board(), Model::default());
    for (n, (who, score, second, version)) in steps.iter().enumerate() {
        let row = row(&format!("p{who}"), *score, *second, *version);
        model.apply(&row);
        if n % 2 == 0 {
            let (entry, total) = ranking.apply_one(&board, order, &row).await.expect("takes");
            let expected = model.ranked(order);
            prop_assert_eq!(total, expected.len() as u64);
            prop_assert_eq!(Some(&entry), expected.iter().find(|e| e.key.player == row.key.player));
        } else {
            ranking.apply(&board, order, &[row]).await.expect("takes");
        }
    }
    let expected = model.ranked(order);
    let mut listed: Vec<RankedEntry> = Vec::new();
    loop {
        let after = listed.last().map(|entry| entry.key.clone());
        let page = ranking.page(&board, order, after.as_ref(), limit).await.expect("reads");
        if page.entries.is_empty() {
            break;
        }
        listed.extend(page.entries);
    }
    prop_assert_eq!(&listed, &expected);
    for (index, entry) in expected.iter().enumerate() {
        let around = ranking.around(&board, order, &entry.key.player, radius).await.expect("reads").expect("ranked");
        let first = index.saturating_sub(radius as usize);
        let last = (index + radius as usize).min(expected.len() - 1);
        prop_assert_eq!(&around.entries, &expected[first..=last]);
    }
    let friends: Vec<_> = (0..12).step_by(2).map(|n| player_id(&format!("p{n}"))).collect();
    let among = ranking.among(&board, order, &friends).await.expect("reads").entries;
    prop_assert_eq!(among, expected.into_iter().filter(|e| friends.contains(&e.key.player)).collect::<Vec<_>>());
    Ok(())
}
