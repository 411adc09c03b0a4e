//! One file a section: its keys, and how they are read.

pub(super) mod alarms;
pub(super) mod assets;
pub(super) mod cache;
pub(super) mod database;
pub(super) mod domain;
pub(super) mod log;
pub(super) mod network;
pub(super) mod servers;
pub(super) mod stack;
pub(super) mod tags;
mod types;

pub(super) use types::{architecture_of, family};

use std::path::PathBuf;

use super::problem::Problem;

/// `text` as a path.
fn path(key: &str, text: &str) -> Result<PathBuf, Problem> {
    if text.trim().is_empty() || text.contains('\0') {
        let help = "write a path; a relative one begins at the blueprint's own directory";
        return Err(Problem::malformed(format!("`{key}` cannot be {text:?}"), help));
    }
    Ok(text.into())
}
