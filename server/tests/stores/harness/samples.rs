//! What the tests write.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use server::store::{
    AccountOutcome, BoardKey, Event, Grant, Ledger, NewAccount, Order, PlayerId, PurchaseOrder, RankKey, Ranking,
    ScoreRow, ScoreWrite,
};

/// A board that no other test uses.
pub fn board() -> BoardKey {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let run = std::process::id();
    BoardKey { board: format!("b{run}-{}", NEXT.fetch_add(1, Ordering::Relaxed)), season: "s1".to_owned() }
}

pub fn id() -> String {
    ulid::Ulid::generate().to_string()
}

pub fn player_id(text: &str) -> PlayerId {
    PlayerId::parse(text).expect("an id")
}

/// A fixed time and seconds behind it.
pub fn at(seconds: i64) -> Timestamp {
    "2026-05-06T07:08:09.123456Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(seconds)
}

pub fn event(player: &PlayerId, name: &str, at: Timestamp) -> Event {
    Event { id: id(), player: player.clone(), name: name.to_owned(), at, properties: json!({"n": 1, "text": "ü"}) }
}

pub fn account(coins: i64) -> NewAccount {
    let player = player_id(&id());
    NewAccount {
        event: event(&player, "signup", at(0)),
        id: player,
        device_id: format!("device {}", id()),
        device_mac: vec![7; 32],
        coins,
        at: at(0),
    }
}

/// A new player with these coins.
pub async fn player(ledger: &dyn Ledger, coins: i64) -> PlayerId {
    let account = account(coins);
    let outcome = ledger.open_account(&account).await.expect("opens");
    assert!(matches!(outcome, AccountOutcome::Created(_)), "{outcome:?}");
    account.id
}

pub fn order(player: &PlayerId, key: &str, price: i64) -> PurchaseOrder {
    PurchaseOrder {
        purchase_id: id(),
        player: player.clone(),
        key: key.to_owned(),
        payload_hash: vec![1; 32],
        item_id: "101".to_owned(),
        slot: Some(1),
        price,
        at: at(10),
        event: event(player, "purchase", at(10)),
    }
}

pub fn grant(player: &PlayerId, key: &str, coins: i64) -> Grant {
    Grant {
        grant_id: id(),
        player: player.clone(),
        key: key.to_owned(),
        payload_hash: vec![2; 32],
        coins,
        reason: "compensation".to_owned(),
        max_balance: 1_000_000_000,
        at: at(20),
        event: event(player, "grant", at(20)),
    }
}

/// The best score counts, the highest first.
pub fn highest(now: Option<(i64, Timestamp)>, score: i64, reached: Timestamp) -> Option<(i64, Timestamp)> {
    now.is_none_or(|(best, _)| score > best).then_some((score, reached))
}

/// Scores add up.
pub fn sum(now: Option<(i64, Timestamp)>, score: i64, reached: Timestamp) -> Option<(i64, Timestamp)> {
    Some((now.map_or(0, |(total, _)| total).saturating_add(score), reached))
}

pub fn score(player: &PlayerId, board: &BoardKey, score: i64, run_id: &str, at: Timestamp) -> ScoreWrite {
    ScoreWrite {
        player: player.clone(),
        board: board.clone(),
        score,
        run_id: run_id.to_owned(),
        payload_hash: score.to_be_bytes().to_vec(),
        at,
        ends_at: None,
        advance: highest,
        event: event(player, "score", at),
    }
}

pub fn row(player: &str, score: i64, second: i64, version: i64) -> ScoreRow {
    let key = RankKey { score, achieved_at: at(second), player: player_id(player) };
    ScoreRow { key, version }
}

/// The sum of a player's ledger, read page by page, and its length.
pub async fn ledger_sum(ledger: &dyn Ledger, player: &PlayerId) -> (i64, usize) {
    let (mut sum, mut count, mut before) = (0, 0, None);
    loop {
        let page = ledger.ledger(player, before, 7).await.expect("reads");
        let Some(last) = page.last() else { return (sum, count) };
        before = Some(last.seq);
        sum += page.iter().map(|entry| entry.delta).sum::<i64>();
        count += page.len();
    }
}

/// Fills a board as a rebuild does.
pub async fn build(ranking: &dyn Ranking, board: &BoardKey, order: Order, rows: &[ScoreRow]) {
    assert!(ranking.begin_build(board, order, "test").await.expect("begins"));
    ranking.build(board, order, rows).await.expect("takes");
    assert!(ranking.finish_build(board, order, "test").await.expect("finishes"));
}
