//! What happens around every AWS call: the lease is checked and the journal written, whoever makes the call.

use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;

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

/// The call was not sent, because [`Watch::may_mutate`] said no.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Withheld(BoxError);

impl Withheld {
    pub(super) fn new(why: BoxError) -> Self {
        Self(why)
    }
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
            Some(call) if call.mutates() => self.0.may_mutate(&call).map_err(|why| Box::new(Withheld(why)) as BoxError),
            _ => Ok(()),
        }
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // For the HTTP client, which sees requests alone.
        if let Some(call) = Call::of(cfg) {
            context.request_mut().add_extension(call);
        }
        Ok(())
    }

    // Not `read_before_execution`: that comes before the operation's name is known.
    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = Call::of(cfg).filter(Call::mutates) {
            if UNTOKENED.contains(&call.operation.as_str()) {
                cfg.interceptor_state().store_put(RetryConfig::disabled());
            }
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

/// Creates without idempotency: no token, no unique name. An attempt that failed may have been executed, so the SDK makes
/// one alone; the engine looks for the resource before it tries again.
const UNTOKENED: &[&str] = &["CreateVpc", "CreateSubnet", "CreateInternetGateway", "AllocateAddress", "CreateBackup"];

/// What the SDK does not know: "not implemented" (501) is never retried, "too many requests" (429) always.
#[derive(Debug, Clone, Copy)]
pub struct ByStatus {
    /// Whether a page of HTML is an emulator's word for what it lacks. From AWS it is a proxy's that could not reach the
    /// service.
    pub emulated: bool,
}

impl ClassifyRetry for ByStatus {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else { return RetryAction::NoActionIndicated };
        let status = response.status().as_u16();
        if status == 501 || (self.emulated && is_html(response) && status >= 500) {
            return RetryAction::RetryForbidden;
        }
        // SNS words it `Throttled`, a code that the SDK does not know.
        if status == 429 {
            return RetryAction::throttling_error();
        }
        RetryAction::NoActionIndicated
    }

    fn name(&self) -> &'static str {
        "not implemented is final, too many requests are not"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
