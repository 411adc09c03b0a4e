//! JSON lines, one before and one after each mutation: evidence and timing data, never truth.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::steps::Step;
use crate::aws::intercept::Call;

type Now = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// A local file, synced line by line.
pub struct Journal {
    path: PathBuf,
    name: String,
    file: Mutex<File>,
    now: Now,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({})", self.path.display())
    }
}

/// The journal's file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the journal {path}; set XDG_STATE_HOME to a writable directory", path = .path.display())]
pub struct JournalError {
    path: PathBuf,
    source: std::io::Error,
}

impl Journal {
    /// Opens a new file below `state_home` (usually `$XDG_STATE_HOME/provision`).
    pub fn open(state_home: &Path, stack: &str, home: &str, now: Now) -> Result<Self, JournalError> {
        let directory = state_home.join("provision").join(format!("{stack}@{home}"));
        let name = format!("{}-{}.jsonl", now().strftime("%Y%m%dT%H%M%S%.3fZ"), std::process::id());
        let path = directory.join(&name);
        let opened =
            fs::create_dir_all(&directory).and_then(|()| OpenOptions::new().create(true).append(true).open(&path));
        match opened {
            Ok(file) => Ok(Self { path, name, file: Mutex::new(file), now }),
            Err(source) => Err(JournalError { path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its key in the stack bucket.
    pub fn key(&self) -> String {
        format!("journal/{}", self.name)
    }

    /// A mutating call is about to be made.
    pub fn call_started(&self, call: &Call) {
        self.line(json!({"what": "call", "service": call.service, "operation": call.operation, "node": call.node}));
    }

    /// A mutating call came back.
    pub fn call_finished(&self, call: &Call, ok: bool, request_id: Option<String>) {
        self.line(json!({"what": "answer", "service": call.service, "operation": call.operation, "node": call.node,
            "ok": ok, "request_id": request_id}));
    }

    /// A step is finished; `seconds` is how long it really took.
    pub fn step(&self, step: &Step, seconds: f64, error: Option<&str>) {
        self.line(json!({"what": "step", "address": step.address, "kind": step.kind, "doing": step.doing,
            "expected_seconds": step.expected.as_secs(), "seconds": seconds, "error": error}));
    }

    fn line(&self, mut line: serde_json::Value) {
        line["at"] = json!((self.now)().to_string());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Evidence only: a full disk must not stop a teardown.
        if let Err(error) = writeln!(file, "{line}").and_then(|()| file.sync_data()) {
            tracing::warn!(%error, "the journal could not be written");
        }
    }
}

/// The directory for journals: `$XDG_STATE_HOME`, else `~/.local/state`.
pub fn state_home() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_STATE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
}
