//! What the engine tells whoever listens. `ui` renders it; nothing here prints.

use std::sync::Arc;

use serde::Serialize;

use super::steps::Doing;

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A phase of the whole run began.
    Phase {
        /// In words: `observing`, `applying`, ...
        name: String,
    },
    /// Applying begins.
    Applying {
        /// How many steps there are.
        steps: usize,
        /// How long the longest chain takes at this endpoint.
        expected_seconds: u64,
    },
    /// A step began.
    Started {
        /// The node's address.
        address: String,
        /// What is done.
        doing: Doing,
        /// How long it takes at this endpoint.
        expected_seconds: u64,
    },
    /// A step waits.
    Waiting {
        /// The node's address.
        address: String,
        /// For what.
        state: String,
    },
    /// A step is finished.
    Finished {
        /// The node's address.
        address: String,
        /// What was done.
        doing: Doing,
        /// How long it took.
        seconds: f64,
        /// How long the longest chain still takes at this endpoint.
        left_seconds: u64,
    },
    /// A step failed.
    Failed {
        /// The node's address.
        address: String,
        /// What was done.
        doing: Doing,
        /// The error with its causes.
        error: String,
    },
    /// A step is no longer waited for, because the run was stopped.
    Stopped {
        /// The node's address.
        address: String,
        /// What it waited for.
        state: String,
    },
    /// A step is begun and goes on by itself: this run does not need it.
    OnItsWay {
        /// The node's address.
        address: String,
        /// What it waits for.
        state: String,
        /// When it will be ready at this endpoint.
        ready_in_seconds: u64,
    },
    /// Contents begin to be uploaded.
    Uploading {
        /// How many objects there are.
        objects: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// So much has been uploaded by now: at most once a second, and at the end.
    Uploaded {
        /// Objects that are there.
        objects: usize,
        /// Of so many.
        of_objects: usize,
        /// Bytes that are there.
        bytes: u64,
        /// Of so many.
        of_bytes: u64,
        /// On average since the beginning.
        bytes_per_second: u64,
    },
    /// Something worth saying.
    Note {
        /// In words.
        text: String,
    },
}

/// Where events go.
pub type Listener = Arc<dyn Fn(Event) + Send + Sync>;

/// The whole cause chain of an error in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}
