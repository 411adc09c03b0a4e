//! The answers of the price list, kept with their date: prices change a few times a year, and a plan must not wait.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::product::{NoPrice, Rate};
use super::query::Query;
use crate::aws::stack::short_hash;

/// After so long an answer is asked for again.
const FRESH: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was given.
    pub at: Timestamp,
    /// The price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_price: Option<String>,
}

/// The answers of an endpoint's price list for a region.
#[derive(Debug, Clone)]
pub struct Prices {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
    is_new: bool,
}

/// The directory for caches: `$XDG_CACHE_HOME`, else `~/.cache`.
pub fn cache_home() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache"))).unwrap_or_else(std::env::temp_dir)
}

impl Prices {
    /// Reads what is kept below `home`. What cannot be read is asked for again. The prices of another endpoint than AWS's
    /// own are kept apart.
    pub fn open(home: &Path, endpoint: Option<&str>, region: &str) -> Self {
        let of = endpoint.map_or("aws".to_owned(), |url| format!("endpoint-{}", short_hash(url, 12)));
        let path = home.join("provision/prices").join(format!("{of}-{region}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Self { path, entries: serde_json::from_str(&text).unwrap_or_default(), is_new: false }
    }

    /// The answer, however old.
    pub fn get(&self, query: &Query) -> Option<&Entry> {
        self.entries.get(&query.key())
    }

    /// The questions among `queries`, each once, that are to be asked: those without an answer, or with an old one, or all.
    pub fn missing(&self, queries: impl Iterator<Item = Query>, now: Timestamp, refresh: bool) -> Vec<Query> {
        let is_fresh = |entry: &Entry| now.duration_since(entry.at) < FRESH && !refresh;
        let wanted: BTreeMap<String, Query> = queries.map(|query| (query.key(), query)).collect();
        wanted
            .into_iter()
            .filter(|(key, _)| !self.entries.get(key).is_some_and(is_fresh))
            .map(|(_, query)| query)
            .collect()
    }

    /// Takes an answer.
    pub fn put(&mut self, query: &Query, answer: Result<Rate, NoPrice>, at: Timestamp) {
        let entry = match answer {
            Ok(rate) => Entry { at, rate: Some(rate), no_price: None },
            Err(reason) => Entry { at, rate: None, no_price: Some(reason.to_string()) },
        };
        self.entries.insert(query.key(), entry);
        self.is_new = true;
    }

    /// Writes the answers down, whole or not at all.
    pub fn save(&mut self) -> std::io::Result<()> {
        if !self.is_new {
            return Ok(());
        }
        let directory = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let half = directory.join(format!(".{}.half", std::process::id()));
        std::fs::write(&half, serde_json::to_string_pretty(&self.entries)?)?;
        std::fs::rename(&half, &self.path)?;
        self.is_new = false;
        Ok(())
    }
}
