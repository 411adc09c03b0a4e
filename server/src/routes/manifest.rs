//! What the game's assets are now.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    assets::NoManifest,
    error::{ASSETS_NOT_CONFIGURED, ASSETS_UNAVAILABLE, ASSETS_UNPUBLISHED, Problem, ProblemDocument},
    routes::matches,
    state::Shared,
};

/// A version of the assets, as it was pushed.
#[derive(Serialize, ToSchema)]
pub struct AssetsManifest {
    /// Of the manifest itself.
    #[schema(example = 1)]
    format: u32,
    /// Higher with each push.
    #[schema(example = 42)]
    version: u64,
    /// When it was made.
    created_at: jiff::Timestamp,
    /// Every file, by path.
    files: Vec<AssetsFile>,
}

/// A file of the assets.
#[derive(Serialize, ToSchema)]
pub struct AssetsFile {
    /// Its path.
    #[schema(example = "sounds/jump.ogg")]
    path: String,
    /// Of its contents, in hex.
    sha256: String,
    /// In bytes.
    size: u64,
    /// Where its contents are for ever, relative to the manifest's own address (`Content-Location`).
    #[schema(example = "objects/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824.ogg")]
    url: String,
}

/// The assets' manifest, with an ETag: one conditional request tells whether anything changed, and what.
///
/// It is public, as on the CDN: a client may load assets before it has a session. A push is seen here within five seconds
/// of the CDN's having it. While the CDN is away, the last manifest that it had is answered.
#[utoipa::path(
    get, path = "/v1/manifest", tag = "assets", operation_id = "get_manifest",
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of the answer before.")),
    responses(
        (status = 200, body = AssetsManifest, headers(
            ("ETag" = String, description = "The SHA-256 of the manifest, quoted."),
            ("Content-Location" = String, description = "The manifest's own address, to which its `url`s are relative."),
        )),
        (status = 304, description = "Not changed."),
        (status = 404, description = "The game has no assets, or none have been pushed.", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
async fn manifest(State(app): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let assets = app.assets.as_ref().ok_or_else(|| Problem::new(&ASSETS_NOT_CONFIGURED))?;
    let manifest = assets.manifest().await.map_err(|none| match none {
        NoManifest::Unpublished => Problem::new(&ASSETS_UNPUBLISHED),
        NoManifest::Unavailable => Problem::new(&ASSETS_UNAVAILABLE).retry_after(5),
    })?;
    let same = matches(&headers, &manifest.etag);
    let cached = [
        (header::ETAG, manifest.etag),
        (header::CONTENT_LOCATION, manifest.location),
        // To be asked for each time: that costs next to nothing.
        (header::CACHE_CONTROL, "public, no-cache".to_owned()),
    ];
    if same {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    Ok((cached, [(header::CONTENT_TYPE, "application/json")], manifest.body).into_response())
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(manifest))
}
