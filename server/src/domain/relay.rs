//! The relay: carries events from the outbox to the log. At least once, under keys that make a repeat overwrite
//! itself; an event leaves the outbox only when the log has it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Game;
use crate::store::{Event, StoreError, chain};

const BATCH: u32 = 512;
/// After an idle relay is woken: more events come meanwhile, and a round of many costs the database less than many of few.
const GATHER: Duration = Duration::from_millis(100);
const LEASE: SignedDuration = SignedDuration::from_secs(30);
const IDLE: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// What the log will never take stays in the outbox, looked at once a day.
const REJECTED_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// What one round of the relay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Events leased.
    pub claimed: usize,
    /// Of these, in the log now.
    pub written: usize,
    /// Of these, refused by the log for good.
    pub rejected: usize,
}

impl Round {
    /// Events to be tried again.
    #[must_use]
    pub fn left(&self) -> usize {
        self.claimed - self.written - self.rejected
    }
}

/// Carries events of one game.
pub struct Relay {
    game: Arc<Game>,
    owner: String,
    failures: u32,
}

impl Relay {
    /// A relay with an owner's name of its own.
    #[must_use]
    pub fn new(game: Arc<Game>) -> Self {
        let owner = game.world.ulid();
        Self { game, owner, failures: 0 }
    }

    /// One batch.
    ///
    /// # Errors
    /// When the database is away. The log being away is no error: the events wait.
    pub async fn round(&mut self) -> Result<Round, StoreError> {
        let ledger = &self.game.stores.ledger;
        let now = self.game.world.now();
        let events = ledger.claim_events(&self.owner, now, later(now, LEASE), BATCH).await?;
        if events.is_empty() {
            return Ok(Round::default());
        }
        let report = match self.game.stores.events.write(&events).await {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the log is away; events wait");
                crate::store::WriteReport::default()
            }
        };
        ledger.complete_events(&report.written).await?;
        for (id, reason) in &report.rejected {
            tracing::error!(event = %id, %reason, "the log refuses an event; it is kept in the outbox");
        }
        let rejected: Vec<String> = report.rejected.iter().map(|(id, _)| id.clone()).collect();
        let now = self.game.world.now();
        ledger.release_events(&self.owner, &rejected, later(now, REJECTED_WAIT)).await?;
        let left = left(&events, &report.written, &rejected);
        self.failures = if left.is_empty() { 0 } else { self.failures.saturating_add(1) };
        let wait = SignedDuration::try_from(self.backoff()).unwrap_or(LEASE);
        ledger.release_events(&self.owner, &left, later(now, wait)).await?;
        metrics::counter!("outbox_delivered_total").increment(report.written.len() as u64);
        metrics::counter!("outbox_rejected_total").increment(rejected.len() as u64);
        metrics::counter!("outbox_retried_total").increment(left.len() as u64);
        Ok(Round { claimed: events.len(), written: report.written.len(), rejected: rejected.len() })
    }

    /// Doubles with each failed round.
    fn backoff(&self) -> Duration {
        match self.failures {
            0 => Duration::ZERO,
            failures => (Duration::from_millis(100) * 2_u32.saturating_pow(failures.min(10))).min(LONGEST_WAIT),
        }
    }

    /// Carries events until told to stop.
    pub async fn run(mut self, stop: CancellationToken) -> Self {
        let wake = Arc::clone(&self.game.outbox_wake);
        let mut reported = tokio::time::Instant::now();
        while !stop.is_cancelled() {
            let wait = match self.round().await {
                Ok(round) if round.claimed == BATCH as usize && round.left() == 0 => Duration::ZERO,
                Ok(round) if round.left() == 0 => IDLE,
                Ok(_) => self.backoff(),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the outbox cannot be read");
                    self.failures = self.failures.saturating_add(1);
                    self.backoff()
                }
            };
            if reported.elapsed() >= Duration::from_secs(5) {
                reported = tokio::time::Instant::now();
                self.report().await;
            }
            let woken = async {
                // Only an idle relay is woken early: one that failed waits out its time.
                if wait == IDLE {
                    wake.notified().await;
                    tokio::time::sleep(GATHER).await;
                } else {
                    std::future::pending().await
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = woken => {}
                () = stop.cancelled() => {}
            }
        }
        self
    }

    /// Carries what is there, for at most this long. For the end of the process.
    pub async fn flush(mut self, at_most: Duration) {
        let flush = async {
            while let Ok(round) = self.round().await {
                if round.claimed == 0 || round.left() > 0 {
                    break;
                }
            }
        };
        if tokio::time::timeout(at_most, flush).await.is_err() {
            tracing::warn!("events are left in the outbox; another instance will carry them");
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    async fn report(&self) {
        if let Ok((count, oldest)) = self.game.stores.ledger.outbox_backlog().await {
            let now = self.game.world.now();
            let age = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
            metrics::gauge!("outbox_events").set(count as f64);
            metrics::gauge!("outbox_oldest_seconds").set(age);
        }
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn left(events: &[Event], written: &[String], rejected: &[String]) -> Vec<String> {
    let done: std::collections::HashSet<&String> = written.iter().chain(rejected).collect();
    events.iter().map(|event| &event.id).filter(|id| !done.contains(id)).cloned().collect()
}
