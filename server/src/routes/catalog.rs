//! What can be bought.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{error::ProblemDocument, extract::Caller, routes::matches, state::Shared};

/// What can be bought.
#[derive(Serialize, ToSchema)]
pub struct Catalog {
    /// In no particular order.
    items: Vec<CatalogItem>,
}

/// Something that can be bought.
#[derive(Serialize, ToSchema)]
pub struct CatalogItem {
    /// For purchases.
    #[schema(example = "101")]
    item_id: String,
    /// For people.
    #[schema(example = "Bomb")]
    name: String,
    /// In coins.
    #[schema(example = 100)]
    price: i64,
    /// What sort of thing it is.
    #[schema(example = "consumable")]
    kind: String,
    /// `stackable`: bought without a slot; `slot`: with one; `any`: as the buyer likes.
    #[schema(example = "any")]
    placement: &'static str,
}

/// What can be bought, with an ETag.
#[utoipa::path(
    get, path = "/v1/catalog", tag = "shop", operation_id = "get_catalog",
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of the answer before.")),
    security(("access_token" = [])),
    responses(
        (status = 200, body = Catalog, headers(("ETag" = String, description = "Changes with the catalogue."))),
        (status = 304, description = "Not changed."),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn catalog(State(app): State<Shared>, _: Caller, headers: HeaderMap) -> Response {
    let definition = app.game.definition();
    let catalogue = &definition.catalogue;
    let cached =
        [(header::ETAG, catalogue.etag().to_owned()), (header::CACHE_CONTROL, "private, max-age=60".to_owned())];
    if matches(&headers, catalogue.etag()) {
        return (StatusCode::NOT_MODIFIED, cached).into_response();
    }
    let items = catalogue.items().iter().cloned().map(|item| CatalogItem {
        item_id: item.item_id,
        name: item.name,
        price: item.price,
        kind: item.kind,
        placement: item.placement.name(),
    });
    (cached, Json(Catalog { items: items.collect() })).into_response()
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(catalog))
}
