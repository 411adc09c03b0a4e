//! Scores: each run counts once, whatever comes at once.

use std::collections::HashSet;

use futures::future::join_all;
use server::store::{BoardKey, Order, PlayerId, RankKey, ScoreOutcome, ScoreResult, ScoreRow};

use crate::harness::Backend;
use crate::harness::samples::{at, board, player, player_id, score, sum};

crate::contract![
    the_rule_of_the_board_decides,
    a_run_counts_once,
    runs_at_once_are_one_after_the_other,
    a_first_score_from_many_sides_loses_none,
    many_players_at_once,
    an_unknown_player_has_no_score,
    recent_changes_are_listed_once_each_in_order,
    a_board_is_listed_by_player,
    a_board_is_listed_by_rank,
    old_runs_and_sessions_are_purged,
];

fn recorded(outcome: ScoreOutcome) -> (ScoreResult, ScoreRow) {
    match outcome {
        ScoreOutcome::Recorded { result, row } => (result, row),
        other => panic!("not recorded: {other:?}"),
    }
}

async fn the_rule_of_the_board_decides(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, board) = (player(&*ledger.store, 0).await, board());
    let (result, row) =
        recorded(ledger.record_score(&score(&who, &board, i64::MAX - 1, "r1", at(1))).await.expect("records"));
    let expected = ScoreResult {
        previous_best: None,
        best: i64::MAX - 1,
        improved: true,
        achieved_at: at(1),
        season: "s1".to_owned(),
    };
    assert_eq!((result, row.version), (expected, 1));
    let (result, row) = recorded(ledger.record_score(&score(&who, &board, 7, "r2", at(2))).await.expect("records"));
    let expected = ScoreResult {
        previous_best: Some(i64::MAX - 1),
        best: i64::MAX - 1,
        improved: false,
        achieved_at: at(1),
        season: "s1".to_owned(),
    };
    assert_eq!(result, expected);
    // What does not change what stands changes no version.
    assert_eq!((row.version, row.key.score, row.key.achieved_at), (1, i64::MAX - 1, at(1)));
    let (result, row) =
        recorded(ledger.record_score(&score(&who, &board, i64::MAX, "r3", at(3))).await.expect("records"));
    assert!(result.improved);
    assert_eq!((row.version, row.key.score, row.key.achieved_at), (2, i64::MAX, at(3)));
    assert_eq!(ledger.score(&who, &board).await.expect("reads"), Some(row));
    let profile = ledger.profile(&who, &board).await.expect("reads").expect("exists");
    assert_eq!(profile.best_score, Some(i64::MAX));
    // Another season knows nothing of it.
    let next = BoardKey { season: "s2".to_owned(), ..board };
    assert_eq!(ledger.score(&who, &next).await.expect("reads"), None);
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, 4, "the account's event and one of each run");
}

async fn a_run_counts_once(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, board) = (player(&*ledger.store, 0).await, board());
    let mut run = score(&who, &board, 10, "r", at(1));
    run.advance = sum;
    let (first, _) = recorded(ledger.record_score(&run).await.expect("records"));
    let mut other = score(&who, &board, 5, "r2", at(2));
    other.advance = sum;
    recorded(ledger.record_score(&other).await.expect("records"));
    run.at = at(9);
    run.event.id = crate::harness::samples::id();
    match ledger.record_score(&run).await.expect("answers") {
        ScoreOutcome::Repeated { result, row } => {
            assert_eq!(result, first, "the first answer");
            assert_eq!((row.key.score, row.version), (15, 2), "what stands now");
        }
        other => panic!("{other:?}"),
    }
    let conflict = score(&who, &board, 11, "r", at(3));
    assert_eq!(ledger.record_score(&conflict).await.expect("answers"), ScoreOutcome::RunConflict);
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, 3);
    // Another player's run of the same name is another run.
    let two = player(&*ledger.store, 0).await;
    recorded(ledger.record_score(&score(&two, &board, 1, "r", at(4))).await.expect("records"));
}

