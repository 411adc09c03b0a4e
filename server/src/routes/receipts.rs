//! Coins paid for in app stores.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::receipts::{self, State as Came},
    error::{Problem, ProblemDocument},
    extract::{Body, Owner},
    state::Shared,
    store::AppStore,
};

/// Where the app was bought.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreName {
    /// Apple's App Store.
    Apple,
    /// Google Play.
    Google,
}

impl From<StoreName> for AppStore {
    fn from(name: StoreName) -> Self {
        match name {
            StoreName::Apple => Self::Apple,
            StoreName::Google => Self::Google,
        }
    }
}

/// A purchase that was paid for in an app store.
#[derive(Deserialize, ToSchema)]
pub struct SendReceipt {
    /// Whose it is.
    store: StoreName,
    /// Apple: the transaction's JWS (`jwsRepresentation`). Google: the purchase's original JSON (`getOriginalJson()`).
    #[schema(min_length = 1, max_length = 32768)]
    receipt: String,
}

/// What came of a receipt.
#[derive(Serialize, ToSchema)]
pub struct Receipt {
    /// `granted`, `already_granted`, `pending` or `refunded`.
    #[schema(example = "granted")]
    state: &'static str,
    /// What it is worth; 0 while it is pending.
    coins: i64,
    /// The player's coins now.
    balance: i64,
    /// What the player owes now.
    owed: i64,
}

/// Bring the receipt of a purchase.
///
/// Its coins are given once, to the first player who brings it. Bring it until the state is not `pending` any more, then
/// finish the transaction in the app.
#[utoipa::path(
    post, path = "/v1/users/{id}/receipts", tag = "shop", operation_id = "send_receipt",
    params(("id" = String, Path, description = "The caller's own id.")),
    request_body = SendReceipt,
    security(("access_token" = [])),
    responses(
        (status = 201, description = "`granted`: the coins were given now.", body = Receipt),
        (status = 200, description = "`already_granted`, or `refunded`: the money was given back, the coins taken.", body = Receipt),
        (status = 202, description = "`pending`: it is not paid yet; bring it again later.", body = Receipt),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "Another player's.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player, or receipts of this store are not taken.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`owned_by_other`: another player has the coins. Or the balance would rise above its limit.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Not a genuine receipt of this game, or of a product that it does not have.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The store cannot be asked now, and nothing was given; with `Retry-After`.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn send(
    State(app): State<Shared>,
    Owner(player): Owner,
    Body(body): Body<SendReceipt>,
) -> Result<(StatusCode, Json<Receipt>), Problem> {
    let redeemed = receipts::redeem(&app.game, &app.app_stores, &player, body.store.into(), &body.receipt).await?;
    let status = match redeemed.state {
        Came::Granted => StatusCode::CREATED,
        Came::AlreadyGranted | Came::Refunded => StatusCode::OK,
        Came::Pending => StatusCode::ACCEPTED,
    };
    let receipt = Receipt {
        state: redeemed.state.name(),
        coins: redeemed.coins,
        balance: redeemed.funds.coins,
        owed: redeemed.funds.owed,
    };
    Ok((status, Json(receipt)))
}

/// An App Store server notification, version 2.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppleNotification {
    /// Signed by Apple (JWS).
    #[schema(min_length = 1)]
    signed_payload: String,
}

/// For Apple's servers: refunds and their reversals.
///
/// Open to all, because only what Apple signed is acted on.
#[utoipa::path(
    post, path = "/v1/notifications/apple", tag = "shop", operation_id = "notify_apple",
    request_body = AppleNotification,
    responses(
        (status = 204, description = "Taken."),
        (status = 404, description = "Receipts of this store are not taken.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Not Apple's, or of another app.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn notify_apple(State(app): State<Shared>, Body(body): Body<AppleNotification>) -> Result<StatusCode, Problem> {
    receipts::notified_by_apple(&app.game, &app.app_stores, &body.signed_payload).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(send)).routes(routes!(notify_apple))
}
