//! What every handler has at hand.

use std::sync::Arc;

use secrecy::SecretString;

use crate::{
    assets::Assets,
    domain::{Game, receipts::AppStores},
    lifecycle::Health,
    rate::RateLimits,
};

/// The running server.
pub struct App {
    /// The game and its stores.
    pub game: Arc<Game>,
    /// Whether it may get traffic.
    pub health: Arc<Health>,
    /// Whose receipts are taken.
    pub app_stores: Arc<AppStores>,
    /// Where the assets are, if they are anywhere.
    pub assets: Option<Assets>,
    /// How often each may ask.
    pub rates: RateLimits,
    /// Opens `/admin/v1`.
    pub operator_key: SecretString,
}

/// As handlers get it.
pub type Shared = Arc<App>;
