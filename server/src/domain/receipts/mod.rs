//! Coins paid for in app stores: what a store says of a transaction is checked, and acted on once.

pub mod apple;
pub mod google;
mod products;
pub mod upkeep;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use super::{DomainError, Game, account, error::Checks, event};
use crate::store::{AppStore, Event, Funds, PlayerId, ReceiptChange, ReceiptOutcome, ReceiptRow, ReceiptWrite};

pub use self::products::{Product, Products};
use self::{
    apple::Apple,
    google::{Google, PlayError},
};

/// Bytes of a receipt at most.
pub const MAX_RECEIPT: usize = 32 * 1024;
const MAX_TRANSACTION_ID: usize = 1024;

/// The app stores whose receipts are taken.
#[derive(Default)]
pub struct AppStores {
    /// Apple's, if the game is sold there.
    pub apple: Option<Apple>,
    /// Google's, if the game is sold there.
    pub google: Option<Google>,
    /// What is sold.
    pub products: Products,
    /// Woken when a store is to be told that coins were given.
    pub wake: Arc<Notify>,
}

/// A store's word on a transaction, checked.
#[derive(Debug, Clone)]
struct Statement {
    store: AppStore,
    transaction_id: String,
    order_id: Option<String>,
    product_id: String,
    quantity: i64,
    revoked: bool,
    stated_at: Timestamp,
    /// For whom it was bought, if the app said so.
    account_token: Option<String>,
    acknowledge: bool,
}

/// What a receipt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The coins were given now.
    Granted,
    /// They had been given before.
    AlreadyGranted,
    /// It is not paid yet.
    Pending,
    /// The money was given back, and so were the coins.
    Refunded,
}

impl State {
    /// As in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::AlreadyGranted => "already_granted",
            Self::Pending => "pending",
            Self::Refunded => "refunded",
        }
    }
}

/// A receipt that was taken.
#[derive(Debug, Clone, Copy)]
pub struct Redeemed {
    /// What came of it.
    pub state: State,
    /// What it is worth.
    pub coins: i64,
    /// What the player has and owes now.
    pub funds: Funds,
}

/// What an app gives to the store with a purchase, to say for whom it is: a UUID that follows from the player's id.
/// (StoreKit's `appAccountToken`, Google Play's `obfuscatedAccountId`.)
#[must_use]
pub fn account_token(player: &PlayerId) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(player.as_str().as_bytes())[..16]);
    // Version 8 (the maker's own), variant 1.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// Gives the coins of a receipt, once, to the first player who brings it.
///
/// # Errors
/// When the receipt is not genuine, is another player's, or the store cannot be asked; then nothing was given.
pub async fn redeem(
    game: &Game,
    stores: &AppStores,
    player: &PlayerId,
    store: AppStore,
    receipt: &str,
) -> Result<Redeemed, DomainError> {
    let mut checks = Checks::default();
    let fits = (1..=MAX_RECEIPT).contains(&receipt.len());
    checks.require(fits, "receipt", format!("must be 1 to {MAX_RECEIPT} bytes"));
    checks.finish()?;
    let redeemed = match statement(game, stores, store, receipt).await {
        Ok(Some(statement)) => settle(game, stores, player, statement).await,
        Ok(None) => pending(game, player).await,
        Err(error) => Err(error),
    };
    let state = match &redeemed {
        Ok(redeemed) => redeemed.state.name(),
        Err(DomainError::ReceiptOwnedByOther) => "owned_by_other",
        Err(DomainError::AppStoreUnavailable { .. } | DomainError::Store(_)) => "unavailable",
        Err(_) => "refused",
    };
    metrics::counter!("receipts_total", "store" => store.name(), "state" => state).increment(1);
    redeemed
}

/// What the store says; unset: it is not paid yet.
async fn statement(
    game: &Game,
    stores: &AppStores,
    store: AppStore,
    receipt: &str,
) -> Result<Option<Statement>, DomainError> {
    match store {
        AppStore::Apple => {
            let apple = stores.apple.as_ref().ok_or(DomainError::AppStoreNotConfigured)?;
            Ok(Some(apple.transaction(receipt, game.world.now())?))
        }
        AppStore::Google => {
            let google = stores.google.as_ref().ok_or(DomainError::AppStoreNotConfigured)?;
            google.statement(receipt, game.world.now()).await
        }
    }
}

async fn pending(game: &Game, player: &PlayerId) -> Result<Redeemed, DomainError> {
    let player = account::profile(game, player).await?.player;
    let funds = Funds { coins: player.coins, owed: player.owed };
    Ok(Redeemed { state: State::Pending, coins: 0, funds })
}

