//! JSON lines, one before and one after each mutation: evidence and timing data, never truth.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::steps::Step;
use crate::aws::intercept::Call;

type Now = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// A local file, synced line by line.
pub struct Journal {
    path: PathBuf,
    name: String,
    file: Mutex<File>,
    fault: std::sync::OnceLock<String>,
    now: Now,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({})", self.path.display())
    }
}

/// A journal's first line: where the run was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunLine {
    /// The endpoint's URL, or the name of AWS's own.
    pub endpoint: String,
    /// AWS's durations are divided by this there; 0: nothing takes time.
    pub time_scale: f64,
}

/// A step that ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepLine {
    /// The node's address.
    pub address: String,
    /// Its kind.
    pub kind: String,
    /// What it is compared with, for how long it takes: see [`super::times::class`].
    pub class: String,
    /// What was done.
    pub doing: String,
    /// How long it took at the endpoint.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<String>,
}

/// A call that was begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallLine {
    /// The operation.
    pub operation: String,
    /// The node that it was made for.
    pub node: Option<String>,
    /// When.
    pub at: jiff::Timestamp,
}

/// The step that a journal's line tells of, if it does.
pub fn step_of(line: &str) -> Option<StepLine> {
    line.contains("\"what\":\"step\"").then(|| serde_json::from_str(line).ok()).flatten()
}

/// The call that a journal's line says was begun, if it does.
pub fn call_of(line: &str) -> Option<CallLine> {
    line.contains("\"what\":\"call\"").then(|| serde_json::from_str(line).ok()).flatten()
}

/// The journal's file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the journal {path}; set XDG_STATE_HOME to a writable directory", path = .path.display())]
pub struct JournalError {
    path: PathBuf,
    source: std::io::Error,
}

impl Journal {
    /// Opens a new file below `state_home` (usually `$XDG_STATE_HOME`), which begins with `run`.
    pub fn open(state_home: &Path, stack: &str, home: &str, run: &RunLine, now: Now) -> Result<Self, JournalError> {
        let directory = state_home.join("provision").join(format!("{stack}@{home}"));
        let name = format!("{}-{}.jsonl", now().strftime("%Y%m%dT%H%M%S%.3fZ"), std::process::id());
        let path = directory.join(&name);
        let opened =
            fs::create_dir_all(&directory).and_then(|()| OpenOptions::new().create(true).append(true).open(&path));
        match opened {
            Ok(file) => {
                let journal = Self { path, name, file: Mutex::new(file), fault: std::sync::OnceLock::new(), now };
                journal.line(json!({"what": "run", "endpoint": run.endpoint, "time_scale": run.time_scale}));
                Ok(journal)
            }
            Err(source) => Err(JournalError { path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why it is not whole, where a line could not be written.
    pub fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
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
        self.line(json!({"what": "step", "address": step.address, "kind": step.kind, "class": step.class,
            "doing": step.doing, "expected_seconds": step.expected.as_secs(), "seconds": seconds, "error": error}));
    }

    fn line(&self, mut line: serde_json::Value) {
        line["at"] = json!((self.now)().to_string());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Evidence only: a full disk must not stop a teardown.
        if let Err(error) = writeln!(file, "{line}").and_then(|()| file.sync_data()) {
            let _ = self.fault.set(error.to_string());
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
