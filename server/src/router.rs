//! All routes, their gates, and their description.

use axum::{
    Router, body::Bytes, extract::DefaultBodyLimit, http::header, middleware::from_fn_with_state,
    response::IntoResponse as _, routing::get,
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config as DocsConfig, SwaggerUi};

use crate::{
    config::Limits,
    error::{INTERNAL, METHOD_NOT_ALLOWED, NOT_FOUND, Problem},
    middleware::{Gate, frame, gate},
    routes,
    state::Shared,
    statuses,
};

/// The largest body that is read.
pub const MAX_BODY: usize = 128 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Game server",
        description = "The backend of a mobile game: players, scores, real-time ranking, purchases, logs.\n\n\
            Problems are `application/problem+json` (RFC 9457). Times are RFC 3339 in UTC. A 503 says in `Retry-After` \
            when to try again.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Security),
    tags(
        (name = "sessions", description = "Guest accounts."),
        (name = "users", description = "Players."),
        (name = "scores", description = "Scores and a player's own rank."),
        (name = "leaderboards", description = "Who is where."),
        (name = "shop", description = "Items and coins."),
        (name = "assets", description = "What the game downloads."),
        (name = "events", description = "The log."),
        (name = "admin", description = "For the operator."),
        (name = "health", description = "For load balancers and people."),
        (name = "problems", description = "What problem types mean."),
    )
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = |description: &str| {
            let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
            SecurityScheme::Http(http.build())
        };
        components.add_security_scheme("access_token", bearer("The access token of a session."));
        components.add_security_scheme("operator_key", bearer("The operator's key."));
    }
}

fn gated(name: &'static str, at_once: usize, limits: &Limits, routes: OpenApiRouter<Shared>) -> OpenApiRouter<Shared> {
    routes.route_layer(from_fn_with_state(Gate::new(name, at_once, limits.deadline), gate))
}

/// Reading ranks has the smallest room and purchases one of their own: ranks are shed first, purchases last.
fn described(limits: &Limits) -> OpenApiRouter<Shared> {
    use routes::{
        admin, catalog, events, health, items, leaderboards, ledger, manifest, problems, receipts, scores, sessions,
        users,
    };
    let reads = users::router().merge(catalog::router()).merge(ledger::router());
    let ranking = leaderboards::router().merge(scores::read_router());
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(gated("sessions", limits.sessions, limits, sessions::router()))
        .merge(gated("purchases", limits.purchases, limits, items::router()))
        .merge(gated("receipts", limits.receipts, limits, receipts::router()))
        .merge(gated("scores", limits.scores, limits, scores::write_router()))
        .merge(gated("reads", limits.reads, limits, reads))
        .merge(gated("ranking", limits.ranking, limits, ranking))
        .merge(gated("events", limits.events, limits, events::router()))
        .merge(gated("manifest", limits.manifest, limits, manifest::router()))
        .merge(gated("admin", limits.admin, limits, admin::router()))
        .merge(health::router())
        .merge(problems::router())
}

/// The description of the API (OpenAPI 3.1).
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = described(&Limits::default()).into_openapi();
    statuses::complete(&mut document);
    document
}

/// The API on its port.
pub fn router(app: Shared, limits: &Limits) -> Router {
    let (routes, mut document) = described(limits).split_for_parts();
    statuses::complete(&mut document);
    // Once, and not for every request.
    let document = Bytes::from(document.to_json().expect("a description is plain data"));
    let json = [(header::CONTENT_TYPE, "application/json")];
    let docs = SwaggerUi::new("/docs").config(DocsConfig::from("/openapi.json"));
    routes
        .route("/openapi.json", get(move || std::future::ready((json, document.clone()))))
        .merge(Router::from(docs))
        .fallback(|| async { Problem::new(&NOT_FOUND) })
        .method_not_allowed_fallback(|| async { Problem::new(&METHOD_NOT_ALLOWED) })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(|_| Problem::new(&INTERNAL).into_response()))
        .layer(from_fn_with_state(app.clone(), frame))
        .with_state(app)
}

/// Metrics, on a port of their own.
pub fn metrics_router(handle: metrics_exporter_prometheus::PrometheusHandle) -> Router {
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Router::new().route("/metrics", get(move || async move { (text, handle.render()) }))
}