async fn runs_at_once_are_one_after_the_other(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, board) = (player(&*ledger.store, 0).await, board());
    let post = |n: i64| {
        let ledger = ledger.store.clone();
        // Each run is sent twice at once.
        let mut write = score(&who, &board, 1, &format!("r{}", n / 2), at(n));
        write.advance = sum;
        tokio::spawn(async move { ledger.record_score(&write).await.expect("records") })
    };
    let outcomes: Vec<_> = join_all((0..200).map(post)).await.into_iter().map(|o| o.expect("no panic")).collect();
    let bests: HashSet<_> = outcomes
        .iter()
        .filter_map(|o| match o {
            ScoreOutcome::Recorded { result, .. } => Some(result.best),
            _ => None,
        })
        .collect();
    assert_eq!(bests, (1..=100).collect(), "each run saw the sum of those before it");
    let repeats = outcomes.iter().filter(|o| matches!(o, ScoreOutcome::Repeated { .. })).count();
    assert_eq!(repeats, 100);
    let row = ledger.score(&who, &board).await.expect("reads").expect("stands");
    assert_eq!((row.key.score, row.version), (100, 100));
}

/// The row does not exist yet, so there is nothing to lock but the player.
async fn a_first_score_from_many_sides_loses_none(backend: Backend) {
    let ledger = backend.ledger().await;
    for round in 0..5 {
        let (who, board) = (player(&*ledger.store, 0).await, board());
        let post = |n: i64| {
            let ledger = ledger.store.clone();
            let mut write = score(&who, &board, 1, &format!("{round}-{n}"), at(n));
            write.advance = sum;
            tokio::spawn(async move { ledger.record_score(&write).await.expect("records") })
        };
        join_all((0..8).map(post)).await;
        let row = ledger.score(&who, &board).await.expect("reads").expect("stands");
        assert_eq!((row.key.score, row.version), (8, 8));
    }
}

async fn many_players_at_once(backend: Backend) {
    let ledger = backend.ledger().await;
    let board = board();
    let players: Vec<PlayerId> = join_all((0..30).map(|_| player(&*ledger.store, 0))).await;
    let post = |n: usize| {
        let ledger = ledger.store.clone();
        let write = score(&players[n % 30], &board, (n / 30) as i64, &format!("r{n}"), at(n as i64));
        tokio::spawn(async move { ledger.record_score(&write).await.expect("records") })
    };
    for outcome in join_all((0..600).map(post)).await {
        recorded(outcome.expect("no panic"));
    }
    for who in &players {
        assert_eq!(ledger.score(who, &board).await.expect("reads").expect("stands").key.score, 19);
    }
}

async fn an_unknown_player_has_no_score(backend: Backend) {
    let ledger = backend.ledger().await;
    let (nobody, board) = (player_id("nobody"), board());
    let outcome = ledger.record_score(&score(&nobody, &board, 1, "r", at(1))).await.expect("answers");
    assert_eq!(outcome, ScoreOutcome::UnknownPlayer);
    assert_eq!(ledger.score(&nobody, &board).await.expect("reads"), None);
    assert_eq!(ledger.outbox_backlog().await.expect("reads").0, 0);
}

async fn recent_changes_are_listed_once_each_in_order(backend: Backend) {
    let ledger = backend.ledger().await;
    let (one, two) = (board(), board());
    let mut expected = Vec::new();
    for n in 0..9_i64 {
        let who = player(&*ledger.store, 0).await;
        // Three change times, shared by three players each, and two boards.
        let second = n / 3;
        for board in [&one, &two] {
            ledger.record_score(&score(&who, board, n, &board.board, at(second))).await.expect("records");
            if second > 0 {
                expected.push((at(second), who.clone(), board.clone()));
            }
        }
    }
    expected.sort_by(|a, b| (a.0, &a.1, &a.2.board).cmp(&(b.0, &b.1, &b.2.board)));
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let (rows, next) = ledger.recent_scores(at(1), after.as_ref(), 5).await.expect("lists");
        assert!(rows.len() <= 5);
        if rows.is_empty() {
            break;
        }
        listed.extend(rows.into_iter().map(|(board, row)| (row.key.achieved_at, row.key.player, board)));
        after = next;
    }
    assert_eq!(listed, expected);
}

