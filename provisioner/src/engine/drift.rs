//! What was changed outside provision since the last run. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::applied::Applied;
use super::observed::Inventory;
use super::plan::{Action, FieldChange, PlannedChange, TAGS, same};
use crate::aws::stack::TAG_STACK;
use crate::kinds::{self, AnyKind, Effect, Observed, State};

/// What happened to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Its fields differ.
    Changed,
    /// It is gone.
    Deleted,
    /// It is there and does not carry the stack's tags any more.
    Untagged,
    /// It carries the stack's tags and no run made it.
    Added,
}

/// One resource that was changed outside provision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drifted {
    /// The node's address.
    pub address: String,
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What happened.
    pub how: How,
    /// The fields that differ: before, as the last run left it; after, as it is now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// Compares what the last run left with what is there now.
pub fn drift(applied: &Applied, inventory: &Inventory) -> Vec<Drifted> {
    let mut found = Vec::new();
    for (address, left) in &applied.nodes {
        if applied.under_way.contains(address) {
            continue;
        }
        let drifted = |how, id: &str, fields| Drifted {
            address: address.clone(),
            kind: left.kind.clone(),
            id: id.to_owned(),
            how,
            fields,
        };
        match inventory.live.get(address) {
            None => found.push(drifted(How::Deleted, &left.id, Vec::new())),
            Some(live) if live.state == State::Deleting => found.push(drifted(How::Deleted, &left.id, Vec::new())),
            Some(live) => {
                if inventory.untagged.contains(address) {
                    found.push(drifted(How::Untagged, &live.id, Vec::new()));
                }
                let mut fields =
                    kinds::named(live.kind).map(|kind| changed(kind, &left.props, live)).unwrap_or_default();
                fields.extend(retagged(applied, live));
                if !fields.is_empty() {
                    found.push(drifted(How::Changed, &live.id, fields));
                }
            }
        }
    }
    let added = inventory
        .live
        .values()
        .filter(|live| !applied.nodes.contains_key(&live.address) && !applied.under_way.contains(&live.address));
    found.extend(added.map(|live| Drifted {
        address: live.address.clone(),
        kind: live.kind.to_owned(),
        id: live.id.clone(),
        how: How::Added,
        fields: Vec::new(),
    }));
    found
}

/// The free tags that are not as the last run left them.
fn retagged(applied: &Applied, live: &Observed) -> Option<FieldChange> {
    let tags = live.tags.as_ref().filter(|tags| tags.contains_key(TAG_STACK))?;
    let differs = |(key, values): &(&String, &BTreeSet<String>)| tags.get(*key).is_none_or(|v| !values.contains(v));
    let differing: Vec<(&String, &BTreeSet<String>)> = applied.tags.iter().filter(differs).collect();
    if differing.is_empty() {
        return None;
    }
    let before: BTreeMap<_, _> = differing.iter().map(|(key, values)| (key, values.last())).collect();
    let after: BTreeMap<_, _> = differing.iter().map(|(key, _)| (key, tags.get(*key))).collect();
    Some(FieldChange { name: TAGS.into(), before: Some(json!(before)), after: Some(json!(after)) })
}

fn changed(kind: &dyn AnyKind, left: &serde_json::Value, live: &Observed) -> Vec<FieldChange> {
    let null = serde_json::Value::Null;
    let mut fields = Vec::new();
    for (name, effect) in kind.fields() {
        // A field that the last run did not know yet says nothing.
        let Some(before) = left.get(name) else { continue };
        let after = live.props.get(name).unwrap_or(&null);
        if effect != Effect::Ignore && !same(before, after) && !kind.moved_by_itself(name, left, &live.props) {
            fields.push(FieldChange {
                name: name.to_owned(),
                before: Some(before.clone()),
                after: Some(after.clone()),
            });
        }
    }
    fields
}

/// Whether `change` would put back, or take away, what was changed outside provision.
pub fn overwrites(change: &PlannedChange, drift: &[Drifted]) -> bool {
    let of_field = |drifted: &Drifted| {
        let name = |field: &FieldChange| drifted.fields.iter().any(|other| other.name == field.name);
        change.fields.iter().any(name)
    };
    drift.iter().filter(|drifted| drifted.address == change.address).any(|drifted| match drifted.how {
        How::Deleted => change.action == Action::Create,
        How::Untagged => true,
        How::Added => change.action == Action::Delete,
        How::Changed => change.action == Action::Delete || of_field(drifted),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn vpc(cidr: &str) -> Observed {
        Observed {
            address: "vpc".into(),
            kind: "vpc",
            id: "vpc-1".into(),
            props: json!({"cidr": cidr, "dns_hostnames": true}),
            attrs: BTreeMap::new(),
            tags: None,
            state: State::Ready,
        }
    }

    fn applied() -> Applied {
        Applied::of(&Inventory::of(vec![vpc("10.0.0.0/16")]), &BTreeMap::new(), Timestamp::UNIX_EPOCH)
    }

    fn hows(applied: &Applied, live: Vec<Observed>) -> Vec<How> {
        drift(applied, &Inventory::of(live)).into_iter().map(|drifted| drifted.how).collect()
    }

    #[test]
    fn what_is_as_it_was_left_has_not_drifted() {
        assert_eq!(hows(&applied(), vec![vpc("10.0.0.0/16")]), []);
    }

    #[test]
    fn each_way_to_drift_is_told_apart() {
        assert_eq!(hows(&applied(), vec![vpc("10.1.0.0/16")]), [How::Changed]);
        assert_eq!(hows(&applied(), vec![]), [How::Deleted]);
        let other = Observed { address: "subnet/app-1".into(), kind: "subnet", ..vpc("") };
        assert_eq!(hows(&applied(), vec![vpc("10.0.0.0/16"), other]), [How::Added]);
        let mut inventory = Inventory::of(vec![vpc("10.0.0.0/16")]);
        inventory.untagged.insert("vpc".into());
        assert_eq!(drift(&applied(), &inventory)[0].how, How::Untagged);
    }

    #[test]
    fn what_a_run_was_changing_is_no_drift() {
        let interrupted = applied().changing(["vpc".to_owned()], Timestamp::UNIX_EPOCH);
        assert_eq!(hows(&interrupted, vec![vpc("10.1.0.0/16")]), []);
        assert_eq!(hows(&interrupted, vec![]), []);
    }
}
