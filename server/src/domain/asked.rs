//! Which ranking is asked for, and whether it can be asked.

use super::{
    DomainError, Game,
    board::{Board, is_name},
};
use crate::store::{BoardKey, Order, SeasonRow, SeasonState, StoreError, chain};

/// What the ranking says, if it is there and whole.
pub(super) async fn live<T>(
    game: &Game,
    key: &BoardKey,
    order: Order,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Option<T> {
    // At once, and in this order: what is said of a board that is lost meanwhile does not count.
    match tokio::join!(asked, game.stores.ranking.is_built(key, order)) {
        (Ok(said), Ok(true)) => Some(said),
        (Ok(_), Ok(false)) => None,
        (Err(error), _) | (Ok(_), Err(error)) => {
            game.doubt_ranking();
            metrics::counter!("ranking_failures_total").increment(1);
            tracing::warn!(error = %chain(&error), "the ranking does not answer");
            None
        }
    }
}

/// A ranking that is asked for.
pub(super) struct Asked {
    pub(super) key: BoardKey,
    pub(super) order: Order,
    /// Set: it has ended.
    past: Option<SeasonRow>,
}

impl Asked {
    /// The final board, if it is settled.
    pub(super) fn settled(&self) -> Option<&SeasonRow> {
        self.past.as_ref().filter(|season| season.state == SeasonState::Settled)
    }

    /// What the ranking says; nothing of a season that has ended.
    pub(super) async fn live<T>(&self, game: &Game, asked: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        if self.past.is_some() { None } else { live(game, &self.key, self.order, asked).await }
    }
}

/// The running season's ranking, or that of the season named.
pub(super) async fn asked(game: &Game, board: &Board, season: Option<&str>) -> Result<Asked, DomainError> {
    let now = game.world.now();
    let running = board.seasons.at(now);
    let over = running.is_over(now);
    let is_running = season.is_none_or(|season| season == running.name);
    let key = board.key_of(season.map_or(running.name, str::to_owned));
    let order = board.order;
    if is_running && !over {
        return Ok(Asked { key, order, past: None });
    }
    if !is_name(&key.season) {
        return Err(DomainError::UnknownBoard);
    }
    let past = game.stores.ledger.season(&key).await?;
    // A season without a score leaves nothing.
    if past.is_none() && !is_running {
        return Err(DomainError::UnknownBoard);
    }
    // What has ended keeps its order when that of the board is changed.
    let order = past.as_ref().and_then(|season| season.order).unwrap_or(order);
    Ok(Asked { key, order, past })
}
