//! Sessions of guest accounts.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::account,
    error::{Problem, ProblemDocument},
    extract::Body,
    state::Shared,
};

/// A device that wants in.
#[derive(Deserialize, ToSchema)]
pub struct OpenSession {
    /// The client's name for the device, unique and lasting.
    #[schema(min_length = 1, max_length = 128, example = "6f1c2f6e-6a0e-4a0c-9f0d-3f2b8a7c1d5e")]
    device_id: String,
    /// At least 32 random bytes in text (base64url or hex), made once on the device and kept there.
    #[schema(min_length = 43, max_length = 512, format = Password)]
    device_secret: String,
}

/// A session to go on with.
#[derive(Deserialize, ToSchema)]
pub struct RefreshSession {
    /// From the answer before; valid once.
    refresh_token: String,
}

/// A running session.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// The player.
    user_id: String,
    /// For the header `Authorization: Bearer`.
    access_token: String,
    /// Seconds until the access token expires.
    expires_in: u64,
    /// For the next session.
    refresh_token: String,
}

impl From<account::Session> for Session {
    fn from(session: account::Session) -> Self {
        Self {
            user_id: session.player.to_string(),
            access_token: session.access_token,
            expires_in: session.expires_in,
            refresh_token: session.refresh_token,
        }
    }
}

/// Let a device in; it gets an account if it has none.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "sessions", operation_id = "open_session",
    request_body = OpenSession,
    responses(
        (status = 201, description = "The account is new.", body = Session),
        (status = 200, description = "The device's account.", body = Session),
        (status = 401, description = "The secret is wrong.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Wrong values.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn open(
    State(app): State<Shared>,
    Body(body): Body<OpenSession>,
) -> Result<(StatusCode, Json<Session>), Problem> {
    let session = account::open_session(&app.game, &body.device_id, &body.device_secret).await?;
    let status = if session.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(session.into())))
}

/// Exchange a refresh token for new tokens.
#[utoipa::path(
    post, path = "/v1/sessions/refresh", tag = "sessions", operation_id = "refresh_session",
    request_body = RefreshSession,
    responses(
        (status = 200, description = "New tokens; the old refresh token is used up.", body = Session),
        (status = 401, description = "The token is not valid.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn refresh(State(app): State<Shared>, Body(body): Body<RefreshSession>) -> Result<Json<Session>, Problem> {
    Ok(Json(account::refresh_session(&app.game, &body.refresh_token).await?.into()))
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(open)).routes(routes!(refresh))
}
