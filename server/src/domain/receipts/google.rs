//! Google Play's purchases, of which Google is asked.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use super::{DomainError, Fault, MAX_TRANSACTION_ID, Statement};
use crate::store::{AppStore, BoxError};

const MAX_QUANTITY: i64 = 1000;

/// Why Google Play did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// It has no such purchase, or not any more.
    #[error("Google Play does not know the purchase")]
    Unknown,
    /// It cannot be reached, refuses us, or failed.
    #[error("Google Play is not available")]
    Unavailable {
        /// Seconds, if it said so.
        retry_after: Option<u32>,
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// Whether a purchase is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurchaseState {
    /// Paid.
    Purchased,
    /// Not paid, or paid back.
    Canceled,
    /// Not paid yet.
    Pending,
}

/// A purchase as Google Play tells it.
#[derive(Debug, Clone)]
pub struct PlayPurchase {
    /// Whether it is paid.
    pub state: PurchaseState,
    /// Whether it was consumed, and so acknowledged.
    pub consumed: bool,
    /// A licence tester's: nobody paid.
    pub test: bool,
    /// How many.
    pub quantity: i64,
    /// For people.
    pub order_id: Option<String>,
    /// If it says so.
    pub product_id: Option<String>,
    /// For whom it was bought, if the app said so.
    pub account_token: Option<String>,
}

/// Purchases that were voided: refunded, charged back or cancelled.
#[derive(Debug, Clone, Default)]
pub struct VoidedPage {
    /// Purchase tokens, each with its order's number.
    pub purchases: Vec<(String, Option<String>)>,
    /// For more.
    pub next: Option<String>,
}

/// Google Play's API, as far as it is needed.
#[async_trait]
pub trait PlayStore: Send + Sync {
    /// The purchase of this token.
    async fn purchase(&self, product_id: &str, token: &str) -> Result<PlayPurchase, PlayError>;
    /// Tells that the coins were given, so that the product can be bought again and the money is not given back.
    async fn consume(&self, product_id: &str, token: &str) -> Result<(), PlayError>;
    /// What was voided since then (at most 30 days ago).
    async fn voided(&self, since: Timestamp, page: Option<&str>) -> Result<VoidedPage, PlayError>;
}

/// Google Play, for one app.
#[derive(Clone)]
pub struct Google {
    /// The app.
    pub package: String,
    /// The API.
    pub api: Arc<dyn PlayStore>,
    /// Whether test purchases are worth as much as real ones.
    pub sandbox: bool,
}

/// A purchase's original JSON, as the app gets it from the billing library.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    package_name: Option<String>,
    product_id: String,
    purchase_token: String,
}

impl Google {
    /// What Google says of a receipt; unset: it is not paid yet.
    pub(super) async fn statement(&self, receipt: &str, now: Timestamp) -> Result<Option<Statement>, DomainError> {
        let Receipt { package_name, product_id, purchase_token } = serde_json::from_str(receipt)
            .map_err(|_| Fault("it is not a purchase's original JSON (productId, purchaseToken)"))?;
        if package_name.is_some_and(|name| name != self.package) {
            return Err(Fault("the purchase is of another app").into());
        }
        if !(1..=255).contains(&product_id.len()) || !(1..=MAX_TRANSACTION_ID).contains(&purchase_token.len()) {
            return Err(Fault("the purchase has impossible values").into());
        }
        let purchase = self.api.purchase(&product_id, &purchase_token).await?;
        if purchase.product_id.is_some_and(|id| id != product_id) {
            return Err(Fault("the purchase is of another product").into());
        }
        if purchase.test && !self.sandbox {
            return Err(Fault("the purchase is a test").into());
        }
        if !(1..=MAX_QUANTITY).contains(&purchase.quantity) {
            return Err(Fault("the purchase has impossible values").into());
        }
        let revoked = match purchase.state {
            PurchaseState::Pending => return Ok(None),
            PurchaseState::Canceled => true,
            PurchaseState::Purchased => false,
        };
        Ok(Some(Statement {
            store: AppStore::Google,
            transaction_id: purchase_token,
            order_id: purchase.order_id,
            product_id,
            quantity: purchase.quantity,
            revoked,
            stated_at: if revoked { FINAL } else { now },
            account_token: purchase.account_token,
            acknowledge: !purchase.consumed,
        }))
    }
}

/// When a void is stated: nothing is newer, for what was refunded may go on being told as purchased.
const FINAL: Timestamp = Timestamp::constant(253_402_207_199, 0);

/// The statement that a purchase was voided.
pub(super) fn voided(purchase_token: String, order_id: Option<String>) -> Statement {
    Statement {
        store: AppStore::Google,
        transaction_id: purchase_token,
        order_id,
        product_id: String::new(),
        quantity: 1,
        revoked: true,
        stated_at: FINAL,
        account_token: None,
        acknowledge: false,
    }
}
