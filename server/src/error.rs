//! Errors as clients see them: RFC 9457 problems with stable types.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{domain::DomainError, store::chain};

/// A sort of problem. Its `slug` is part of the contract: it never changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The end of the `type`.
    pub slug: &'static str,
    /// The status it is sent with.
    pub status: StatusCode,
    /// For people; the same for every occurrence.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:ident, $slug:literal, $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Kind = Kind { slug: $slug, status: StatusCode::$status, title: $title };
        )*
        /// Every sort of problem.
        pub const KINDS: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    MALFORMED = BAD_REQUEST, "malformed-request", "The request cannot be read.";
    INVALID = UNPROCESSABLE_ENTITY, "invalid-request", "The request has wrong values.";
    UNAUTHENTICATED = UNAUTHORIZED, "unauthenticated", "A valid access token is needed.";
    WRONG_DEVICE_SECRET = UNAUTHORIZED, "wrong-device-secret", "The device secret is wrong.";
    WRONG_REFRESH_TOKEN = UNAUTHORIZED, "wrong-refresh-token", "The refresh token is not valid.";
    FORBIDDEN = FORBIDDEN, "forbidden", "This belongs to another player.";
    NOT_FOUND = NOT_FOUND, "not-found", "There is nothing at this address.";
    UNKNOWN_PLAYER = NOT_FOUND, "unknown-player", "There is no such player.";
    UNKNOWN_BOARD = NOT_FOUND, "unknown-leaderboard", "There is no such leaderboard or season.";
    UNKNOWN_ITEM = NOT_FOUND, "unknown-item", "There is no such item in the catalogue.";
    NOT_RANKED = NOT_FOUND, "not-ranked", "The player has no score on this leaderboard.";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED, "method-not-allowed", "This address does not take this method.";
    KEY_MISSING = BAD_REQUEST, "idempotency-key-missing", "An Idempotency-Key header is needed.";
    KEY_REUSED = UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The key was used for something else.";
    RUN_REUSED = UNPROCESSABLE_ENTITY, "run-id-reused", "The run_id was used for another score.";
    TOO_FEW_COINS = PAYMENT_REQUIRED, "too-few-coins", "The player has too few coins.";
    TOO_MANY_COINS = CONFLICT, "too-many-coins", "The balance would rise above its limit.";
    TOO_MUCH_OWED = CONFLICT, "too-much-owed", "What the player owes would rise above its limit.";
    PRICE_CHANGED = CONFLICT, "price-changed", "The price of the item has changed.";
    RECEIPT_INVALID = UNPROCESSABLE_ENTITY, "receipt-invalid", "The receipt is not of a purchase in this game.";
    RECEIPT_OWNED = CONFLICT, "receipt-owned-by-other", "Another player has the coins of this receipt.";
    UNKNOWN_PRODUCT = UNPROCESSABLE_ENTITY, "unknown-product", "The game does not sell what the receipt is for.";
    STORE_NOT_CONFIGURED = NOT_FOUND, "app-store-not-configured", "Receipts of this app store are not taken.";
    STORE_UNAVAILABLE = SERVICE_UNAVAILABLE, "app-store-unavailable", "The app store cannot be asked now.";
    ASSETS_NOT_CONFIGURED = NOT_FOUND, "assets-not-configured", "The game has no assets.";
    ASSETS_UNPUBLISHED = NOT_FOUND, "assets-unpublished", "No assets have been pushed yet.";
    ASSETS_UNAVAILABLE = SERVICE_UNAVAILABLE, "assets-unavailable", "The assets cannot be asked for now.";
    WRONG_CURSOR = BAD_REQUEST, "wrong-cursor", "The cursor is not valid.";
    SEASON_OVER = CONFLICT, "season-over", "The leaderboard takes no more scores.";
    SEASON_ENDED = GONE, "season-ended", "The season of the cursor has ended.";
    TOO_LARGE = PAYLOAD_TOO_LARGE, "request-too-large", "The request is too large.";
    UNSUPPORTED = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be application/json.";
    RATE_LIMITED = TOO_MANY_REQUESTS, "rate-limited", "Requests come too often.";
    OVERLOADED = SERVICE_UNAVAILABLE, "overloaded", "Too many requests are being served.";
    TIMED_OUT = SERVICE_UNAVAILABLE, "timed-out", "The request took too long.";
    UNAVAILABLE = SERVICE_UNAVAILABLE, "unavailable", "A part of the service is not available.";
    INTERNAL = INTERNAL_SERVER_ERROR, "internal-error", "Something went wrong here.";
}

impl Kind {
    /// The stable `type`, a reference relative to the API.
    #[must_use]
    pub fn type_uri(&self) -> String {
        format!("/problems/{}", self.slug)
    }
}

