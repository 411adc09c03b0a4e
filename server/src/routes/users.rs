//! Players.

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{account, receipts::account_token},
    error::{Problem, ProblemDocument},
    extract::Owner,
    state::Shared,
    store,
};

/// A player.
#[derive(Serialize, ToSchema)]
pub struct User {
    /// The player's id.
    user_id: String,
    /// Never negative.
    coins: i64,
    /// Coins that were to be taken back and were not there; what comes in settles this first.
    owed: i64,
    /// A UUID to give to the app store with a purchase: StoreKit's `appAccountToken`, Google Play's
    /// `obfuscatedAccountId`. Then nobody else can have its coins.
    account_token: String,
    /// On the default leaderboard; null before the first score.
    best_score: Option<i64>,
    /// What the player owns.
    items: Vec<OwnedItem>,
    /// When the account was made.
    created_at: Timestamp,
}

/// Items of one kind in one slot.
#[derive(Serialize, ToSchema)]
pub struct OwnedItem {
    /// From the catalogue.
    item_id: String,
    /// Null: in no slot.
    slot: Option<u8>,
    /// At least 1.
    quantity: i64,
}

impl From<store::Profile> for User {
    fn from(profile: store::Profile) -> Self {
        let items = profile.items.into_iter().map(|item| OwnedItem {
            item_id: item.item_id,
            slot: item.slot,
            quantity: item.quantity,
        });
        Self {
            user_id: profile.player.id.to_string(),
            coins: profile.player.coins,
            owed: profile.player.owed,
            account_token: account_token(&profile.player.id),
            best_score: profile.best_score,
            items: items.collect(),
            created_at: profile.player.created_at,
        }
    }
}

/// The player's coins, items and best score.
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "users", operation_id = "get_user",
    params(("id" = String, Path, description = "The caller's own id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, body = User),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "Another player's.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn user(State(app): State<Shared>, Owner(player): Owner) -> Result<Json<User>, Problem> {
    Ok(Json(account::profile(&app.game, &player).await?.into()))
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(user))
}
