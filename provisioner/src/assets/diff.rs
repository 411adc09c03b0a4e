//! What a manifest changes for those who have another one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::manifest::Entry;

/// A file that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its path.
    pub path: String,
    /// Bytes before; none where it was not there.
    pub size_before: Option<u64>,
    /// Bytes now; none where it is not there any more.
    pub size: Option<u64>,
}

/// All that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Files that are new.
    pub added: Vec<Changed>,
    /// Files with other contents.
    pub changed: Vec<Changed>,
    /// Files that are gone.
    pub removed: Vec<Changed>,
    /// What a client downloads that has all of the old files: contents that it has under another path count nothing.
    pub download_bytes: u64,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// What leads from `before` to `after`.
pub fn difference(before: &[Entry], after: &[Entry]) -> Difference {
    let old: BTreeMap<&str, &Entry> = before.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let new: BTreeMap<&str, &Entry> = after.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let mut difference = Difference::default();
    for (path, entry) in &new {
        let size_before = old.get(path).map(|old| old.size);
        let changed = Changed { path: (*path).to_owned(), size_before, size: Some(entry.size) };
        match old.get(path) {
            None => difference.added.push(changed),
            Some(old) if old.sha256 != entry.sha256 => difference.changed.push(changed),
            Some(_) => {}
        }
    }
    let gone = old.values().filter(|entry| !new.contains_key(entry.path.as_str()));
    difference.removed =
        gone.map(|old| Changed { path: old.path.clone(), size_before: Some(old.size), size: None }).collect();
    let mut had: BTreeSet<&str> = before.iter().map(|entry| entry.sha256.as_str()).collect();
    difference.download_bytes = after.iter().filter(|e| had.insert(&e.sha256)).map(|e| e.size).sum();
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, content: char, size: u64) -> Entry {
        Entry::new(path.to_owned(), content.to_string().repeat(64), size)
    }

    #[test]
    fn a_renamed_file_is_not_downloaded_again_and_twins_once() {
        let before = [entry("a", '1', 10), entry("b", '2', 20), entry("c", '3', 30)];
        let after = [entry("a", '1', 10), entry("b", '4', 25), entry("d", '3', 30), entry("e", '4', 25)];
        let found = difference(&before, &after);
        let paths = |list: &[Changed]| list.iter().map(|c| c.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&found.added), ["d", "e"]);
        assert_eq!(found.changed, [Changed { path: "b".into(), size_before: Some(20), size: Some(25) }]);
        assert_eq!(paths(&found.removed), ["c"]);
        assert_eq!(found.download_bytes, 25);
        assert!(difference(&after, &after).is_empty());
    }
}
