//! What handlers take from a request, with problems for what cannot be taken.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use crate::{
    domain::{DomainError, keys::same, shop::is_idempotency_key},
    error::{INVALID, MALFORMED, Problem, TOO_LARGE, UNSUPPORTED},
    state::Shared,
    store::PlayerId,
};

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The player whose access token the request carries.
pub struct Caller(pub PlayerId);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or(DomainError::Unauthenticated)?;
        let player = app.game.tokens.verify(token, app.game.world.now())?;
        app.rates.player(&player)?;
        Ok(Self(player))
    }
}

/// The player of the path, who is also the caller.
pub struct Owner(pub PlayerId);

impl FromRequestParts<Shared> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let Caller(caller) = Caller::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app).await;
        let own = params.is_ok_and(|params| params.iter().any(|(name, id)| name == "id" && id == caller.as_str()));
        if own { Ok(Self(caller)) } else { Err(DomainError::Forbidden.into()) }
    }
}

/// The operator.
pub struct Operator;

impl FromRequestParts<Shared> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let key = bearer(&parts.headers).unwrap_or_default();
        if same(key.as_bytes(), app.operator_key.expose_secret().as_bytes()) {
            Ok(Self)
        } else {
            Err(DomainError::Unauthenticated.into())
        }
    }
}

/// The Idempotency-Key, if there is a header of this name.
pub struct OptionalKey(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for OptionalKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        // Of two keys neither is the one.
        let alone = values.next().is_none();
        let key = value.to_str().ok().filter(|key| alone && is_idempotency_key(key));
        key.map(|key| Self(Some(key.to_owned()))).ok_or_else(|| DomainError::IdempotencyKeyMissing.into())
    }
}

/// The Idempotency-Key, which must be there.
pub struct IdempotencyKey(pub String);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let OptionalKey(key) = OptionalKey::from_request_parts(parts, state).await?;
        key.map(Self).ok_or_else(|| DomainError::IdempotencyKeyMissing.into())
    }
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(rejected(&rejection)),
        }
    }
}

fn rejected(rejection: &JsonRejection) -> Problem {
    let kind = match rejection {
        JsonRejection::JsonDataError(_) => &INVALID,
        JsonRejection::MissingJsonContentType(_) => &UNSUPPORTED,
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => &TOO_LARGE,
        _ => &MALFORMED,
    };
    Problem::new(kind).detail(rejection.body_text())
}

/// The query.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(&MALFORMED).detail(rejection.body_text())),
        }
    }
}

/// A player named in the path, who need not be the caller.
///
/// # Errors
/// When it cannot be a player's id.
pub fn player_named(text: &str) -> Result<PlayerId, Problem> {
    PlayerId::parse(text).ok_or_else(|| DomainError::UnknownPlayer.into())
}
