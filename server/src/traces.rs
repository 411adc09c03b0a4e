//! Traces (OpenTelemetry), off unless the environment names a collector.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::http::HeaderMap;
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator as _},
    trace::TracerProvider as _,
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};
use tracing::{Subscriber, field::display};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::store::BoxError;
/// The target of the spans that are traced: what is logged does not decide whether they are.
pub use crate::store::TRACED as TARGET;

static ON: AtomicBool = AtomicBool::new(false);

/// Spans on their way to a collector.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts sending, by OTLP over HTTP. Where to, and the rest, the standard variables say (`OTEL_*`).
    ///
    /// # Errors
    /// When they cannot be understood.
    pub fn start() -> Result<Self, BoxError> {
        // The TLS library takes no part in choosing when several parts of a program use it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
        let resource = if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
            Resource::builder().build()
        } else {
            Resource::builder().with_service_name("game-server").build()
        };
        ON.store(true, Ordering::Relaxed);
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    /// What makes traces of spans.
    #[must_use]
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("game-server")).with_location(false)
    }

    /// Sends what is there, for at most this long.
    pub async fn finish(self, at_most: Duration) {
        // It waits for its own thread.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(at_most)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("not every trace reached the collector");
        }
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}

/// Names a request's span, and lets it go on the trace that the client began (`traceparent`).
pub fn begin(span: &tracing::Span, headers: &HeaderMap, method: &axum::http::Method, route: &str) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    span.record("otel.name", display(format_args!("{method} {route}")));
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    // It fails only where the span is not traced.
    let _ = span.set_parent(parent);
}

/// Notes what a request came to.
pub fn end(span: &tracing::Span, status: u16) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}
