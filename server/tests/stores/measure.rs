//! Measures, run on demand:
//! `cargo test -p server --release --test stores measure -- --ignored --nocapture`

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use server::store::{Order, PlayerId};

use crate::harness::Backend;
use crate::harness::samples::{at, board, id, order, player, row, score};

/// Callers at once.
const CALLERS: usize = 64;
const FOR: Duration = Duration::from_secs(5);

/// Calls `operation` from many sides and tells how often it was answered and how long that took.
async fn measure<F, Fut>(what: &str, operation: F)
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (operation, next) = (Arc::new(operation), Arc::new(AtomicUsize::new(0)));
    let started = Instant::now();
    let call = |_| {
        let (operation, next) = (operation.clone(), next.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            while started.elapsed() < FOR {
                let begun = Instant::now();
                operation(next.fetch_add(1, Ordering::Relaxed)).await;
                times.push(begun.elapsed());
            }
            times
        })
    };
    let callers: Vec<_> = (0..CALLERS).map(call).collect();
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await.expect("no panic"));
    }
    times.sort();
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    #[expect(clippy::print_stderr, reason = "the figures are what this is run for")]
    {
        eprintln!("{what}: {rate:.0}/s, p50 {:.1?}, p99 {:.1?}", at(0.5), at(0.99));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measure"]
async fn measure_the_stores() {
    for backend in [Backend::Embedded, Backend::Aws] {
        let kept = backend.stores().await;
        let stores = kept.store.clone();
        let board = board();
        let mut players: Vec<PlayerId> = Vec::new();
        for _ in 0..1000 {
            players.push(player(&*stores.ledger, 1_000_000).await);
        }
        let players = Arc::new(players);
        let (ledger, ranking) = (stores.ledger.clone(), stores.ranking.clone());
        let (who, key) = (players.clone(), board.clone());
        measure(&format!("{backend:?}: score and rank"), move |n| {
            let (ledger, ranking, key) = (ledger.clone(), ranking.clone(), key.clone());
            let write = score(&who[n % 1000], &key, n as i64, &id(), at(n as i64 / 1000));
            async move {
                let outcome = ledger.record_score(&write).await.expect("records");
                let server::store::ScoreOutcome::Recorded { row, .. } = outcome else { panic!("{outcome:?}") };
                ranking.apply_one(&key, Order::Descending, &row).await.expect("ranks");
            }
        })
        .await;
        let (ledger, who) = (stores.ledger.clone(), players.clone());
        measure(&format!("{backend:?}: buy"), move |n| {
            let (ledger, order) = (ledger.clone(), order(&who[n % 1000], &id(), 1));
            async move { drop(ledger.buy(&order).await.expect("buys")) }
        })
        .await;
        let (ledger, who, key) = (stores.ledger.clone(), players.clone(), board.clone());
        measure(&format!("{backend:?}: profile"), move |n| {
            let (ledger, who, key) = (ledger.clone(), who[n % 1000].clone(), key.clone());
            async move { drop(ledger.profile(&who, &key).await.expect("reads")) }
        })
        .await;
        let rows: Vec<_> = (0..100_000).map(|n| row(&format!("p{n}"), n, 0, 1)).collect();
        stores.ranking.apply(&board, Order::Descending, &rows).await.expect("takes");
        let (ranking, key) = (stores.ranking.clone(), board.clone());
        measure(&format!("{backend:?}: top 10 of 100,000"), move |_| {
            let (ranking, key) = (ranking.clone(), key.clone());
            async move { drop(ranking.page(&key, Order::Descending, None, 10).await.expect("reads")) }
        })
        .await;
        let (ranking, key) = (stores.ranking.clone(), board.clone());
        measure(&format!("{backend:?}: rank"), move |n| {
            let (ranking, key) = (ranking.clone(), key.clone());
            let who = crate::harness::samples::player_id(&format!("p{}", n % 100_000));
            async move { drop(ranking.rank(&key, Order::Descending, &who).await.expect("reads")) }
        })
        .await;
    }
}
