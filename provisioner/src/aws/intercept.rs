//! What happens around every AWS call: the lease is checked and the journal written, whoever makes the call.

use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
    InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::error::{is_html, request_id};

tokio::task_local! {
    /// The address of the node that this task works on, for the journal.
    pub static NODE: String;
}

/// Told of every mutating call. The engine's lease and journal stand behind it.
pub trait Watch: Send + Sync {
    /// Before each attempt: an error stops the call before it is sent.
    fn may_mutate(&self, call: &Call) -> Result<(), BoxError>;
    /// Before the call's first attempt.
    fn started(&self, call: &Call);
    /// After the last attempt.
    fn finished(&self, call: &Call, ok: bool, request_id: Option<String>);
}

/// One AWS call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The service's name in the SDK, for example `EC2`.
    pub service: String,
    /// The operation, for example `CreateVpc`.
    pub operation: String,
    /// The address of the node it is made for, where there is one.
    pub node: Option<String>,
}

impl Call {
    /// Whether the operation changes anything.
    pub fn mutates(&self) -> bool {
        const READS: &[&str] = &["Describe", "Get", "List", "Head", "Simulate", "Search", "Lookup", "Decode"];
        !READS.iter().any(|prefix| self.operation.starts_with(prefix))
    }

    fn of(cfg: &ConfigBag) -> Option<Self> {
        let metadata = cfg.load::<Metadata>()?;
        Some(Self {
            service: metadata.service().to_owned(),
            operation: metadata.name().to_owned(),
            node: NODE.try_with(Clone::clone).ok(),
        })
    }
}

/// The interceptor on every client.
#[derive(Clone)]
pub struct Around(pub Arc<dyn Watch>);

impl std::fmt::Debug for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Around")
    }
}

#[dyn_dispatch_hint]
impl Intercept for Around {
    fn name(&self) -> &'static str {
        "Around"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match Call::of(cfg) {
            Some(call) if call.mutates() => self.0.may_mutate(&call),
            _ => Ok(()),
        }
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = Call::of(cfg).filter(Call::mutates) {
            self.0.started(&call);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = Call::of(cfg).filter(Call::mutates) {
            let ok = context.output_or_error().is_some_and(|result| result.is_ok());
            self.0.finished(&call, ok, context.response().and_then(request_id));
        }
        Ok(())
    }
}

/// Forbids the SDK's own retries where they would harm: of "not implemented" (501, and the HTML page an emulator answers
/// for what it lacks), and of a create that takes no token and has no unique name after an ambiguous failure, which may
/// have been executed. The engine looks for the resource before it tries such a create again.
#[derive(Debug)]
pub struct NeverRetryBlindly;

/// Creates without idempotency: no token, no unique name.
const UNTOKENED: &[&[u8]] =
    &[b"Action=CreateVpc&", b"Action=CreateSubnet&", b"Action=CreateInternetGateway&", b"Action=AllocateAddress&"];

impl ClassifyRetry for NeverRetryBlindly {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let status = context.response().map(|r| r.status().as_u16());
        let html = context.response().is_some_and(is_html);
        if status == Some(501) || (html && status.is_some_and(|s| s >= 500)) {
            return RetryAction::RetryForbidden;
        }
        let failed = matches!(context.output_or_error(), Some(Err(_)));
        let ambiguous = failed && (status.is_none() || status == Some(500));
        let untokened = context
            .request()
            .and_then(|r| r.body().bytes())
            .is_some_and(|body| UNTOKENED.iter().any(|action| body.starts_with(action)));
        if ambiguous && untokened { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "never retry blindly"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
