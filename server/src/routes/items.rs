//! Purchases.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::shop,
    error::{Problem, ProblemDocument},
    extract::{Body, IdempotencyKey, Owner},
    state::Shared,
};

/// An item to buy.
#[derive(Deserialize, ToSchema)]
pub struct BuyItem {
    /// From the catalogue. A number is taken as its text.
    #[serde(deserialize_with = "text_or_number")]
    #[schema(example = "101")]
    item_id: String,
    /// The slot it goes to; in none if left out.
    #[schema(minimum = 1)]
    slot: Option<u8>,
    /// The price that the player was shown.
    #[schema(minimum = 0, example = 100)]
    expected_price: i64,
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(u64),
    }
    Ok(match Id::deserialize(deserializer)? {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    })
}

/// A purchase. The repeat with the same key has the same body, for ever.
#[derive(Serialize, ToSchema)]
pub struct Purchase {
    /// Its id.
    purchase_id: String,
    /// What was bought.
    item_id: String,
    /// Where it went.
    slot: Option<u8>,
    /// What was paid.
    price: i64,
    /// The coins left right after it.
    balance: i64,
}

/// Buy one piece of an item.
#[utoipa::path(
    post, path = "/v1/users/{id}/items", tag = "shop", operation_id = "buy_item",
    params(
        ("id" = String, Path, description = "The caller's own id."),
        ("Idempotency-Key" = String, Header, description = "1 to 128 printable ASCII characters, made anew for each purchase and sent again with each repeat of it."),
    ),
    request_body = BuyItem,
    security(("access_token" = [])),
    responses(
        (status = 201, description = "Bought: now, or before with this key.", body = Purchase),
        (status = 400, description = "No Idempotency-Key.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "No valid access token.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 402, description = "Too few coins; with `balance` and `price`.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "Another player's.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such player or item.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The price has changed; with `price`.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Wrong values, or the key was used for another purchase.", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn buy(
    State(app): State<Shared>,
    Owner(player): Owner,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<BuyItem>,
) -> Result<(StatusCode, Json<Purchase>), Problem> {
    let wish = shop::Wish { item_id: body.item_id, slot: body.slot, expected_price: body.expected_price };
    let bought = shop::buy(&app.game, &player, &key, wish).await?;
    metrics::counter!("purchases_total", "repeated" => bought.repeated.to_string()).increment(1);
    let row = bought.row;
    let purchase = Purchase {
        purchase_id: row.purchase_id,
        item_id: row.item_id,
        slot: row.slot,
        price: row.price,
        balance: row.balance,
    };
    Ok((StatusCode::CREATED, Json(purchase)))
}

/// The routes of this noun.
#[must_use]
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(buy))
}
