//! The ends of seasons: closes what has ended, archives the final boards, and pays the rewards.
//!
//! Any number of processes do this at once; the season's row in the ledger is the lock. A score holds it while it is
//! recorded, so a season is closed after the last score that counts in it, and what comes later belongs to the next one.
//! Each step writes some players' final lines together with their rewards and how far it has come: after a crash the
//! next step goes on there, and nobody is paid twice.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Game, clock::derived_ulid, event::RESERVED_PREFIX};
use crate::store::{
    BoardKey, Closing, Event, RankedEntry, SeasonRow, SeasonState, SettleOutcome, Settlement, StoreError, chain,
};

const EVERY: Duration = Duration::from_secs(2);
/// Players in one transaction.
const STEP: u32 = 200;

/// Ends the seasons of one game.
pub struct SeasonKeeper {
    game: Arc<Game>,
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Players archived.
    pub players: u64,
    /// Rewards paid.
    pub paid: u64,
}

/// The event of a reward; the same each time it is made.
fn reward(key: &BoardKey, ended_at: Timestamp, entry: &RankedEntry, coins: i64) -> Event {
    let player = &entry.key.player;
    Event {
        id: derived_ulid(ended_at, &[key.board.as_bytes(), key.season.as_bytes(), player.as_str().as_bytes()]),
        player: player.clone(),
        name: format!("{RESERVED_PREFIX}season_reward"),
        at: ended_at,
        properties: json!({
            "board": key.board, "season": key.season, "rank": entry.rank, "score": entry.key.score, "coins": coins,
        }),
    }
}

impl SeasonKeeper {
    /// Keeps the seasons of this game.
    #[must_use]
    pub fn new(game: Arc<Game>) -> Self {
        Self { game }
    }

    /// Closes and settles what has ended. A season of a board that is not configured waits until it is.
    ///
    /// # Errors
    /// When a store is away; the next round goes on.
    pub async fn round(&self) -> Result<Settled, StoreError> {
        let ledger = &self.game.stores.ledger;
        let mut settled = Settled::default();
        for season in ledger.unsettled_seasons().await? {
            let definition = self.game.definition();
            let Ok(board) = definition.boards.find(Some(&season.key.board)) else { continue };
            let ends_at = board.seasons.end_of(&season.key.season, season.ends_at);
            let Some(ends_at) = ends_at.filter(|ends_at| *ends_at <= self.game.world.now()) else { continue };
            if season.state == SeasonState::Open {
                let (order, rewards) = (board.order, board.rewards.clone());
                ledger.close_season(&Closing { key: season.key.clone(), ends_at, order, rewards }).await?;
            }
            self.settle(&season, &mut settled).await?;
        }
        Ok(settled)
    }

    async fn settle(&self, season: &SeasonRow, settled: &mut Settled) -> Result<(), StoreError> {
        let (ledger, ranking) = (&self.game.stores.ledger, &self.game.stores.ranking);
        loop {
            let settlement = Settlement {
                key: season.key.clone(),
                limit: STEP,
                max_balance: self.game.rules.max_balance,
                at: self.game.world.now(),
                event: reward,
            };
            match ledger.settle_season(&settlement).await? {
                SettleOutcome::Step { players, paid } => {
                    settled.players += players;
                    settled.paid += paid;
                    metrics::counter!("season_rewards_total").increment(paid);
                    if paid > 0 {
                        self.game.outbox_wake.notify_one();
                    }
                }
                SettleOutcome::Elsewhere => return Ok(()),
                SettleOutcome::Done => break,
            }
        }
        tracing::info!(season = %season.key, players = settled.players, paid = settled.paid, "the season is settled");
        // Only room is lost where this is not reached.
        ranking.forget(&season.key).await
    }

    /// Keeps them until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.round().await {
                metrics::counter!("season_failures_total").increment(1);
                tracing::warn!(error = %chain(&error), "the seasons could not be settled");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
