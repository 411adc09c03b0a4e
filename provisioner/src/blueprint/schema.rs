//! Which sections and keys there are, what each takes and what it is without one. The reader, the suggestions and the
//! reference page all follow this table.

use super::sections::{alarms, assets, cache, database, domain, log, network, servers, stack};

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Text; in words what it is.
    Text(&'static str),
    /// `true` or `false`.
    Boolean,
    /// A whole number in a range.
    Integer(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these numbers.
    OneOfIntegers(&'static [u16]),
    /// A number of zones, or a list of their names.
    Zones(u8),
}

/// What a key is when it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// It must not be left out.
    Required,
    /// This value, as TOML.
    Default(&'static str),
    /// What the words say.
    Otherwise(&'static str),
}

/// A key of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it is when it is left out.
    pub absent: Absent,
    /// A value to show in a help text, as TOML.
    pub example: &'static str,
}

impl Key {
    /// A key that must be given.
    pub(super) const fn required(name: &'static str, takes: Takes, example: &'static str) -> Self {
        Self { name, takes, absent: Absent::Required, example }
    }
    /// A key with a default, as TOML.
    pub(super) const fn new(name: &'static str, takes: Takes, default: &'static str) -> Self {
        Self { name, takes, absent: Absent::Default(default), example: default }
    }
    /// A key whose absence means what the words say.
    pub(super) const fn optional(
        name: &'static str,
        takes: Takes,
        otherwise: &'static str,
        example: &'static str,
    ) -> Self {
        Self { name, takes, absent: Absent::Otherwise(otherwise), example }
    }
}

/// A section: a table of the file.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its path: `servers`, `alarms.thresholds`.
    pub path: &'static str,
    /// Its keys; empty where every key is allowed.
    pub keys: &'static [&'static Key],
}

/// Every section, in the order of the reference.
pub const SECTIONS: &[Section] = &[
    Section { path: "stack", keys: stack::KEYS },
    Section { path: "network", keys: network::KEYS },
    Section { path: "database", keys: database::KEYS },
    Section { path: "cache", keys: cache::KEYS },
    Section { path: "log", keys: log::KEYS },
    Section { path: "servers", keys: servers::KEYS },
    Section { path: "assets", keys: assets::KEYS },
    Section { path: "domain", keys: domain::KEYS },
    Section { path: "alarms", keys: alarms::KEYS },
    Section { path: "alarms.thresholds", keys: alarms::THRESHOLD_KEYS },
    Section { path: "tags", keys: &[] },
];

/// The names of the tables inside the table at `path` (the empty path is the file itself).
pub(super) fn tables(path: &str) -> impl Iterator<Item = &'static str> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    SECTIONS
        .iter()
        .filter_map(move |section| section.path.strip_prefix(prefix.as_str()))
        .filter(|rest| !rest.is_empty() && !rest.contains('.'))
}

/// The sections that have a key of this name.
pub(super) fn homes(key: &str) -> Vec<&'static str> {
    let has = |section: &&Section| section.keys.iter().any(|k| k.name == key);
    SECTIONS.iter().filter(has).map(|section| section.path).collect()
}
