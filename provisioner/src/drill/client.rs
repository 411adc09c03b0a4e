//! The public API, as a game talks to it: one request, or the same one again until it is answered.

use std::time::Duration;

use rand::RngExt;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;

/// A request takes no longer: what the servers themselves allow, and the way.
const TIMEOUT: Duration = Duration::from_secs(11);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two attempts, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Why the API did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No HTTP client, or a request that cannot be.
    #[error("the request cannot be made")]
    Request(#[source] reqwest::Error),
    /// It answered that it will not.
    #[error("{method} {path} was answered {status}: {title}")]
    Refused {
        /// Of the request.
        method: Method,
        /// Of the request, without the host.
        path: String,
        /// The status.
        status: u16,
        /// The problem's title, or what the answer was instead.
        title: String,
    },
    /// It did not answer in time, however often it was asked.
    #[error("{method} {path} was not answered within {seconds} s; at last: {last}")]
    Silent {
        /// Of the request.
        method: Method,
        /// Of the request, without the host.
        path: String,
        /// For how long it was asked.
        seconds: u64,
        /// What the last attempt came to.
        last: String,
    },
}

/// What one attempt came to.
#[derive(Debug)]
pub(super) enum Answer {
    /// 2xx, and the body.
    Done(Value),
    /// Nothing is known, or it cannot be done now: the same request may be sent again, after this pause at least.
    Again { why: String, after: Option<Duration> },
    /// The access token is not good (any more).
    Unauthorized,
    /// It will never be done.
    Refused { status: u16, title: String },
}

/// A request, ready to be sent any number of times.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub method: Method,
    pub path: String,
    pub key: Option<String>,
    pub body: Option<Value>,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), key: None, body: None }
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), key: None, body: Some(body) }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), key: None, body: None }
    }

    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }
}

/// The API at one address. Its operator key is in memory alone.
#[derive(Clone)]
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
    operator: SecretString,
}

impl Api {
    pub fn new(base: &str, operator: SecretString) -> Result<Self, ApiError> {
        // Once a process; whoever was first did it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(ApiError::Request)?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), operator })
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn operator(&self) -> &SecretString {
        &self.operator
    }

    /// One attempt.
    pub async fn attempt(&self, request: &Request, token: Option<&SecretString>) -> Result<Answer, ApiError> {
        let mut builder = self.http.request(request.method.clone(), format!("{}{}", self.base, request.path));
        if let Some(token) = token {
            // A token that no header takes is no token.
            let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())) else {
                return Ok(Answer::Unauthorized);
            };
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(key) = &request.key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let answer = match builder.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_builder() => return Err(ApiError::Request(error)),
            Err(error) => return Ok(Answer::Again { why: brief(&error), after: None }),
        };
        let status = answer.status().as_u16();
        let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = match answer.bytes().await {
            Ok(body) => serde_json::from_slice(&body).unwrap_or(Value::Null),
            // The status alone does not say what was done.
            Err(error) => return Ok(Answer::Again { why: brief(&error), after: None }),
        };
        Ok(judge(status, after.map(Duration::from_secs), body))
    }

    /// The same request until it is answered, as the operator.
    pub async fn as_operator(&self, request: &Request, within: Duration) -> Result<Value, ApiError> {
        self.until_done(request, Some(&self.operator), within).await
    }

    /// The same request until it is answered.
    pub async fn until_done(
        &self,
        request: &Request,
        token: Option<&SecretString>,
        within: Duration,
    ) -> Result<Value, ApiError> {
        let started = Instant::now();
        let mut pauses = Pauses::default();
        loop {
            let last = match self.attempt(request, token).await? {
                Answer::Done(value) => return Ok(value),
                Answer::Refused { status, title } => return Err(refused(request, status, title)),
                Answer::Unauthorized => return Err(refused(request, 401, "the token is not good".into())),
                Answer::Again { why, after } => {
                    let pause = pauses.next(after);
                    if started.elapsed() + pause < within {
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    why
                }
            };
            let (method, path) = (request.method.clone(), request.path.clone());
            return Err(ApiError::Silent { method, path, seconds: started.elapsed().as_secs(), last });
        }
    }
}

fn refused(request: &Request, status: u16, title: String) -> ApiError {
    ApiError::Refused { method: request.method.clone(), path: request.path.clone(), status, title }
}

fn judge(status: u16, after: Option<Duration>, body: Value) -> Answer {
    match status {
        200..=299 => Answer::Done(body),
        401 => Answer::Unauthorized,
        408 | 425 | 429 | 500..=599 => Answer::Again { why: format!("HTTP {status}"), after },
        _ => {
            let title = body.get("title").and_then(Value::as_str).unwrap_or("no problem document");
            Answer::Refused { status, title: title.to_owned() }
        }
    }
}

/// What went wrong on the way, in few words: of the chain the last is the cause.
fn brief(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Pauses that grow, by chance a little shorter, so that those who wait do not come back at once.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(PAUSES.0)
    }
}

impl Pauses {
    /// The next one, at least what the server asked for.
    pub fn next(&mut self, asked_for: Option<Duration>) -> Duration {
        let pause = self.0.mul_f64(rand::rng().random_range(0.5..1.0));
        self.0 = (self.0 * 2).min(PAUSES.1);
        pause.max(asked_for.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent_again_and_what_not() {
        for status in [429, 500, 502, 503, 504] {
            assert!(matches!(judge(status, None, Value::Null), Answer::Again { .. }), "{status}");
        }
        for status in [400, 402, 404, 409, 422] {
            assert!(matches!(judge(status, None, Value::Null), Answer::Refused { .. }), "{status}");
        }
        assert!(matches!(judge(201, None, Value::Null), Answer::Done(_)));
        assert!(matches!(judge(401, None, Value::Null), Answer::Unauthorized));
    }

    #[test]
    fn pauses_grow_to_a_limit_and_are_never_shorter_than_asked_for() {
        let mut pauses = Pauses::default();
        let first = pauses.next(None);
        assert!(first >= PAUSES.0 / 2 && first <= PAUSES.0);
        assert!(pauses.next(Some(Duration::from_secs(30))) >= Duration::from_secs(30));
        for _ in 0..20 {
            assert!(pauses.next(None) <= PAUSES.1);
        }
    }
}