async fn a_board_is_listed_by_player(backend: Backend) {
    let ledger = backend.ledger().await;
    let (board, other) = (board(), board());
    let mut players = Vec::new();
    for n in 0..7 {
        let who = player(&*ledger.store, 0).await;
        ledger.record_score(&score(&who, &board, n, "r", at(n))).await.expect("records");
        ledger.record_score(&score(&who, &other, n, "o", at(n))).await.expect("records");
        players.push(who);
    }
    players.sort();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let rows = ledger.all_scores(&board, after.as_ref(), 3).await.expect("lists");
        let Some(last) = rows.last() else { break };
        after = Some(last.key.player.clone());
        listed.extend(rows.into_iter().map(|row| row.key.player));
    }
    assert_eq!(listed, players);
}

async fn a_board_is_listed_by_rank(backend: Backend) {
    let (ledger, board) = (backend.ledger().await, board());
    let mut keys = Vec::new();
    // Ties, and times and ids that decide them.
    for (points, second) in [(5, 3), (5, 1), (i64::MIN, 2), (i64::MAX, 9), (5, 1), (0, 4)] {
        let who = player(&*ledger.store, 0).await;
        ledger.record_score(&score(&who, &board, points, "r", at(second))).await.expect("records");
        keys.push(RankKey { score: points, achieved_at: at(second), player: who });
    }
    for order in [Order::Descending, Order::Ascending] {
        keys.sort_by_key(|key| key.encode(order));
        assert_eq!(ledger.ranked(&board, order, 0, 100).await.expect("reads"), keys);
        assert_eq!(ledger.ranked(&board, order, 2, 3).await.expect("reads"), keys[2..5]);
        assert_eq!(ledger.ranked(&board, order, 6, 3).await.expect("reads"), []);
        for (place, key) in (1..).zip(&keys) {
            assert_eq!(ledger.count_ranked(&board, order, Some(key)).await.expect("counts"), place);
        }
        let between = RankKey { score: 5, achieved_at: at(2), player: player_id("nobody") };
        let due = keys.iter().filter(|key| key.encode(order) <= between.encode(order)).count() as u64;
        assert_eq!(ledger.count_ranked(&board, order, Some(&between)).await.expect("counts"), due);
        assert_eq!(ledger.count_ranked(&board, order, None).await.expect("counts"), 6);
    }
}

async fn old_runs_and_sessions_are_purged(backend: Backend) {
    let ledger = backend.ledger().await;
    let (who, board) = (player(&*ledger.store, 0).await, board());
    for n in 0..6 {
        ledger.record_score(&score(&who, &board, n, &format!("r{n}"), at(n))).await.expect("records");
        ledger.insert_session(&crate::sessions::session(&who, &format!("s{n}"), at(n))).await.expect("keeps");
    }
    assert_eq!(ledger.purge(at(4), at(5), 3).await.expect("purges"), 6);
    assert_eq!(ledger.purge(at(4), at(5), 100).await.expect("purges"), 3);
    assert_eq!(ledger.purge(at(4), at(5), 100).await.expect("purges"), 0);
    let outcome = ledger.record_score(&score(&who, &board, 0, "r0", at(8))).await.expect("records");
    assert!(matches!(outcome, ScoreOutcome::Recorded { .. }), "forgotten: {outcome:?}");
    let outcome = ledger.record_score(&score(&who, &board, 4, "r4", at(8))).await.expect("records");
    assert!(matches!(outcome, ScoreOutcome::Repeated { .. }), "kept: {outcome:?}");
    assert!(ledger.session("s4").await.expect("reads").is_none());
    assert!(ledger.session("s5").await.expect("reads").is_some());
}
