//! Whether this instance may get traffic.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{lifecycle::Phase, state::Shared};

/// Shallow: for the load balancer.
#[derive(Serialize, ToSchema)]
pub struct Live {
    /// `live`, `starting` or `draining`.
    #[schema(example = "live")]
    status: &'static str,
}

/// Deep: for deploys and people.
#[derive(Serialize, ToSchema)]
pub struct Ready {
    /// `ready`, `starting`, `draining` or `degraded`.
    #[schema(example = "ready")]
    status: &'static str,
    /// SHA-256 of the running release, if it is known.
    release: Option<String>,
    /// The EC2 instance, if it is one.
    instance: Option<String>,
    /// The stack, if there is one.
    stack: Option<String>,
    /// Where the game's assets are, if they are anywhere.
    assets_url: Option<String>,
    /// The version of the server.
    version: &'static str,
    /// Each store: `ok`, or what is wrong with it. The log may be away: events wait for it.
    checks: BTreeMap<&'static str, String>,
}

fn status_of(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// 200 once the start-up check has passed, until the instance is being stopped.
#[utoipa::path(
    get, path = "/livez", tag = "health", operation_id = "get_live",
    responses((status = 200, body = Live), (status = 503, description = "Starting or stopping.", body = Live))
)]
async fn livez(State(app): State<Shared>) -> (StatusCode, Json<Live>) {
    let phase = app.health.phase();
    (status_of(phase == Phase::Live), Json(Live { status: phase.name() }))
}

/// 200 if everything that a player needs works right now.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "get_ready",
    responses((status = 200, body = Ready), (status = 503, description = "Something does not work.", body = Ready))
)]
async fn readyz(State(app): State<Shared>) -> (StatusCode, Json<Ready>) {
    let checks = app.health.checks(&app.game.stores).await;
    let phase = app.health.phase();
    let works = checks.iter().all(|(store, state)| *store == "log" || state == "ok");
    let status = match phase {
        Phase::Live if works => "ready",
        Phase::Live => "degraded",
        other => other.name(),
    };
    let about = app.health.about();
    let ready = Ready {
        status,
        release: about.release.clone(),
        instance: about.instance.clone(),
        stack: about.stack.clone(),
        assets_url: about.assets_url.clone(),
        version: env!("CARGO_PKG_VERSION"),
        checks,
    };
    (status_of(status == "ready"), Json(ready))
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(livez)).routes(routes!(readyz))
}
