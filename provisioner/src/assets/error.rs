//! What can go wrong with assets, and what to do about it.

use std::path::PathBuf;

use crate::aws::error::CallError;
use crate::engine::lease::LeaseError;
use crate::engine::observed::ObserveError;

/// Why assets were not pushed, or could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// The directory, or something in it, cannot be read.
    #[error("cannot read {path}", path = .path.display())]
    File {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("{path} holds no files", path = .0.display())]
    Empty(PathBuf),
    /// What cannot be pushed as it is.
    #[error("{path} cannot be pushed as it is:\n  {problems}", path = .directory.display(), problems = .problems.join("\n  "))]
    Unfit {
        /// The directory.
        directory: PathBuf,
        /// Each with its path and reason.
        problems: Vec<String>,
    },
    /// A file is not any more what it was when it was looked at.
    #[error("{path} changed while it was being pushed", path = .0.display())]
    Changed(PathBuf),
    /// The stack has no bucket for assets.
    #[error("the stack {stack} of {region} has no bucket for assets")]
    NoBucket {
        /// The stack.
        stack: String,
        /// Its home.
        region: String,
    },
    /// Its resources cannot be listed.
    #[error(transparent)]
    Observe(Box<ObserveError>),
    /// Somebody else pushes, or takes the stack down.
    #[error(transparent)]
    Lease(Box<LeaseError>),
    /// A call failed.
    #[error("cannot {doing}")]
    Call {
        /// In words.
        doing: String,
        /// Why.
        source: Box<CallError>,
    },
    /// An object broke off while it was read.
    #[error("cannot read {key} of the assets bucket")]
    Broken {
        /// Its key.
        key: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody else wrote the manifest meanwhile.
    #[error("somebody else published a manifest meanwhile, so this one was not published")]
    Overtaken,
    /// No version of that name.
    #[error("there is no version {wanted} of the assets; there are {there}")]
    NoVersion {
        /// What was asked for.
        wanted: String,
        /// Those that there are, in words.
        there: String,
    },
    /// Nothing to go back to.
    #[error("there is no earlier version of the assets to go back to")]
    NoEarlier,
    /// A version whose objects are not all there.
    #[error("version {version} lacks {count} of its objects in the bucket, {first} among them")]
    Incomplete {
        /// The version.
        version: u64,
        /// How many.
        count: usize,
        /// One of them.
        first: String,
    },
    /// The first signal came.
    #[error("stopped; nothing was published")]
    Interrupted,
    /// A defect of provision.
    #[error("a request could not be made; please report this")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<LeaseError> for AssetsError {
    fn from(error: LeaseError) -> Self {
        Self::Lease(Box::new(error))
    }
}

impl From<ObserveError> for AssetsError {
    fn from(error: ObserveError) -> Self {
        Self::Observe(Box::new(error))
    }
}

impl AssetsError {
    /// A failed call, in words.
    pub fn call<E: Into<CallError>>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::Call { doing: doing.into(), source: Box::new(source.into()) }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        const AGAIN: &str = "push again: what has arrived is not uploaded again; clients still see the old manifest";
        match self {
            Self::File { .. } => "make it readable, or push another directory; nothing was published",
            Self::Empty(_) => "clients would lose everything: name the directory with the files; nothing was published",
            Self::Unfit { .. } => "mend what is named, then push again; nothing was uploaded",
            Self::NoBucket { .. } => "add [assets] to the blueprint and run `provision up`; nothing was changed",
            Self::Changed(_) | Self::Interrupted => AGAIN,
            Self::Overtaken => "look with `provision assets diff`, then push again if it is still wanted",
            Self::NoVersion { .. } | Self::NoEarlier => "`provision assets list` shows what there is",
            Self::Incomplete { .. } => "choose another version (`provision assets list`), or push it again",
            Self::Lease(lease) if matches!(**lease, LeaseError::Held(_)) => "nothing was changed",
            Self::Call { source, .. } if source.is(&["AccessDenied"]) => {
                "the caller lacks a permission (`provision policy`), or the stack is being taken down; clients still see \
                 the old manifest"
            }
            Self::Call { source, .. } => {
                source.code.as_deref().and_then(|code| crate::aws::codes::advice(code, "")).unwrap_or(AGAIN)
            }
            Self::Observe(_) | Self::Lease(_) | Self::Broken { .. } | Self::Request(_) => "run the command again",
        }
    }
}
