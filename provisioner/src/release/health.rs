//! Whether the API answers: asked from outside, through the load balancer, until every instance has been heard.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_smithy_http_client::default_connector;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;
use tokio::time::Instant;

use crate::engine::events::{Event, Listener, chain};

/// Why the API does not count as up.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// No HTTP client.
    #[error("cannot set up an HTTP client")]
    Client,
    /// Not enough instances answered in time.
    #[error("{heard} of {wanted} instances answered {url} within {seconds} s; the last answer: {last}")]
    TooFew {
        /// How many were heard.
        heard: usize,
        /// How many were wanted.
        wanted: usize,
        /// What was asked.
        url: String,
        /// How long.
        seconds: u64,
        /// The last answer that was no success, in words.
        last: String,
    },
}

/// What `/readyz` answers, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Ready {
    #[serde(default)]
    instance: Option<String>,
    #[serde(default)]
    release: Option<String>,
}

/// Asks `<api>/readyz` until `wanted` different instances have answered 200, of `release` where one is named. Each with the
/// release that it says it runs.
pub async fn await_instances(
    api_url: &str,
    wanted: usize,
    release: Option<&str>,
    limit: Duration,
    listener: &Listener,
) -> Result<BTreeMap<String, String>, HealthError> {
    let url = format!("{}/readyz", api_url.trim_end_matches('/'));
    let settings = HttpConnectorSettings::builder().read_timeout(Duration::from_secs(10)).build();
    let connector = default_connector(&settings, None).ok_or(HealthError::Client)?;
    let started = Instant::now();
    let mut heard = BTreeMap::new();
    let mut last = "none".to_owned();
    while started.elapsed() < limit {
        match ask(&connector, &url).await {
            Ok((instance, runs)) if release.is_none_or(|release| release == runs) => {
                heard.insert(instance, runs);
            }
            Ok((instance, runs)) => last = format!("{instance} runs release {runs}"),
            Err(answer) => last = answer,
        }
        if heard.len() >= wanted {
            return Ok(heard);
        }
        let state = format!("{} of {wanted} instances answer", heard.len());
        listener(Event::Waiting { address: "api".into(), state });
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(HealthError::TooFew { heard: heard.len(), wanted, url, seconds: limit.as_secs(), last })
}

/// One request: the instance that answered and the release that it runs, or what was answered instead.
async fn ask(connector: &SharedHttpConnector, url: &str) -> Result<(String, String), String> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url).map_err(|error| chain(&error))?;
    let answer = connector.call(request).await.map_err(|error| chain(&error))?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(format!("HTTP {status}"));
    }
    let body = aws_smithy_types::byte_stream::ByteStream::new(answer.into_body()).collect().await;
    let body = body.map_err(|error| chain(&error))?.into_bytes();
    let ready: Option<Ready> = serde_json::from_slice(&body).ok();
    let (instance, release) = ready.map(|ready| (ready.instance, ready.release)).unwrap_or_default();
    Ok((instance.unwrap_or_else(|| "one".to_owned()), release.unwrap_or_default()))
}
