//! The movements of a player's coins.

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::wallet,
    error::{Problem, ProblemDocument},
    extract::{Owner, Params},
    state::Shared,
    store,
};

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LedgerParams {
    /// Entries in the answer, 1 to 200.
    #[serde(default = "default_limit")]
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: u32,
    /// From the answer before: older entries.
    cursor: Option<String>,
}

fn default_limit() -> u32 {
    50
}

/// Movements of a player's coins.
#[derive(Serialize, ToSchema)]
pub struct LedgerPage {
    /// Newest first.
    entries: Vec<LedgerLine>,
    /// For older entries; null at the end.
    next_cursor: Option<String>,
}

/// A movement.
#[derive(Serialize, ToSchema)]
pub struct LedgerLine {
    /// Coins gained, or lost if negative.
    delta: i64,
    /// Coins after it.
    balance: i64,
    /// What is owed after it.
    owed: i64,
    /// `signup`, `purchase`, `grant`, `revocation`, `receipt`, `refund`, `refund_reversed`, or `settlement`: what of the
    /// movement before it went to what was owed.
    reason: String,
    /// When.
    at: Timestamp,
    /// The purchase, grant, revocation, receipt or player it stems from.
    r#ref: String,
}

impl From<store::LedgerEntry> for LedgerLine {
    fn from(entry: store::LedgerEntry) -> Self {
        Self {
            delta: entry.delta,
            balance: entry.balance,
            owed: entry.owed,
            reason: entry.reason,
            at: entry.at,
            r#ref: entry.reference,
        }
    }
}

/// The player's ledger. Its deltas add up to the balance.
#[utoipa::path(
    get, path = "/v1/users/{id}/ledger", tag = "shop", operation_id = "get_ledger",
    params(("id" = String, Path, description = "The caller's own id."), LedgerParams),
    security(("access_token" = [])),
    responses(
        (status = 200, body = LedgerPage),
        (status = 400, description = "The cursor is not valid.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "Another player's.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn ledger(
    State(app): State<Shared>,
    Owner(player): Owner,
    Params(params): Params<LedgerParams>,
) -> Result<Json<LedgerPage>, Problem> {
    let (entries, next_cursor) = wallet::ledger(&app.game, &player, params.limit, params.cursor.as_deref()).await?;
    Ok(Json(LedgerPage { entries: entries.into_iter().map(LedgerLine::from).collect(), next_cursor }))
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(ledger))
}
