//! Stores that can be told to fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::civil::Date;

use crate::store::{
    BoardKey, Event, EventLog, EventPage, LogPosition, Order, PlayerId, RankKey, RankPage, RankedEntry, Ranking,
    ScoreRow, StoreError, WriteReport,
};

fn gone(store: &'static str) -> StoreError {
    StoreError::unavailable(store, "anything", "told to fail")
}

/// A log that can be away, or take only some of a batch, or write and lose the answer.
pub struct FaultyLog {
    pub inner: Arc<dyn EventLog>,
    pub away: AtomicBool,
    pub answer_lost: AtomicBool,
    pub partial: AtomicBool,
    pub calls: AtomicUsize,
}

impl FaultyLog {
    pub fn new(inner: Arc<dyn EventLog>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
            answer_lost: AtomicBool::new(false),
            partial: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl EventLog for FaultyLog {
    async fn write(&self, events: &[Event]) -> Result<WriteReport, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(gone("log"));
        }
        let taken = if self.partial.load(Ordering::SeqCst) { events.len().div_ceil(2) } else { events.len() };
        let report = self.inner.write(&events[..taken]).await?;
        if self.answer_lost.load(Ordering::SeqCst) {
            return Err(gone("log"));
        }
        Ok(report)
    }

    async fn of_player(
        &self,
        day: Date,
        player: &PlayerId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.inner.of_player(day, player, after, limit).await
    }

    async fn of_day(&self, day: Date, after: Option<&LogPosition>, limit: u32) -> Result<EventPage, StoreError> {
        self.inner.of_day(day, after, limit).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) { Err(gone("log")) } else { self.inner.check().await }
    }
}

/// A ranking that can be away.
pub struct FaultyRanking {
    pub inner: Arc<dyn Ranking>,
    pub away: AtomicBool,
    pub other_leads: AtomicBool,
}

impl FaultyRanking {
    fn reach(&self) -> Result<&dyn Ranking, StoreError> {
        if self.away.load(Ordering::SeqCst) { Err(gone("cache")) } else { Ok(self.inner.as_ref()) }
    }
}

#[async_trait]
impl Ranking for FaultyRanking {
    async fn apply(&self, board: &BoardKey, order: Order, rows: &[ScoreRow]) -> Result<(), StoreError> {
        self.reach()?.apply(board, order, rows).await
    }

    async fn apply_one(
        &self,
        board: &BoardKey,
        order: Order,
        row: &ScoreRow,
    ) -> Result<(RankedEntry, u64), StoreError> {
        self.reach()?.apply_one(board, order, row).await
    }

    async fn rank(
        &self,
        board: &BoardKey,
        order: Order,
        player: &PlayerId,
    ) -> Result<Option<(RankedEntry, u64)>, StoreError> {
        self.reach()?.rank(board, order, player).await
    }

    async fn page(
        &self,
        board: &BoardKey,
        order: Order,
        after: Option<&RankKey>,
        limit: u32,
    ) -> Result<RankPage, StoreError> {
        self.reach()?.page(board, order, after, limit).await
    }

    async fn around(
        &self,
        board: &BoardKey,
        order: Order,
        player: &PlayerId,
        radius: u32,
    ) -> Result<Option<RankPage>, StoreError> {
        self.reach()?.around(board, order, player, radius).await
    }

    async fn among(&self, board: &BoardKey, order: Order, players: &[PlayerId]) -> Result<RankPage, StoreError> {
        self.reach()?.among(board, order, players).await
    }

    async fn remove(&self, board: &BoardKey, players: &[PlayerId]) -> Result<(), StoreError> {
        self.reach()?.remove(board, players).await
    }

    async fn is_built(&self, board: &BoardKey, order: Order) -> Result<bool, StoreError> {
        self.reach()?.is_built(board, order).await
    }

    async fn begin_build(&self, board: &BoardKey, order: Order, owner: &str) -> Result<bool, StoreError> {
        self.reach()?.begin_build(board, order, owner).await
    }

    async fn build(&self, board: &BoardKey, order: Order, rows: &[ScoreRow]) -> Result<(), StoreError> {
        self.reach()?.build(board, order, rows).await
    }

    async fn finish_build(&self, board: &BoardKey, order: Order, owner: &str) -> Result<bool, StoreError> {
        self.reach()?.finish_build(board, order, owner).await
    }

    async fn lead(&self, owner: &str, at_most: Duration) -> Result<bool, StoreError> {
        let leads = self.reach()?.lead(owner, at_most).await?;
        Ok(leads && !self.other_leads.load(Ordering::SeqCst))
    }

    async fn forget(&self, board: &BoardKey) -> Result<(), StoreError> {
        self.reach()?.forget(board).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.reach()?.check().await
    }
}
