//! The assets' manifest, as the CDN has it: asked for every few seconds at most, and remembered while that is away.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use reqwest::{Client, StatusCode, Url, header};
use serde::{Deserialize, de::IgnoredAny};
use sha2::{Digest as _, Sha256};

use crate::store::{BoxError, chain};

/// The manifest's name below the assets' address.
const MANIFEST: &str = "manifest.json";
/// What was asked is answered from memory for this long, whatever came of it.
const FRESH: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(3);
/// More than this is no manifest: about a hundred thousand files.
const LARGEST: usize = 32 << 20;

/// Where the assets are.
pub struct Assets {
    http: Client,
    url: Url,
    fresh: Duration,
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<()>,
}

/// What is known of the manifest.
#[derive(Default)]
struct Known {
    last: Option<Manifest>,
    /// The CDN's own ETag of it, to ask with.
    etag: Option<String>,
    asked: Option<(Instant, Heard)>,
}

/// What the CDN said when it was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// The manifest, or that it is the same.
    It,
    /// That there is none.
    Nothing,
    /// Nothing that can be used.
    Silence,
}

/// A manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// As it was pushed.
    pub body: Bytes,
    /// Its SHA-256, quoted.
    pub etag: String,
    /// Where it is: what it names is relative to this.
    pub location: String,
}

/// Why there is none to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoManifest {
    /// Nothing has been pushed.
    Unpublished,
    /// The CDN cannot be asked, and never answered before.
    Unavailable,
}

/// What every manifest has.
#[derive(Deserialize)]
struct Shape {
    #[expect(dead_code, reason = "only that it is there")]
    version: u64,
    #[expect(dead_code, reason = "only that it is there")]
    files: Vec<IgnoredAny>,
}

impl Assets {
    /// At this address.
    ///
    /// # Errors
    /// When the HTTP client cannot be made (no certificates to trust).
    pub fn new(url: &Url) -> Result<Self, BoxError> {
        // The TLS library takes no part in choosing when several parts of a program use it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).build()?;
        let mut url = url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(MANIFEST);
        }
        Ok(Self { http, url, fresh: FRESH, known: Mutex::default(), asking: tokio::sync::Mutex::new(()) })
    }

    /// The manifest that counts; while the CDN is away, the last one that it had.
    ///
    /// # Errors
    /// When there never was one.
    pub async fn manifest(&self) -> Result<Manifest, NoManifest> {
        if let Some(answer) = self.remembered() {
            return answer;
        }
        // One asks; who has something to go on with does not wait for that.
        let asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            Err(_) => {
                if let Some(last) = self.known().last.clone() {
                    return Ok(last);
                }
                self.asking.lock().await
            }
        };
        if let Some(answer) = self.remembered() {
            return answer;
        }
        self.ask().await;
        drop(asking);
        self.answer()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What was heard a moment ago.
    fn remembered(&self) -> Option<Result<Manifest, NoManifest>> {
        let fresh = self.known().asked.is_some_and(|(at, _)| at.elapsed() < self.fresh);
        fresh.then(|| self.answer())
    }

    fn answer(&self) -> Result<Manifest, NoManifest> {
        let known = self.known();
        match (&known.last, known.asked) {
            (Some(last), _) => Ok(last.clone()),
            (None, Some((_, Heard::Nothing))) => Err(NoManifest::Unpublished),
            (None, _) => Err(NoManifest::Unavailable),
        }
    }

    async fn ask(&self) {
        let etag = self.known().etag.clone();
        let heard = self.fetch(etag.as_deref()).await;
        let mut known = self.known();
        let (heard, result) = match heard {
            Ok(Some(Fetched::New(manifest, etag))) => {
                (known.last, known.etag) = (Some(manifest), etag);
                (Heard::It, "new")
            }
            Ok(Some(Fetched::Same)) => (Heard::It, "same"),
            Ok(None) => (Heard::Nothing, "none"),
            Err(error) => {
                tracing::warn!(error = %chain(error.as_ref()), url = %self.url, "the manifest cannot be had");
                (Heard::Silence, "failed")
            }
        };
        metrics::counter!("manifest_fetches_total", "result" => result).increment(1);
        known.asked = Some((Instant::now(), heard));
    }

    /// Asks the CDN. None: it has no manifest (a bucket that may not be listed says 403 for what is not there).
    async fn fetch(&self, etag: Option<&str>) -> Result<Option<Fetched>, BoxError> {
        let mut request = self.http.get(self.url.clone());
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let mut response = request.send().await?;
        match response.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Some(Fetched::Same)),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::OK => {}
            other => return Err(format!("it answered {other}").into()),
        }
        let etag = response.headers().get(header::ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("it has more than {LARGEST} bytes").into());
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice::<Shape>(&body)?;
        let sha256 = hex::encode(Sha256::digest(&body));
        let manifest = Manifest { body: body.into(), etag: format!("\"{sha256}\""), location: self.url.to_string() };
        Ok(Some(Fetched::New(manifest, etag)))
    }
}

enum Fetched {
    New(Manifest, Option<String>),
    Same,
}

#[cfg(test)]
impl Assets {
    /// Asks every time.
    pub fn impatient(url: &Url) -> Self {
        Self { fresh: Duration::ZERO, ..Self::new(url).expect("a client") }
    }
}
