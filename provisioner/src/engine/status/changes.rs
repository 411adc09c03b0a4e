//! What differs between two moments of a stack.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Alarm, CacheNode, DatabaseInstance, Instance, Lease, Resource, Snapshot};

/// A part of a stack's status that can change, come and go.
pub trait Part: Serialize {
    /// What sort of part it is.
    const NAME: &'static str;
    /// Which one.
    fn key(&self) -> &str;
    /// How it is, in words that leave out what does not matter to those who watch.
    fn words(&self) -> String;
}

/// One part that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// When it was seen.
    pub at: Timestamp,
    /// What sort of part.
    pub part: &'static str,
    /// Which one.
    pub id: String,
    /// How it was; null: it was not there.
    pub before: Value,
    /// How it is; null: it is gone.
    pub after: Value,
    /// Both in words.
    #[serde(skip)]
    pub words: (Option<String>, Option<String>),
}

/// What changed from `before` to `after`. `at`: when that was seen.
pub fn changes(before: &Snapshot, after: &Snapshot, at: Timestamp) -> Vec<Change> {
    let mut all = Vec::new();
    between(&before.resources, &after.resources, at, &mut all);
    between(&before.instances, &after.instances, at, &mut all);
    between(&before.database, &after.database, at, &mut all);
    between(&before.cache, &after.cache, at, &mut all);
    between(&before.alarms, &after.alarms, at, &mut all);
    between(before.lease.as_slice(), after.lease.as_slice(), at, &mut all);
    all
}

fn between<P: Part>(before: &[P], after: &[P], at: Timestamp, all: &mut Vec<Change>) {
    let value = |part: Option<&P>| part.and_then(|part| serde_json::to_value(part).ok()).unwrap_or(Value::Null);
    let find = |parts: &'_ [P], id: &str| parts.iter().position(|part| part.key() == id);
    let mut note = |id: &str, was: Option<&P>, is: Option<&P>| {
        let words = (was.map(P::words), is.map(P::words));
        if words.0 != words.1 {
            all.push(Change { at, part: P::NAME, id: id.to_owned(), before: value(was), after: value(is), words });
        }
    };
    for part in before {
        note(part.key(), Some(part), find(after, part.key()).map(|at| &after[at]));
    }
    for part in after.iter().filter(|part| find(before, part.key()).is_none()) {
        note(part.key(), None, Some(part));
    }
}

impl Resource {
    /// Whether it is on its way.
    pub fn is_coming(&self) -> bool {
        self.state != "ready" && self.state != "deleting" && !self.state.starts_with("failed: ")
    }
}

impl Part for Resource {
    const NAME: &'static str = "resource";
    fn key(&self) -> &str {
        &self.address
    }
    fn words(&self) -> String {
        self.state.clone()
    }
}

impl Part for Instance {
    const NAME: &'static str = "instance";
    fn key(&self) -> &str {
        &self.id
    }
    fn words(&self) -> String {
        let health = self.health.as_deref().unwrap_or("not registered");
        let release = self.release.as_deref().map_or(String::new(), |sha256| format!(", release {}", short(sha256)));
        format!("{}, {health}{release}", self.lifecycle)
    }
}

impl Part for DatabaseInstance {
    const NAME: &'static str = "database";
    fn key(&self) -> &str {
        &self.id
    }
    fn words(&self) -> String {
        let standby = self.standby_zone.as_deref().map_or(String::new(), |zone| format!(", standby in {zone}"));
        let Self { role, zone, status, class, engine_version, .. } = self;
        format!("{role} in {zone}{standby}, {status}, {class}, {engine_version}{}", waits(&self.waiting))
    }
}

impl Part for CacheNode {
    const NAME: &'static str = "cache";
    fn key(&self) -> &str {
        &self.id
    }
    fn words(&self) -> String {
        let Self { zone, status, node_type, engine_version, .. } = self;
        let role = self.role.as_deref().unwrap_or("no role");
        format!("{role} in {zone}, {status}, {node_type}, {engine_version}{}", waits(&self.waiting))
    }
}

impl Part for Alarm {
    const NAME: &'static str = "alarm";
    fn key(&self) -> &str {
        &self.name
    }
    fn words(&self) -> String {
        self.state.clone()
    }
}

impl Part for Lease {
    const NAME: &'static str = "lease";
    fn key(&self) -> &str {
        "lease"
    }
    fn words(&self) -> String {
        format!("{} since {}", self.who, self.since)
    }
}

fn waits(waiting: &[String]) -> String {
    if waiting.is_empty() { String::new() } else { format!(", waits for its window: {}", waiting.join(", ")) }
}

/// As much of a hash as tells it from others.
pub fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(name: &str, state: &str) -> Alarm {
        Alarm { name: name.into(), state: state.into(), since: None }
    }

    #[test]
    fn what_came_went_and_changed() {
        let empty = Snapshot {
            stack: "game-dev".into(),
            resources: Vec::new(),
            coming: 0,
            ready_in_seconds: None,
            lease: None,
            instances: Vec::new(),
            database: Vec::new(),
            cache: Vec::new(),
            alarms: Vec::new(),
        };
        let before = Snapshot { alarms: vec![alarm("a", "OK"), alarm("b", "OK"), alarm("c", "OK")], ..empty.clone() };
        let after = Snapshot {
            alarms: vec![alarm("b", "ALARM"), alarm("c", "OK"), alarm("d", "OK")],
            lease: Some(Lease { who: "eve".into(), since: Timestamp::UNIX_EPOCH, until: Timestamp::UNIX_EPOCH }),
            ..empty
        };
        let seen = changes(&before, &after, Timestamp::UNIX_EPOCH);
        let lines: Vec<String> = seen.iter().map(|c| format!("{} {} {:?}", c.part, c.id, c.words)).collect();
        assert_eq!(
            lines,
            [
                r#"alarm a (Some("OK"), None)"#,
                r#"alarm b (Some("OK"), Some("ALARM"))"#,
                r#"alarm d (None, Some("OK"))"#,
                r#"lease lease (None, Some("eve since 1970-01-01T00:00:00Z"))"#,
            ]
        );
        assert_eq!(seen[1].after["state"], "ALARM");
        // A lease that is renewed is the same.
        let mut renewed = after.clone();
        renewed.lease.as_mut().expect("a lease").until = Timestamp::now();
        assert_eq!(changes(&after, &renewed, Timestamp::UNIX_EPOCH), []);
    }
}
