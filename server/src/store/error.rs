//! What can go wrong in a store.

use std::fmt;

/// The cause of a store's error, whatever its library.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A failure of a store, as far as the callers must tell them apart.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is failing over, or took too long: worth trying again soon.
    #[error("{store} is not available ({operation})")]
    Unavailable {
        /// `database`, `cache` or `log`.
        store: &'static str,
        /// What was being done.
        operation: &'static str,
        /// The library's own error.
        #[source]
        source: BoxError,
    },
    /// It answered with an error that trying again will not cure.
    #[error("{store} refused {operation}")]
    Failed {
        /// `database`, `cache` or `log`.
        store: &'static str,
        /// What was being done.
        operation: &'static str,
        /// The library's own error.
        #[source]
        source: BoxError,
    },
    /// It holds something this release cannot read.
    #[error("{store} holds something unreadable: {what}")]
    Corrupt {
        /// `database`, `cache` or `log`.
        store: &'static str,
        /// What could not be read.
        what: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed soon.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// A transient failure.
    pub fn unavailable(store: &'static str, operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Unavailable { store, operation, source: source.into() }
    }

    /// A lasting failure.
    pub fn failed(store: &'static str, operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Failed { store, operation, source: source.into() }
    }
}

/// An error with all its causes, on one line. For logs: their formats show the outermost alone.
#[must_use]
pub fn chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> impl fmt::Display + 'a {
    struct Chain<'a>(&'a (dyn std::error::Error + 'static));
    impl fmt::Display for Chain<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)?;
            let mut source = self.0.source();
            while let Some(cause) = source {
                write!(f, ": {cause}")?;
                source = cause.source();
            }
            Ok(())
        }
    }
    Chain(error)
}