async fn settle(
    game: &Game,
    stores: &AppStores,
    player: &PlayerId,
    statement: Statement,
) -> Result<Redeemed, DomainError> {
    if statement.account_token.as_ref().is_some_and(|token| !token.eq_ignore_ascii_case(&account_token(player))) {
        return Err(DomainError::ReceiptOwnedByOther);
    }
    let (state, row, funds) = match act(game, stores, Some(player), statement).await? {
        ReceiptOutcome::Granted(row, funds) => (State::Granted, row, funds),
        ReceiptOutcome::AlreadyGranted(row, funds) => (State::AlreadyGranted, row, funds),
        ReceiptOutcome::Refunded(row, funds) => (State::Refunded, row, funds),
        // Nobody claims it only where there is no claimant.
        ReceiptOutcome::OwnedByOther | ReceiptOutcome::Unclaimed => return Err(DomainError::ReceiptOwnedByOther),
        ReceiptOutcome::UnknownProduct => return Err(DomainError::UnknownProduct),
        ReceiptOutcome::TooManyCoins { balance } => return Err(DomainError::TooManyCoins { balance }),
        ReceiptOutcome::UnknownPlayer => return Err(DomainError::UnknownPlayer),
    };
    Ok(Redeemed { state, coins: row.coins, funds })
}

/// Acts on a store's word.
async fn act(
    game: &Game,
    stores: &AppStores,
    claimant: Option<&PlayerId>,
    statement: Statement,
) -> Result<ReceiptOutcome, DomainError> {
    let write = ReceiptWrite {
        receipt_id: game.world.ulid(),
        store: statement.store,
        coins: stores.products.worth(&statement.product_id, statement.quantity),
        transaction_id: statement.transaction_id,
        order_id: statement.order_id,
        product_id: statement.product_id,
        claimant: claimant.cloned(),
        revoked: statement.revoked,
        stated_at: statement.stated_at,
        acknowledge: statement.acknowledge,
        max_balance: game.rules.max_balance,
        at: game.world.now(),
        tell,
        event_id: game.world.ulid(),
    };
    let outcome = game.stores.ledger.settle_receipt(&write).await?;
    if matches!(outcome, ReceiptOutcome::Granted(..) | ReceiptOutcome::Refunded(..)) {
        game.outbox_wake.notify_one();
        stores.wake.notify_one();
    }
    Ok(outcome)
}

fn tell(write: &ReceiptWrite, player: &PlayerId, row: &ReceiptRow, change: ReceiptChange) -> Event {
    let properties = json!({
        "receipt_id": row.receipt_id, "store": row.store.name(), "product_id": row.product_id, "coins": row.coins,
    });
    Event {
        id: write.event_id.clone(),
        player: player.clone(),
        name: format!("{}{}", event::RESERVED_PREFIX, change.reason()),
        at: write.at,
        properties,
    }
}

/// Acts on a notification of Apple's. What is of no concern to coins is taken and nothing is done.
///
/// # Errors
/// When it is not Apple's, or a store of ours is away: Apple sends it again.
pub async fn notified_by_apple(game: &Game, stores: &AppStores, signed_payload: &str) -> Result<(), DomainError> {
    let apple = stores.apple.as_ref().ok_or(DomainError::AppStoreNotConfigured)?;
    let Some(statement) = apple.notification(signed_payload, game.world.now())? else { return Ok(()) };
    let transaction = statement.transaction_id.clone();
    let outcome = act(game, stores, None, statement).await?;
    tracing::info!(%transaction, outcome = ?std::mem::discriminant(&outcome), "told by Apple of a transaction");
    Ok(())
}

/// A receipt that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub &'static str);

impl From<Fault> for DomainError {
    fn from(fault: Fault) -> Self {
        Self::ReceiptInvalid(fault.0)
    }
}

impl From<PlayError> for DomainError {
    fn from(error: PlayError) -> Self {
        match error {
            PlayError::Unknown => Self::ReceiptInvalid("Google Play does not know the purchase"),
            PlayError::Unavailable { retry_after, source } => Self::AppStoreUnavailable { retry_after, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_tokens_are_uuids_that_follow_from_the_player() {
        let token = |id: &str| account_token(&PlayerId::parse(id).expect("an id"));
        assert_eq!(token("01JD"), token("01JD"));
        assert_ne!(token("01JD"), token("01JE"));
        let parts: Vec<usize> = token("01JD").split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(token("01JD").as_bytes()[14], b'8');
    }
}
