//! Access tokens: signed, short-lived, checked without a store. Refresh tokens: signed too, so that an old one is known
//! for what it is.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use super::{
    DomainError,
    keys::{SigningKeys, mac, same},
};
use crate::store::PlayerId;

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: i64,
    exp: i64,
}

/// Makes and checks access tokens.
pub struct AccessTokens {
    sign: EncodingKey,
    verify: Vec<DecodingKey>,
    validation: Validation,
    lifetime: Duration,
}

impl AccessTokens {
    /// Tokens signed by the current key, living this long.
    #[must_use]
    pub fn new(keys: &SigningKeys, lifetime: Duration) -> Self {
        let derived = keys.derive("access token");
        let mut validation = Validation::new(Algorithm::HS256);
        // The clock is passed in, so the expiry is checked here and not by the library.
        validation.validate_exp = false;
        Self {
            sign: EncodingKey::from_secret(&derived[0]),
            verify: derived.iter().map(|key| DecodingKey::from_secret(key)).collect(),
            validation,
            lifetime,
        }
    }

    /// How long a token lives.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A token for a player.
    #[must_use]
    pub fn issue(&self, player: &PlayerId, now: Timestamp) -> String {
        let iat = now.as_second();
        let exp = iat.saturating_add_unsigned(self.lifetime.as_secs());
        let claims = Claims { sub: player.to_string(), iat, exp };
        encode(&Header::new(Algorithm::HS256), &claims, &self.sign).expect("an HMAC over plain claims cannot fail")
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// When it is not ours or has expired.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<PlayerId, DomainError> {
        self.verify
            .iter()
            .find_map(|key| decode::<Claims>(token, key, &self.validation).ok())
            .filter(|token| now.as_second() < token.claims.exp)
            .and_then(|token| PlayerId::parse(&token.claims.sub))
            .ok_or(DomainError::Unauthenticated)
    }
}

/// Makes and checks refresh tokens. A token follows from its session and its place among the session's tokens, so that
/// an exchange that is asked for twice has one answer.
pub struct RefreshTokens {
    keys: Vec<[u8; 32]>,
}

impl RefreshTokens {
    /// Tokens signed by the current key.
    #[must_use]
    pub fn new(keys: &SigningKeys) -> Self {
        Self { keys: keys.derive("refresh token") }
    }

    /// The session's token of this place, from 1.
    #[must_use]
    pub fn issue(&self, session: &str, place: u64) -> String {
        token(&self.keys[0], session, place)
    }

    /// The same as whichever key signed it may have it.
    pub fn candidates(&self, session: &str, place: u64) -> impl Iterator<Item = String> {
        self.keys.iter().map(move |key| token(key, session, place))
    }

    /// The session and the place of a token that is ours.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify<'a>(&self, token: &'a str) -> Result<(&'a str, u64), DomainError> {
        let mut parts = token.split('.');
        let place = parts.next().zip(parts.next()).and_then(|(session, place)| Some((session, place.parse().ok()?)));
        let (session, place) = place.ok_or(DomainError::WrongRefreshToken)?;
        let ours = self.candidates(session, place).any(|ours| same(ours.as_bytes(), token.as_bytes()));
        if ours { Ok((session, place)) } else { Err(DomainError::WrongRefreshToken) }
    }
}

fn token(key: &[u8; 32], session: &str, place: u64) -> String {
    let tag = mac(key, format!("{session}.{place}").as_bytes());
    format!("{session}.{place}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    fn keys(current: u8, previous: Option<u8>) -> SigningKeys {
        let text = |byte| STANDARD.encode([byte; 32]);
        SigningKeys::from_base64(&text(current), previous.map(text).as_deref()).expect("long enough")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn lives_for_its_lifetime_and_survives_one_change_of_the_key() {
        let player = PlayerId::parse("01JD").expect("an id");
        let old = AccessTokens::new(&keys(1, None), Duration::from_mins(1));
        let token = old.issue(&player, at(1_000));
        assert_eq!(old.verify(&token, at(1_059)).expect("valid"), player);
        assert!(old.verify(&token, at(1_060)).is_err());
        assert!(AccessTokens::new(&keys(2, Some(1)), Duration::from_mins(1)).verify(&token, at(1_001)).is_ok());
        assert!(AccessTokens::new(&keys(3, Some(2)), Duration::from_mins(1)).verify(&token, at(1_001)).is_err());
    }

    #[test]
    fn refresh_tokens_survive_one_change_of_the_key_and_are_not_made_up() {
        let old = RefreshTokens::new(&keys(1, None)).issue("01JD", 7);
        assert_eq!(RefreshTokens::new(&keys(2, Some(1))).verify(&old).expect("ours"), ("01JD", 7));
        assert!(RefreshTokens::new(&keys(3, Some(2))).verify(&old).is_err());
        let tokens = RefreshTokens::new(&keys(1, None));
        for wrong in
            [old.replace(".7.", ".8."), old.replace("01JD", "01JE"), old.replace(".7.", ".07."), "x".to_owned()]
        {
            assert!(tokens.verify(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn neither_tampered_nor_unsigned_tokens_pass() {
        let tokens = AccessTokens::new(&keys(1, None), Duration::from_mins(1));
        let token = tokens.issue(&PlayerId::parse("01JD").expect("an id"), at(1_000));
        let mut parts: Vec<&str> = token.split('.').collect();
        let other = tokens.issue(&PlayerId::parse("01JE").expect("an id"), at(1_000));
        parts[1] = other.split('.').nth(1).expect("three parts");
        assert!(tokens.verify(&parts.join("."), at(1_000)).is_err());
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
        assert!(tokens.verify(&unsigned, at(1_000)).is_err());
    }
}
