//! A Google service account: its key, and the access tokens that are had for it (OAuth 2, RFC 7523).

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use x509_parser::{der_parser::der::parse_der, pem::parse_x509_pem};

use crate::store::BoxError;

const SCOPE: &str = "https://www.googleapis.com/auth/androidpublisher";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const LIFETIME: SignedDuration = SignedDuration::from_mins(60);
/// A token is not used so close to its end.
const MARGIN: SignedDuration = SignedDuration::from_mins(1);

/// A service account that cannot be used. Says nothing about the key.
#[derive(Debug, thiserror::Error)]
#[error("it is not the JSON key of a Google service account (client_email, private_key, token_uri)")]
pub struct AccountError;

/// The key as Google's console gives it.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: SecretString,
    private_key_id: Option<String>,
    token_uri: String,
}

/// A service account.
pub struct ServiceAccount {
    email: String,
    key: EncodingKey,
    key_id: Option<String>,
    token_uri: String,
    token: Mutex<Option<(SecretString, Timestamp)>>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Token {
    access_token: SecretString,
    expires_in: i64,
}

impl ServiceAccount {
    /// Reads the JSON key.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_json(text: &SecretString) -> Result<Self, AccountError> {
        // The parser's own error could quote the key.
        let file: KeyFile = serde_json::from_str(text.expose_secret()).map_err(|_| AccountError)?;
        let key = rsa_key(file.private_key.expose_secret().as_bytes()).ok_or(AccountError)?;
        reqwest::Url::parse(&file.token_uri).map_err(|_| AccountError)?;
        let (email, key_id, token_uri) = (file.client_email, file.private_key_id, file.token_uri);
        let account = Self { email, key, key_id, token_uri, token: Mutex::new(None) };
        account.assertion(Timestamp::UNIX_EPOCH).map_err(|_| AccountError)?;
        Ok(account)
    }

    fn assertion(&self, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        let iat = now.as_second();
        let exp = iat + LIFETIME.as_secs();
        let claims = Claims { iss: &self.email, scope: SCOPE, aud: &self.token_uri, iat, exp };
        encode(&header, &claims, &self.key)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<(SecretString, Timestamp)>> {
        self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Forgets the token: it was refused.
    pub(super) fn forget(&self) {
        *self.known() = None;
    }

    /// An access token that is good for a while yet.
    pub(super) async fn token(&self, http: &Client, now: Timestamp) -> Result<String, BoxError> {
        if let Some((token, until)) = self.known().as_ref()
            && now < *until
        {
            return Ok(token.expose_secret().to_owned());
        }
        let assertion = self.assertion(now)?;
        let form = [("grant_type", GRANT), ("assertion", &assertion)];
        let response = http.post(&self.token_uri).form(&form).send().await?;
        if !response.status().is_success() {
            return Err(format!("the token endpoint answered {}", response.status()).into());
        }
        let token: Token = response.json().await?;
        let life = SignedDuration::from_secs(token.expires_in.clamp(0, LIFETIME.as_secs())) - MARGIN;
        let until = now.saturating_add(life).unwrap_or(now);
        let text = token.access_token.expose_secret().to_owned();
        *self.known() = Some((token.access_token, until));
        Ok(text)
    }
}

/// The RSA key inside a PEM of PKCS #8, as the library wants it.
fn rsa_key(pem: &[u8]) -> Option<EncodingKey> {
    let (_, pem) = parse_x509_pem(pem).ok()?;
    if pem.label == "RSA PRIVATE KEY" {
        return Some(EncodingKey::from_rsa_der(&pem.contents));
    }
    let (_, info) = parse_der(&pem.contents).ok()?;
    let key = info.as_sequence().ok()?.get(2)?.as_slice().ok()?;
    Some(EncodingKey::from_rsa_der(key))
}
