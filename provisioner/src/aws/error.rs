//! One error for every AWS call: what was called, what AWS said, and its request id.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::intercept::Withheld;

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The service answered with an error code.
    Refused,
    /// The endpoint does not implement the action (501, or an emulator's HTML page).
    NotImplemented,
    /// Nothing answered at the endpoint.
    Unreachable,
    /// No answer in time; the call may have been executed.
    TimedOut,
    /// The connection ended before an answer came; the call may have been executed.
    Cut,
    /// Not sent: credentials, configuration, or the lease was lost.
    NotSent,
    /// An answer came that is none of the service's.
    Unreadable,
}

/// A failed AWS call.
#[derive(Debug)]
pub struct CallError {
    /// Service and operation, for example `ec2 CreateVpc`.
    pub call: String,
    /// How it failed.
    pub failure: Failure,
    /// The wire code (`InvalidVpcID.NotFound`), where the service gave one.
    pub code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
    /// AWS's request id.
    pub request_id: Option<String>,
    /// The HTTP status, where an answer came.
    pub status: Option<u16>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} failed", self.call)?;
        match self.failure {
            Failure::Unreachable => write!(f, ": nothing answers at the endpoint")?,
            Failure::TimedOut => write!(f, ": no answer in time")?,
            Failure::Cut => write!(f, ": the connection ended before an answer came")?,
            Failure::NotImplemented => write!(f, ": this endpoint does not implement it")?,
            Failure::Unreadable => write!(f, ": its answer cannot be read")?,
            Failure::Refused | Failure::NotSent => {}
        }
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // A refused call's message is already shown; the SDK's chain below it would only repeat it.
        match self.failure {
            Failure::Refused | Failure::NotImplemented => None,
            _ => Some(self.source.as_ref()),
        }
    }
}

impl CallError {
    /// Whether the wire code is one of `codes`.
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Whether the call may have been executed although it failed: no answer came, or a server fault did.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.failure, Failure::TimedOut | Failure::Unreachable | Failure::Cut | Failure::Unreadable)
            || (self.failure == Failure::Refused && self.status.is_some_and(|status| status >= 500))
    }

    /// The service, where the endpoint does not offer it or this action of it.
    pub fn lacking(&self) -> Option<&str> {
        (self.failure == Failure::NotImplemented).then(|| self.call.split(' ').next().unwrap_or("aws"))
    }

    /// What to do about it, where that follows from how it failed.
    pub fn advice(&self) -> Option<&'static str> {
        match self.failure {
            Failure::Unreachable | Failure::TimedOut | Failure::Cut => {
                Some("check the network (and the endpoint, where one is set), then run the command again")
            }
            Failure::NotImplemented => {
                Some("this is no whole AWS: check the endpoint's address, or use one that offers this")
            }
            Failure::NotSent if is_without_credentials(self.source.as_ref()) => Some(
                "no credentials were found: name a profile of ~/.aws/config that has some (--profile or AWS_PROFILE), or \
                 set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
            Failure::Unreadable => {
                Some("check the endpoint: what answers there does not speak this service's protocol")
            }
            _ => super::codes::advice(self.code.as_deref()?, self.message.as_deref().unwrap_or_default()),
        }
    }

    /// Whether the service says that the thing does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code.as_deref().is_some_and(super::codes::is_not_found)
    }
}

impl<E> From<SdkError<E, HttpResponse>> for CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let call = call_name(std::any::type_name::<E>());
        let raw = error.raw_response();
        let status = raw.map(|r| r.status().as_u16());
        let request_id = raw.and_then(request_id);
        let html = raw.is_some_and(is_html);
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = metadata.and_then(|m| m.code()).map(str::to_owned).or_else(|| status_code(status));
        let message = metadata.and_then(|m| m.message()).map(str::to_owned);
        let failure = match &error {
            _ if status == Some(501) || (html && status.is_some_and(|s| s >= 500)) => Failure::NotImplemented,
            // AWS's own codes for an action that a service does not have.
            _ if matches!(code.as_deref(), Some("InvalidAction" | "UnknownOperationException")) => {
                Failure::NotImplemented
            }
            SdkError::TimeoutError(_) => Failure::TimedOut,
            SdkError::DispatchFailure(e) if e.is_timeout() => Failure::TimedOut,
            SdkError::DispatchFailure(e) if e.is_io() => Failure::Unreachable,
            SdkError::DispatchFailure(e) if e.is_other() && !is_withheld(&error) => Failure::Cut,
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => Failure::NotSent,
            SdkError::ResponseError(_) => Failure::Unreadable,
            SdkError::ServiceError(_) if status.is_some_and(|s| s < 300) => Failure::Unreadable,
            _ => Failure::Refused,
        };
        Self { call, failure, code, message, request_id, status, source: Box::new(error) }
    }
}

/// Whether the call never left: somebody forbade it, or there are no credentials (the SDK types those privately).
fn is_withheld(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.is::<Withheld>() || error.to_string().contains("credential"))
}

fn is_without_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.to_string().contains("credential"))
}

/// A head request's error has no body, so no code: the status stands in.
fn status_code(status: Option<u16>) -> Option<String> {
    match status {
        Some(404) => Some("NotFound".into()),
        Some(403) => Some("AccessDenied".into()),
        Some(412) => Some("PreconditionFailed".into()),
        Some(status) if status >= 400 => Some(format!("HTTP {status}")),
        _ => None,
    }
}

pub(super) fn request_id(response: &HttpResponse) -> Option<String> {
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .iter()
        .find_map(|name| response.headers().get(*name))
        .map(str::to_owned)
}

pub(super) fn is_html(response: &HttpResponse) -> bool {
    response.headers().get("content-type").is_some_and(|t| t.starts_with("text/html"))
}

/// `aws_sdk_ec2::operation::create_vpc::CreateVpcError` reads as `ec2 CreateVpc`.
fn call_name(type_name: &str) -> String {
    let service = type_name.strip_prefix("aws_sdk_").and_then(|n| n.split("::").next()).unwrap_or("aws");
    let operation = type_name.rsplit("::").next().unwrap_or(type_name);
    format!("{service} {}", operation.strip_suffix("Error").unwrap_or(operation))
}

/// `Ok(None)` where the thing is gone already: NotFound on delete or read is an answer, not an error.
pub trait GoneOk<T> {
    /// Turns a NotFound into `None`.
    fn gone_ok(self) -> Result<Option<T>, CallError>;
}

impl<T, E> GoneOk<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn gone_ok(self) -> Result<Option<T>, CallError> {
        match self.map_err(CallError::from) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::call_name;

    #[test]
    fn a_call_is_named_by_service_and_operation() {
        assert_eq!(call_name("aws_sdk_ec2::operation::create_vpc::CreateVpcError"), "ec2 CreateVpc");
    }
}
