//! Keeps the ranking true to the ledger: builds it where it is empty, and applies recent standings again, so that a
//! process killed between the two stores, or a failover of the cache, leaves no trace.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{
    Game,
    board::{Board, Boards},
};
use crate::store::{BoardKey, PlayerId, ScoreRow, StoreError, chain};

const EVERY: Duration = Duration::from_secs(3);
const PAGE: u32 = 2000;
/// A standing carries the time its request began, and is committed within this much of it, but for a database that fails
/// over: what is written later than that is found by the next wide round.
const OVERLAP: SignedDuration = SignedDuration::from_secs(15);
/// How far back to look after the ranking was away: a failover loses what was not yet replicated.
const DOUBT: SignedDuration = SignedDuration::from_mins(10);
/// How long the process that reconciles may be silent before another one does it.
const LEAD: Duration = Duration::from_secs(10);
/// And every so many rounds all the same.
const WIDE_ROUNDS: u32 = 100;

/// A season's ranking is built so long before it begins.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// The rankings that are kept: of each board the running season's, and the next one's where it begins soon. What has
/// ended is read from the ledger.
fn rankings(boards: &Boards, now: Timestamp) -> Vec<(&Board, BoardKey)> {
    let mut rankings = Vec::new();
    for board in boards.all() {
        let running = board.seasons.at(now);
        let next = board.key(now.saturating_add(AHEAD).unwrap_or(now));
        let soon = next.season != running.name;
        if !running.is_over(now) {
            rankings.push((board, board.key_of(running.name)));
        }
        if soon {
            rankings.push((board, next));
        }
    }
    rankings
}

/// Takes players off the rankings that are kept.
///
/// # Errors
/// When the ranking is away.
pub(super) async fn remove(game: &Game, players: &[PlayerId]) -> Result<(), StoreError> {
    if players.is_empty() {
        return Ok(());
    }
    for (_, key) in rankings(&game.definition().boards, game.world.now()) {
        game.stores.ranking.remove(&key, players).await?;
    }
    Ok(())
}

/// Reconciles one game.
pub struct Reconciler {
    game: Arc<Game>,
    since: Option<Timestamp>,
    round: u32,
    doubtful: bool,
    follows: bool,
    owner: String,
}

impl Reconciler {
    /// The first round looks back as after a failover.
    #[must_use]
    pub fn new(game: Arc<Game>) -> Self {
        let owner = game.world.ulid();
        Self { game, since: None, round: 0, doubtful: true, follows: false, owner }
    }

    /// One round over all boards, if it is this process's turn or it has reason to doubt the ranking. Answers how many
    /// standings were applied.
    ///
    /// # Errors
    /// When a store is away; the next round looks further back.
    pub async fn round(&mut self) -> Result<usize, StoreError> {
        self.doubtful |= self.game.take_ranking_doubt();
        let started = self.game.world.now();
        let leads = match self.game.stores.ranking.lead(&self.owner, LEAD).await {
            Ok(leads) => leads,
            Err(error) => {
                self.doubtful = true;
                return Err(error);
            }
        };
        let result = if leads || self.doubtful { self.reconcile(started).await } else { Ok(0) };
        self.doubtful = result.is_err();
        // Who follows another cannot know how far that one came.
        self.follows = !leads;
        self.since = Some(started);
        result
    }

    async fn reconcile(&mut self, started: Timestamp) -> Result<usize, StoreError> {
        let built = self.build_missing().await?;
        self.round = self.round.wrapping_add(1);
        let wide = self.doubtful || self.follows || self.round.is_multiple_of(WIDE_ROUNDS);
        let reach = if wide { DOUBT } else { OVERLAP };
        let since = self.since.unwrap_or(started).min(started).saturating_sub(reach).unwrap_or(Timestamp::MIN);
        let applied = built + self.recent(since).await?;
        // Behind the standings: those of a player who was deleted while they were read go again.
        remove(&self.game, &self.game.stores.ledger.recent_deletions(since).await?).await?;
        Ok(applied)
    }

    /// Builds each ranking that is empty, or was built in another order. Answers how many standings were applied.
    ///
    /// # Errors
    /// When a store is away.
    pub async fn build_missing(&self) -> Result<usize, StoreError> {
        let mut applied = 0;
        let definition = self.game.definition();
        for (board, key) in rankings(&definition.boards, self.game.world.now()) {
            if !self.game.stores.ranking.is_built(&key, board.order).await? {
                applied += self.rebuild(board, &key).await?;
            }
        }
        Ok(applied)
    }

    /// Builds a ranking beside the one there is. Scores written meanwhile come by themselves, with their versions.
    async fn rebuild(&self, board: &Board, key: &BoardKey) -> Result<usize, StoreError> {
        let stores = &self.game.stores;
        let mut applied = 0;
        let mut after = None;
        if !stores.ranking.begin_build(key, board.order, &self.owner).await? {
            return Ok(0);
        }
        loop {
            let rows = stores.ledger.all_scores(key, after.as_ref(), PAGE).await?;
            stores.ranking.build(key, board.order, &rows).await?;
            applied += rows.len();
            match rows.last() {
                Some(last) if rows.len() == PAGE as usize => after = Some(last.key.player.clone()),
                _ => break,
            }
        }
        if !stores.ranking.finish_build(key, board.order, &self.owner).await? {
            tracing::info!(board = %key, "the ranking was lost again while it was built");
            return Ok(0);
        }
        metrics::counter!("ranking_rebuilds_total").increment(1);
        tracing::info!(board = %key, players = applied, "the ranking was built from the ledger");
        Ok(applied)
    }

    async fn recent(&self, since: Timestamp) -> Result<usize, StoreError> {
        let stores = &self.game.stores;
        let mut applied = 0;
        let mut cursor = None;
        loop {
            let (rows, next) = stores.ledger.recent_scores(since, cursor.as_ref(), PAGE).await?;
            let full = rows.len() == PAGE as usize;
            applied += rows.len();
            self.apply(rows).await?;
            match next {
                Some(next) if full => cursor = Some(next),
                _ => return Ok(applied),
            }
        }
    }

    async fn apply(&self, rows: Vec<(BoardKey, ScoreRow)>) -> Result<(), StoreError> {
        let definition = self.game.definition();
        let mut rest = rows;
        for (board, key) in rankings(&definition.boards, self.game.world.now()) {
            let (ours, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(of, _)| *of == key);
            rest = others;
            let ours: Vec<ScoreRow> = ours.into_iter().map(|(_, row)| row).collect();
            if !ours.is_empty() {
                self.game.stores.ranking.apply(&key, board.order, &ours).await?;
            }
        }
        Ok(())
    }

    /// Reconciles until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.round().await {
                metrics::counter!("reconcile_failures_total").increment(1);
                tracing::warn!(error = %chain(&error), "the ranking could not be reconciled");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
