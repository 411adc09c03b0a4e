//! What is between the server and Google Play beside requests: telling it that coins were given, and asking what was
//! voided. Any number of servers share the work.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{
    AppStores, act,
    google::{Google, PlayError, voided},
};
use crate::{
    domain::{DomainError, Game},
    store::{ReceiptRow, chain},
};

const BATCH: u32 = 50;
/// A receipt that was claimed is nobody else's for so long, and is tried again after it.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
const IDLE: Duration = Duration::from_secs(10);
/// Between two questions for what was voided, of all servers together.
const VOIDED_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// What Google learns late is asked for again.
const VOIDED_OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// Google tells of no more.
const VOIDED_REACH: SignedDuration = SignedDuration::from_hours(30 * 24 - 1);
const VOIDED_TASK: &str = "google voided purchases";

/// Keeps Google Play and the ledger of one mind.
pub struct Upkeep {
    game: Arc<Game>,
    stores: Arc<AppStores>,
}

impl Upkeep {
    /// Of one game.
    #[must_use]
    pub fn new(game: Arc<Game>, stores: Arc<AppStores>) -> Self {
        Self { game, stores }
    }

    /// Tells Google of receipts whose coins were given. Answers how many it knows of now.
    ///
    /// # Errors
    /// When the database is away. What Google does not take is tried again later.
    pub async fn acknowledge(&self) -> Result<usize, DomainError> {
        let Some(google) = &self.stores.google else { return Ok(0) };
        let ledger = &self.game.stores.ledger;
        let now = self.game.world.now();
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        let mut told = 0;
        for row in ledger.claim_acknowledgements(now, until, BATCH).await? {
            match consume(google, &row).await {
                Ok(()) => {
                    told += 1;
                    metrics::counter!("receipts_acknowledged_total").increment(1);
                }
                Err(PlayError::Unknown) => {
                    tracing::error!(receipt = %row.receipt_id, "Google Play does not let a purchase be consumed");
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), receipt = %row.receipt_id, "Google Play was not told");
                    continue;
                }
            }
            ledger.set_acknowledgement(row.store, &row.transaction_id, None).await?;
        }
        Ok(told)
    }

    /// Asks what was voided, if it is this server's turn, and takes the coins back. Answers how many purchases it was
    /// told of.
    ///
    /// # Errors
    /// When Google or the database is away; the next turn asks for the same again.
    pub async fn void(&self) -> Result<usize, DomainError> {
        let Some(google) = &self.stores.google else { return Ok(0) };
        let ledger = &self.game.stores.ledger;
        let now = self.game.world.now();
        let next = now.saturating_add(VOIDED_EVERY).unwrap_or(Timestamp::MAX);
        let Some(done_to) = ledger.take_turn(VOIDED_TASK, now, next).await? else { return Ok(0) };
        let earlier = |at: Timestamp, by| at.saturating_sub(by).unwrap_or(Timestamp::MIN);
        let since = earlier(done_to, VOIDED_OVERLAP).max(earlier(now, VOIDED_REACH));
        let (mut count, mut page) = (0, None);
        loop {
            let voids = google.api.voided(since, page.as_deref()).await?;
            count += voids.purchases.len();
            for (token, order_id) in voids.purchases {
                act(&self.game, &self.stores, None, voided(token, order_id)).await?;
            }
            match voids.next {
                Some(next) => page = Some(next),
                None => break,
            }
        }
        ledger.turn_done(VOIDED_TASK, now).await?;
        metrics::counter!("receipts_voided_total").increment(count as u64);
        Ok(count)
    }

    /// Goes on until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        if self.stores.google.is_none() {
            return;
        }
        while !stop.is_cancelled() {
            if let Err(error) = self.acknowledge().await {
                tracing::warn!(error = %chain(&error), "Google Play could not be told of receipts");
            }
            if let Err(error) = self.void().await {
                tracing::warn!(error = %chain(&error), "Google Play could not be asked for voided purchases");
            }
            tokio::select! {
                () = tokio::time::sleep(IDLE) => {}
                () = self.stores.wake.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Consumes a purchase. One that has been is refused, so Google is asked whether it is.
async fn consume(google: &Google, row: &ReceiptRow) -> Result<(), PlayError> {
    match google.api.consume(&row.product_id, &row.transaction_id).await {
        Err(PlayError::Unknown) => match google.api.purchase(&row.product_id, &row.transaction_id).await {
            Ok(purchase) if purchase.consumed => Ok(()),
            Ok(_) => Err(PlayError::Unknown),
            Err(error) => Err(error),
        },
        result => result,
    }
}