/// A problem on its way out. [`crate::middleware::frame`] writes the body, with the request's id.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: &'static Kind,
    detail: Option<String>,
    retry_after: Option<u32>,
    more: Map<String, Value>,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// Stable: tells sorts of problems apart.
    #[schema(example = "/problems/too-few-coins")]
    r#type: String,
    /// For people.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time.
    detail: Option<String>,
    /// The request, for support.
    request_id: String,
    /// Each wrong value.
    errors: Option<Vec<FieldError>>,
    /// The player's coins (too-few-coins, too-many-coins).
    balance: Option<i64>,
    /// What the player owes (too-much-owed).
    owed: Option<i64>,
    /// `owned_by_other` (receipt-owned-by-other).
    state: Option<String>,
    /// What the item costs (too-few-coins, price-changed).
    price: Option<i64>,
}

/// A wrong value.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// Which one.
    field: &'static str,
    /// What it must be.
    message: String,
}

impl Problem {
    /// A problem of this sort.
    #[must_use]
    pub fn new(kind: &'static Kind) -> Self {
        let retry_after = (kind.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { kind, detail: None, retry_after, more: Map::new() }
    }

    /// With what is wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The document, for this request.
    #[must_use]
    pub fn render(&self, request_id: &str) -> Response {
        let mut document = json!({
            "type": self.kind.type_uri(),
            "title": self.kind.title,
            "status": self.kind.status.as_u16(),
            "request_id": request_id,
        });
        if let Value::Object(fields) = &mut document {
            if let Some(detail) = &self.detail {
                fields.insert("detail".to_owned(), detail.clone().into());
            }
            fields.extend(self.more.clone());
        }
        let mut response = (self.kind.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DomainError> for Problem {
    fn from(error: DomainError) -> Self {
        let detail = error.to_string();
        match error {
            DomainError::Unauthenticated => Self::new(&UNAUTHENTICATED),
            DomainError::WrongDeviceSecret => Self::new(&WRONG_DEVICE_SECRET),
            DomainError::WrongRefreshToken => Self::new(&WRONG_REFRESH_TOKEN),
            DomainError::Forbidden => Self::new(&FORBIDDEN),
            DomainError::UnknownPlayer => Self::new(&UNKNOWN_PLAYER),
            DomainError::UnknownBoard => Self::new(&UNKNOWN_BOARD),
            DomainError::NotRanked => Self::new(&NOT_RANKED),
            DomainError::UnknownItem => Self::new(&UNKNOWN_ITEM),
            DomainError::Invalid(violations) => {
                let errors = violations.into_iter().map(|v| json!({ "field": v.field, "message": v.message }));
                return Self::new(&INVALID).detail(detail).with("errors", errors.collect::<Vec<_>>());
            }
            DomainError::IdempotencyKeyMissing => Self::new(&KEY_MISSING),
            DomainError::IdempotencyKeyReused => Self::new(&KEY_REUSED),
            DomainError::RunIdReused => Self::new(&RUN_REUSED),
            DomainError::TooFewCoins { balance, price } => {
                Self::new(&TOO_FEW_COINS).with("balance", balance).with("price", price)
            }
            DomainError::PriceChanged { price } => Self::new(&PRICE_CHANGED).with("price", price),
            DomainError::TooManyCoins { balance } => Self::new(&TOO_MANY_COINS).with("balance", balance),
            DomainError::TooMuchOwed { owed } => Self::new(&TOO_MUCH_OWED).with("owed", owed),
            DomainError::ReceiptInvalid(_) => Self::new(&RECEIPT_INVALID),
            DomainError::ReceiptOwnedByOther => Self::new(&RECEIPT_OWNED).with("state", "owned_by_other"),
            DomainError::UnknownProduct => Self::new(&UNKNOWN_PRODUCT),
            DomainError::AppStoreNotConfigured => Self::new(&STORE_NOT_CONFIGURED),
            DomainError::AppStoreUnavailable { retry_after, source } => {
                tracing::warn!(error = %chain(source.as_ref()), "an app store is not available");
                Self::new(&STORE_UNAVAILABLE).retry_after(retry_after.unwrap_or(5))
            }
            DomainError::WrongCursor => Self::new(&WRONG_CURSOR),
            DomainError::SeasonSettling => Self::new(&UNAVAILABLE),
            DomainError::SeasonOver => Self::new(&SEASON_OVER),
            DomainError::SeasonEnded { .. } => Self::new(&SEASON_ENDED),
            DomainError::Store(error) => {
                if error.is_transient() {
                    tracing::warn!(error = %chain(&error), "a store is not available");
                    return Self::new(&UNAVAILABLE);
                }
                tracing::error!(error = %chain(&error), "a store failed");
                return Self::new(&INTERNAL);
            }
        }
        .detail(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_unlike() {
        let slugs: std::collections::HashSet<_> = KINDS.iter().map(|kind| kind.slug).collect();
        assert_eq!(slugs.len(), KINDS.len());
    }
}
