//! Ranks of seasons that are settled: from their final boards, which do not change any more.

use super::Game;
use crate::store::{BoardKey, Order, PlayerId, RankKey, RankPage, RankedEntry, SeasonRow, StoreError};

/// The lines behind `after`, which need not be one of them: a cursor may be older than the end.
///
/// # Errors
/// When the ledger is away.
pub async fn page(
    game: &Game,
    season: &SeasonRow,
    order: Order,
    after: Option<&RankKey>,
    limit: u32,
) -> Result<RankPage, StoreError> {
    let skip = match after {
        Some(after) => rank_of(game, season, order, after).await?,
        None => 0,
    };
    slice(game, season, skip, limit).await
}

/// The final rank of a line, or how many rank before what is none any more.
async fn rank_of(game: &Game, season: &SeasonRow, order: Order, key: &RankKey) -> Result<u64, StoreError> {
    match line(game, &season.key, &key.player).await? {
        Some(line) if line.key == *key => Ok(line.rank),
        _ => game.stores.ledger.count_ranked(&season.key, order, Some(key)).await,
    }
}

/// The lines around a player's. Unset: not on the board.
///
/// # Errors
/// When the ledger is away.
pub async fn around(
    game: &Game,
    season: &SeasonRow,
    player: &PlayerId,
    radius: u32,
) -> Result<Option<RankPage>, StoreError> {
    let Some(line) = line(game, &season.key, player).await? else { return Ok(None) };
    let first = line.rank.saturating_sub(1 + u64::from(radius));
    let lines = u32::try_from(line.rank - first).unwrap_or(u32::MAX).saturating_add(radius);
    slice(game, season, first, lines).await.map(Some)
}

/// The lines of these players, in order of rank.
///
/// # Errors
/// When the ledger is away.
pub async fn among(game: &Game, season: &SeasonRow, players: &[PlayerId]) -> Result<RankPage, StoreError> {
    let entries = game.stores.ledger.final_lines(&season.key, players).await?;
    Ok(RankPage { entries, total: season.players })
}

/// A player's line. Unset: not on the board.
///
/// # Errors
/// When the ledger is away.
pub async fn line(game: &Game, season: &BoardKey, player: &PlayerId) -> Result<Option<RankedEntry>, StoreError> {
    Ok(game.stores.ledger.final_lines(season, std::slice::from_ref(player)).await?.pop())
}

async fn slice(game: &Game, season: &SeasonRow, skip: u64, limit: u32) -> Result<RankPage, StoreError> {
    let entries = game.stores.ledger.final_page(&season.key, skip, limit).await?;
    Ok(RankPage { entries, total: season.players })
}
