//! Around every request: an id, a log line, metrics; concurrency limits and deadlines.

use std::{
    error::Error as _,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::HttpBody as _,
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, field::Empty};

use crate::{
    error::{MALFORMED, OVERLOADED, Problem, TIMED_OUT, TOO_LARGE},
    rate::client_address,
    router::MAX_BODY,
    state::Shared,
    traces,
};

const REQUEST_ID: &str = "x-request-id";

fn request_id(headers: &HeaderMap, app: &Shared) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()))
        .map_or_else(|| app.game.world.ulid(), str::to_owned)
}

/// The load balancer and the deploys ask these; they are neither limited nor worth a line each.
fn is_probe(route: &str) -> bool {
    matches!(route, "/livez" | "/readyz")
}

/// A refusal that no handler saw, such as of a path that is not UTF-8.
fn is_frameworks_own(response: &Response) -> bool {
    let text = response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
    response.status() == StatusCode::BAD_REQUEST && text
}

/// A client may make up methods; each would be kept for ever.
fn method_label(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {
            method.as_str()
        }
        _ => "other",
    }
}

/// Gives the request an id, writes a log line and metrics about it, and writes problems out.
pub async fn frame(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers(), &app);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let client = client_address(request.headers(), peer);
    let span = tracing::info_span!(
        target: traces::TARGET, "request", request_id = %id, %method, route, otel.kind = "server",
        otel.name = Empty, otel.status_code = Empty, http.response.status_code = Empty,
    );
    traces::begin(&span, request.headers(), &method, &route);
    let admitted = client.filter(|_| !is_probe(&route)).map_or(Ok(()), |address| app.rates.address(address));
    let mut response = match admitted {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        Err(problem) => problem.into_response(),
    };
    if is_frameworks_own(&response) {
        response = Problem::new(&MALFORMED).into_response();
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let plain = response;
        response = problem.render(&id);
        if let Some(allow) = plain.headers().get("allow") {
            response.headers_mut().insert("allow", allow.clone());
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    traces::end(&span, status);
    let labels =
        [("method", method_label(&method).to_owned()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels[..2]).record(elapsed.as_secs_f64());
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let client = client.map_or_else(|| "-".to_owned(), |address| address.to_string());
    span.in_scope(|| {
        if is_probe(&route) {
            tracing::debug!(status, millis, client, "answered");
        } else {
            tracing::info!(status, millis, client, "answered");
        }
    });
    response
}

/// A group of routes that is served at most so many at a time and each at most so long.
#[derive(Debug)]
pub struct Gate {
    name: &'static str,
    permits: Semaphore,
    deadline: Duration,
}

impl Gate {
    /// A gate of its own for a group of routes, so that one group's load does not use up another's room.
    #[must_use]
    pub fn new(name: &'static str, at_once: usize, deadline: Duration) -> Arc<Self> {
        Arc::new(Self { name, permits: Semaphore::new(at_once), deadline })
    }
}

/// The request with all of its body.
async fn whole(request: Request) -> Result<Request, Problem> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(bytes) => Ok(Request::from_parts(parts, bytes.into())),
        Err(error) if error.source().is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) => {
            Err(Problem::new(&TOO_LARGE))
        }
        Err(_) => Err(Problem::new(&MALFORMED).detail("the body could not be read")),
    }
}

/// Lets a request through its gate, or sheds it at once: a queue would only make every answer late. Its body is there by
/// then: who sends one slowly takes up nobody's room.
pub async fn gate(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let through = async {
        let request = whole(request).await?;
        let Ok(_permit) = gate.permits.try_acquire() else {
            metrics::counter!("http_shed_total", "group" => gate.name).increment(1);
            return Err(Problem::new(&OVERLOADED));
        };
        Ok(next.run(request).await)
    };
    match tokio::time::timeout(gate.deadline, through).await.map(IntoResponse::into_response) {
        Ok(response) => response,
        Err(_) => {
            metrics::counter!("http_timed_out_total", "group" => gate.name).increment(1);
            Problem::new(&TIMED_OUT).into_response()
        }
    }
}
