//! Ranks from the ledger, while the ranking is away or being built: slower, and right.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::Game;
use crate::store::{BoardKey, Order, PlayerId, RankKey, RankPage, RankedEntry, StoreError};

/// How long a counted total is good enough: counting reads the whole board.
const TOTAL_KEPT: SignedDuration = SignedDuration::from_secs(2);

/// Totals of boards, each with when it was counted.
#[derive(Default)]
pub struct Totals(Mutex<HashMap<BoardKey, (Timestamp, u64)>>);

impl Totals {
    fn kept(&self, board: &BoardKey, now: Timestamp) -> Option<u64> {
        let totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        totals.get(board).filter(|(at, _)| now.duration_since(*at) < TOTAL_KEPT).map(|(_, total)| *total)
    }

    fn keep(&self, board: &BoardKey, now: Timestamp, total: u64) {
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Seasons come and go.
        totals.retain(|_, (at, _)| now.duration_since(*at) < TOTAL_KEPT);
        totals.insert(board.clone(), (now, total));
    }
}

async fn total(game: &Game, board: &BoardKey, order: Order) -> Result<u64, StoreError> {
    let now = game.world.now();
    if let Some(total) = game.totals.kept(board, now) {
        return Ok(total);
    }
    let total = game.stores.ledger.count_ranked(board, order, None).await?;
    game.totals.keep(board, now, total);
    Ok(total)
}

/// The line of a standing, and the board's total.
///
/// # Errors
/// When the ledger is away.
pub async fn line(game: &Game, board: &BoardKey, order: Order, key: RankKey) -> Result<(RankedEntry, u64), StoreError> {
    let ledger = &game.stores.ledger;
    // A replica that answers may not have the standing itself yet.
    let rank = ledger.count_ranked(board, order, Some(&key)).await?.max(1);
    Ok((RankedEntry { rank, key }, total(game, board, order).await?))
}

/// The lines behind `after`.
///
/// # Errors
/// When the ledger is away.
pub async fn page(
    game: &Game,
    board: &BoardKey,
    order: Order,
    after: Option<&RankKey>,
    limit: u32,
) -> Result<RankPage, StoreError> {
    let skip = match after {
        Some(_) => game.stores.ledger.count_ranked(board, order, after).await?,
        None => 0,
    };
    slice(game, board, order, skip, limit).await
}

/// The lines around a player's. Unset: not on the board.
///
/// # Errors
/// When the ledger is away.
pub async fn around(
    game: &Game,
    board: &BoardKey,
    order: Order,
    player: &PlayerId,
    radius: u32,
) -> Result<Option<RankPage>, StoreError> {
    let Some(row) = game.stores.ledger.score(player, board).await? else { return Ok(None) };
    let rank = game.stores.ledger.count_ranked(board, order, Some(&row.key)).await?;
    let first = rank.saturating_sub(1 + u64::from(radius));
    let lines = u32::try_from(rank - first).unwrap_or(u32::MAX).saturating_add(radius);
    slice(game, board, order, first, lines).await.map(Some)
}

/// The lines of these players, in order of rank.
///
/// # Errors
/// When the ledger is away.
pub async fn among(game: &Game, board: &BoardKey, order: Order, players: &[PlayerId]) -> Result<RankPage, StoreError> {
    let ledger = &game.stores.ledger;
    let mut entries = Vec::new();
    for player in players {
        if let Some(row) = ledger.score(player, board).await? {
            let rank = ledger.count_ranked(board, order, Some(&row.key)).await?;
            entries.push(RankedEntry { rank, key: row.key });
        }
    }
    entries.sort_by_key(|entry| entry.rank);
    entries.dedup();
    Ok(RankPage { entries, total: total(game, board, order).await? })
}

async fn slice(game: &Game, board: &BoardKey, order: Order, skip: u64, limit: u32) -> Result<RankPage, StoreError> {
    let keys = game.stores.ledger.ranked(board, order, skip, limit).await?;
    let entries = (skip + 1..).zip(keys).map(|(rank, key)| RankedEntry { rank, key }).collect();
    Ok(RankPage { entries, total: total(game, board, order).await? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_that_are_too_old_are_not_kept() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let board = |season: &str| BoardKey { board: "main".to_owned(), season: season.to_owned() };
        let totals = Totals::default();
        totals.keep(&board("old"), at(0), 5);
        assert_eq!((totals.kept(&board("old"), at(1)), totals.kept(&board("old"), at(2))), (Some(5), None));
        totals.keep(&board("new"), at(2), 6);
        assert_eq!(totals.0.lock().expect("unpoisoned").len(), 1);
    }
}
