//! For the operator: grants and revocations, and what is in the log.

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt as _, stream};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{
        DomainError, account, journal,
        wallet::{self, Direction},
    },
    error::{Problem, ProblemDocument},
    extract::{Body, IdempotencyKey, Operator, Params, player_named},
    state::Shared,
    store,
};

/// Coins to give or to take back.
#[derive(Deserialize, ToSchema)]
pub struct MoveCoins {
    /// At least 1.
    #[schema(minimum = 1)]
    coins: i64,
    /// For the ledger's readers.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// Coins given.
#[derive(Serialize, ToSchema)]
pub struct Granted {
    /// Its id.
    grant_id: String,
    /// How many.
    coins: i64,
    /// The coins right after it.
    balance: i64,
    /// What is owed right after it: what came in went there first.
    owed: i64,
}

/// Coins taken back.
#[derive(Serialize, ToSchema)]
pub struct Revoked {
    /// Its id.
    revocation_id: String,
    /// How many were to be taken.
    coins: i64,
    /// The coins right after it.
    balance: i64,
    /// What is owed right after it: what the player did not have.
    owed: i64,
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventParams {
    /// Of this player only.
    user_id: Option<String>,
    /// A UTC day such as `2026-01-31`; today if left out.
    #[param(value_type = Option<String>, format = Date)]
    day: Option<Date>,
    /// Events in the answer, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: u32,
    /// From the answer before.
    cursor: Option<String>,
}

fn default_limit() -> u32 {
    100
}

/// Which day.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// A UTC day such as `2026-01-31`.
    #[param(value_type = String, format = Date)]
    day: Date,
}

/// Events of the log.
#[derive(Serialize, ToSchema)]
pub struct EventsPage {
    /// A player's in order of their ids; a day's shard by shard.
    events: Vec<LoggedEvent>,
    /// For more; null at the end.
    next_cursor: Option<String>,
}

/// An event of the log.
#[derive(Serialize, ToSchema)]
pub struct LoggedEvent {
    /// Unique.
    event_id: String,
    /// Whose doing it was.
    user_id: String,
    /// What happened; `game.` and more if the server saw it itself.
    name: String,
    /// When.
    at: Timestamp,
    /// Anything.
    #[schema(value_type = Object)]
    properties: serde_json::Value,
}

impl From<store::Event> for LoggedEvent {
    fn from(event: store::Event) -> Self {
        Self {
            event_id: event.id,
            user_id: event.player.to_string(),
            name: event.name,
            at: event.at,
            properties: event.properties,
        }
    }
}

/// Give coins to a player.
#[utoipa::path(
    post, path = "/admin/v1/users/{id}/grants", tag = "admin", operation_id = "grant_coins",
    params(
        ("id" = String, Path, description = "Any player's id."),
        ("Idempotency-Key" = String, Header, description = "As with purchases."),
    ),
    request_body = MoveCoins,
    security(("operator_key" = [])),
    responses(
        (status = 201, description = "Given: now, or before with this key.", body = Granted),
        (status = 400, description = "No Idempotency-Key.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "Not the operator key.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The balance would rise above its limit.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Wrong values, or the key was used for another grant.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn grant(
    State(app): State<Shared>,
    _: Operator,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<MoveCoins>,
) -> Result<(StatusCode, Json<Granted>), Problem> {
    let player = player_named(&id)?;
    let row = wallet::adjust(&app.game, &player, &key, Direction::Grant, body.coins, &body.reason).await?;
    let store::Funds { coins: balance, owed } = row.after;
    Ok((StatusCode::CREATED, Json(Granted { grant_id: row.grant_id, coins: row.coins, balance, owed })))
}

/// Take coins back from a player.
///
/// What it does not have is owed, and settled first from what comes in later.
#[utoipa::path(
    post, path = "/admin/v1/users/{id}/revocations", tag = "admin", operation_id = "revoke_coins",
    params(
        ("id" = String, Path, description = "Any player's id."),
        ("Idempotency-Key" = String, Header, description = "As with purchases; one that was used for a grant cannot be used."),
    ),
    request_body = MoveCoins,
    security(("operator_key" = [])),
    responses(
        (status = 201, description = "Taken: now, or before with this key.", body = Revoked),
        (status = 400, description = "No Idempotency-Key.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "Not the operator key.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "What is owed would rise above its limit.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Wrong values, or the key was used for something else.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn revoke(
    State(app): State<Shared>,
    _: Operator,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<MoveCoins>,
) -> Result<(StatusCode, Json<Revoked>), Problem> {
    let player = player_named(&id)?;
    let row = wallet::adjust(&app.game, &player, &key, Direction::Revocation, body.coins, &body.reason).await?;
    let store::Funds { coins: balance, owed } = row.after;
    Ok((StatusCode::CREATED, Json(Revoked { revocation_id: row.grant_id, coins: -row.coins, balance, owed })))
}

/// Delete a player's account.
///
/// Nothing of it is kept but its receipts, so that none of them is worth coins twice, and its events in the log, which go
/// when their retention is over. Access tokens of the player are good for nothing but reading leaderboards until they expire.
#[utoipa::path(
    delete, path = "/admin/v1/users/{id}", tag = "admin", operation_id = "delete_player",
    params(("id" = String, Path, description = "Any player's id.")),
    security(("operator_key" = [])),
    responses(
        (status = 204, description = "Deleted: now, or by a call up to 7 days ago."),
        (status = 401, description = "Not the operator key.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn delete(State(app): State<Shared>, _: Operator, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    account::delete(&app.game, &player_named(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Events of a day, of all players or of one.
#[utoipa::path(
    get, path = "/admin/v1/events", tag = "admin", operation_id = "get_events",
    params(EventParams),
    security(("operator_key" = [])),
    responses(
        (status = 200, body = EventsPage),
        (status = 400, description = "The cursor is not valid.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "Not the operator key.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn events(
    State(app): State<Shared>,
    _: Operator,
    Params(params): Params<EventParams>,
) -> Result<Json<EventsPage>, Problem> {
    let player = params.user_id.as_deref().map(player_named).transpose()?;
    let cursor = params.cursor.as_deref();
    let (events, next_cursor) = journal::page(&app.game, params.day, player.as_ref(), params.limit, cursor).await?;
    Ok(Json(EventsPage { events: events.into_iter().map(LoggedEvent::from).collect(), next_cursor }))
}

/// All events of a day as JSON lines.
#[utoipa::path(
    get, path = "/admin/v1/events/export", tag = "admin", operation_id = "export_events",
    params(ExportParams),
    security(("operator_key" = [])),
    responses(
        (status = 200, description = "An event a line.", body = LoggedEvent, content_type = "application/x-ndjson"),
        (status = 401, description = "Not the operator key.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn export(
    State(app): State<Shared>,
    _: Operator,
    Params(params): Params<ExportParams>,
) -> Result<Response, Problem> {
    let mut pages = Box::pin(journal::export(app.game.clone(), params.day));
    // The first page is read before the status is sent, so that a log that is away is a problem and not a torn file.
    let first = pages.next().await.unwrap_or_else(|| Ok(Vec::new())).map_err(DomainError::from)?;
    let lines = stream::once(async { Ok(first) }).chain(pages).map(|page| page.map(lines));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], axum::body::Body::from_stream(lines)).into_response())
}

fn lines(events: Vec<store::Event>) -> String {
    let mut text = String::new();
    for event in events {
        let line = serde_json::to_string(&LoggedEvent::from(event)).expect("plain data");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(grant))
        .routes(routes!(revoke))
        .routes(routes!(delete))
        .routes(routes!(events))
        .routes(routes!(export))
}
