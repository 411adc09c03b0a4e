//! Why a step failed.

use crate::aws::error::CallError;

/// A failed step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An AWS call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// AWS gave the resource up.
    #[error("{resource} failed: {reason}")]
    Failed {
        /// The resource's id.
        resource: String,
        /// AWS's reason.
        reason: String,
    },
    /// AWS's answer lacks something that it always holds.
    #[error("the answer to {call} lacks {what}")]
    Incomplete {
        /// Service and operation.
        call: &'static str,
        /// The missing member.
        what: &'static str,
    },
    /// Refused before any call.
    #[error("{what}; {help}")]
    Refused {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
    /// A local file could not be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A value could not be read as JSON.
    #[error("{what} is not what provision wrote")]
    Json {
        /// Which value.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl<E>
    From<
        aws_smithy_runtime_api::client::result::SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
    > for Error
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(
        error: aws_smithy_runtime_api::client::result::SdkError<
            E,
            aws_smithy_runtime_api::client::orchestrator::HttpResponse,
        >,
    ) -> Self {
        Self::Call(CallError::from(error))
    }
}

impl From<aws_smithy_types::error::operation::BuildError> for Error {
    fn from(error: aws_smithy_types::error::operation::BuildError) -> Self {
        Self::Refused { what: error.to_string(), help: "this is a defect of provision: please report it".into() }
    }
}

impl Error {
    /// The service that the endpoint does not offer, where that is the cause.
    pub fn lacking(&self) -> Option<&str> {
        match self {
            Self::Call(error) => error.lacking(),
            _ => None,
        }
    }

    /// Something of the wanted name exists and does not carry the stack's tags.
    pub fn taken(what: impl std::fmt::Display) -> Self {
        Self::Refused {
            what: format!("{what} exists and does not carry the stack's tags"),
            help: "delete it, or choose another stack name".into(),
        }
    }
}

/// The result of every step.
pub type Result<T, E = Error> = std::result::Result<T, E>;
