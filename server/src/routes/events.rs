//! Events for the log, from clients.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{DomainError, event},
    error::{Problem, ProblemDocument},
    extract::{Body, Caller, OptionalKey},
    state::Shared,
};

/// Things that happened.
#[derive(Deserialize, ToSchema)]
pub struct SendEvents {
    /// 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    events: Vec<SentEvent>,
}

/// Something that happened.
#[derive(Deserialize, ToSchema)]
pub struct SentEvent {
    /// Letters, digits, `.`, `_`, `-`; names that begin with `game.` are the server's.
    #[schema(min_length = 1, max_length = 64, example = "level_started")]
    name: String,
    /// When; at most 30 days ago.
    at: Timestamp,
    /// Anything, at most 4096 bytes of JSON.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    properties: Option<Map<String, Value>>,
}

/// What was taken.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// How many events.
    accepted: usize,
}

/// Send events to the log. They are kept safely before the answer.
#[utoipa::path(
    post, path = "/v1/events", tag = "events", operation_id = "send_events",
    params(("Idempotency-Key" = Option<String>, Header, description = "With a key, sending the batch again logs nothing twice.")),
    request_body = SendEvents,
    security(("access_token" = [])),
    responses(
        (status = 202, description = "They will be in the log.", body = Accepted),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player any more.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Wrong values; none was taken.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn send(
    State(app): State<Shared>,
    Caller(player): Caller,
    OptionalKey(key): OptionalKey,
    Body(body): Body<SendEvents>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let batch = body.events.into_iter().map(|event| event::ClientEvent {
        name: event.name,
        at: event.at,
        properties: event.properties.unwrap_or_default(),
    });
    let events = event::accept(&app.game.world, &player, key.as_deref(), batch.collect())?;
    // The token may have outlived its player, of whom nothing more is logged then.
    if !app.game.stores.ledger.player_exists(&player).await.map_err(DomainError::from)? {
        return Err(DomainError::UnknownPlayer.into());
    }
    app.game.stores.ledger.append_events(&events).await.map_err(DomainError::from)?;
    app.game.outbox_wake.notify_one();
    Ok((StatusCode::ACCEPTED, Json(Accepted { accepted: events.len() })))
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(send))
}
