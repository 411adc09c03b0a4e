//! (desired, observed) -> plan. Pure: no call, no clock, no randomness.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::desired::{Desired, references, resolve};
use super::drift::{Drifted, overwrites};
use super::observed::Inventory;
use super::playable::playable;
use super::steps;
use super::times::{Expected, Times};
use crate::aws::stack::Stack;
use crate::kinds::{self, AnyKind, Effect, Impact, Observed, Phase, ReplaceOrder, State};

/// The field of a change that puts the stack's tags back on a resource.
pub const TAGS: &str = "tags";

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and made again.
    Replace,
    /// It is deleted.
    Delete,
}

/// One differing field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field's name.
    pub name: String,
    /// What AWS holds; absent for a create.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What the blueprint asks for; a reference to something not made yet is `(known after apply)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// One planned change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedChange {
    /// The node's address.
    pub address: String,
    /// Its kind.
    pub kind: &'static str,
    /// What happens to it.
    pub action: Action,
    /// What that does to those who use the stack.
    pub impact: Impact,
    /// The fields that differ (update, replace).
    pub fields: Vec<FieldChange>,
    /// How long it takes on AWS.
    pub expected_seconds: u64,
    /// Of how many observations at this endpoint that is the median; absent: it comes from provision's own table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned_from: Option<usize>,
    /// The id of the resource it concerns, where it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is lost with it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'static str>,
    /// Whether it overwrites what was changed outside provision.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overwrites_drift: bool,
}

/// What an `up` or `down` is going to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The stack's name.
    pub stack: String,
    /// Its home region.
    pub region: String,
    /// The account.
    pub account: String,
    /// Every change, in address order.
    pub changes: Vec<PlannedChange>,
    /// Pending resources that are only waited for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub awaited: Vec<String>,
    /// The chain of changes that takes longest.
    pub critical_path: Vec<String>,
    /// How long that takes: the time until all is ready.
    pub critical_path_seconds: u64,
    /// The time until the API can serve, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playable_seconds: Option<u64>,
    /// How many changes of each action.
    pub summary: BTreeMap<String, usize>,
    /// What was changed outside provision since the last run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drifted>,
    /// Things worth knowing that are no changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Problems that forbid to apply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do, nor to wait for.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.awaited.is_empty()
    }

    /// The addresses of all that it changes or waits for.
    pub fn touched(&self) -> impl Iterator<Item = String> {
        self.changes.iter().map(|change| &change.address).chain(&self.awaited).cloned()
    }

    /// Notes what was changed outside provision, and which changes overwrite it.
    pub fn note_drift(&mut self, drift: Vec<Drifted>) {
        for change in &mut self.changes {
            change.overwrites_drift = overwrites(change, &drift);
        }
        self.drift = drift;
    }

    /// Whether it overwrites what was changed outside provision.
    pub fn overwrites_drift(&self) -> bool {
        self.changes.iter().any(|change| change.overwrites_drift)
    }

    /// The changes that destroy data.
    pub fn data_losses(&self) -> impl Iterator<Item = &PlannedChange> {
        self.changes.iter().filter(|c| matches!(c.impact, Impact::ReplacementDataLost | Impact::DataLost))
    }
}

/// Plans the way from `inventory` to `desired`.
pub fn plan(stack: &Stack, desired: &Desired, inventory: &Inventory, times: &Times) -> Plan {
    let mut changes: BTreeMap<String, PlannedChange> = BTreeMap::new();
    let mut awaited = Vec::new();
    let mut findings = Vec::new();
    for address in desired.in_order().unwrap_or_default() {
        let node = &desired.nodes[address];
        let Some(kind) = kinds::named(node.kind) else { continue };
        let live = inventory.live.get(address);
        let known = |to: &str, attr: &str| known_attr(&changes, inventory, to, attr);
        let wanted = resolve(&node.props, &known);
        match live {
            None => {
                changes.insert(address.to_owned(), create(kind, address, &wanted, times));
            }
            Some(live) => match compare(kind, live, &wanted, inventory.untagged.contains(address), times) {
                Some(change) => {
                    changes.insert(address.to_owned(), change);
                }
                None if matches!(live.state, State::Pending(_)) => awaited.push(address.to_owned()),
                None => {}
            },
        }
    }
    for (address, live) in &inventory.live {
        if !desired.nodes.contains_key(address) {
            changes.insert(address.clone(), delete(live, times));
        }
    }
    for extra in &inventory.extra {
        match extra_change(extra, inventory, times) {
            Ok(change) => {
                changes.insert(format!("{}#{}", extra.address, extra.id), change);
            }
            Err(finding) => findings.push(finding),
        }
    }
    finish(stack, desired, inventory, times, changes, awaited, findings)
}

/// Plans to delete all of `inventory`, extras included.
pub fn plan_down(stack: &Stack, inventory: &Inventory, times: &Times) -> Plan {
    let mut changes = BTreeMap::new();
    for live in inventory.live.values() {
        changes.insert(live.address.clone(), delete(live, times));
    }
    for extra in &inventory.extra {
        let mut change = delete(extra, times);
        change.address = format!("{}#{}", extra.address, extra.id);
        changes.insert(change.address.clone(), change);
    }
    finish(stack, &Desired::default(), inventory, times, changes, Vec::new(), Vec::new())
}

fn finish(
    stack: &Stack,
    desired: &Desired,
    inventory: &Inventory,
    times: &Times,
    changes: BTreeMap<String, PlannedChange>,
    awaited: Vec<String>,
    findings: Vec<String>,
) -> Plan {
    let mut summary = BTreeMap::new();
    for change in changes.values() {
        let name = format!("{:?}", change.action).to_lowercase();
        *summary.entry(name).or_insert(0) += 1;
    }
    let mut plan = Plan {
        stack: stack.name.clone(),
        region: stack.home.clone(),
        account: stack.account.clone(),
        changes: changes.into_values().collect(),
        awaited,
        critical_path: Vec::new(),
        critical_path_seconds: 0,
        playable_seconds: None,
        summary,
        drift: Vec::new(),
        warnings: Vec::new(),
        findings,
    };
    let graph = steps::of(&plan, desired, inventory, times);
    if let Some(step) = graph.circle() {
        plan.findings.push(format!(
            "{} can neither go nor be made before the other: take the stack down and bring it up again",
            step.address
        ));
    }
    let (path, length) = graph.critical_path();
    plan.critical_path = path;
    plan.critical_path_seconds = rounded(length);
    if desired.nodes.contains_key(kinds::auto_scaling_group::ADDRESS) {
        let awaited = graph.remaining_of(&graph.towards(&playable(desired)));
        plan.playable_seconds = Some(rounded(awaited.into_values().max().unwrap_or_default()));
    }
    plan
}

/// The attribute of a node that stays as it is. What is made anew has no attributes yet.
fn known_attr(
    changes: &BTreeMap<String, PlannedChange>,
    inventory: &Inventory,
    address: &str,
    attr: &str,
) -> Option<String> {
    let open = changes.get(address).is_some_and(|change| match change.action {
        Action::Create | Action::Replace => true,
        Action::Update => kinds::named(change.kind).is_some_and(|k| k.changed_by_update().contains(&attr)),
        Action::Delete => false,
    });
    if open {
        return None;
    }
    inventory.live.get(address)?.attrs.get(attr).cloned()
}

fn create(kind: &dyn AnyKind, address: &str, wanted: &Value, times: &Times) -> PlannedChange {
    let expected = times.expected(kind, Phase::Create, wanted, &[]);
    PlannedChange {
        address: address.to_owned(),
        kind: kind.name(),
        action: Action::Create,
        impact: Impact::None,
        fields: Vec::new(),
        expected_seconds: rounded(expected.time),
        learned_from: expected.learned_from,
        id: None,
        data: None,
        overwrites_drift: false,
    }
}

fn delete(live: &Observed, times: &Times) -> PlannedChange {
    let kind = kinds::named(live.kind);
    let expected = half(live.kind, times, Phase::Delete, &live.props, &[]);
    let data = kind.and_then(AnyKind::data);
    PlannedChange {
        address: live.address.clone(),
        kind: live.kind,
        action: Action::Delete,
        impact: if data.is_some() { Impact::DataLost } else { Impact::Deleted },
        fields: Vec::new(),
        expected_seconds: rounded(expected.time),
        learned_from: expected.learned_from,
        id: Some(live.id.clone()),
        data,
        overwrites_drift: false,
    }
}

fn extra_change(extra: &Observed, inventory: &Inventory, times: &Times) -> Result<PlannedChange, String> {
    let holds_data = kinds::named(extra.kind).and_then(AnyKind::data).is_some();
    if holds_data || inventory.is_referred_to(extra) {
        let other = inventory.live.get(&extra.address).map_or("?", |o| o.id.as_str());
        return Err(format!(
            "two live resources at {}: {other} and {}; delete the one that is not needed, then run up again",
            extra.address, extra.id
        ));
    }
    let mut change = delete(extra, times);
    change.address = format!("{}#{}", extra.address, extra.id);
    Ok(change)
}

/// Compares field by field. `None`: no difference that is ours to mend.
fn compare(
    kind: &dyn AnyKind,
    live: &Observed,
    wanted: &Value,
    untagged: bool,
    times: &Times,
) -> Option<PlannedChange> {
    let tags = FieldChange { name: TAGS.into(), before: None, after: Some("the stack's".into()) };
    let mut fields: Vec<FieldChange> = untagged.then_some(tags).into_iter().collect();
    let mut impact = Impact::None;
    let mut replace = matches!(live.state, State::Failed(_) | State::Deleting);
    for (name, effect) in kind.fields() {
        let before = live.props.get(name).unwrap_or(&Value::Null);
        let after = wanted.get(name).unwrap_or(&Value::Null);
        if effect == Effect::Ignore || same(before, after) {
            continue;
        }
        match effect {
            Effect::Replace => replace = true,
            Effect::Update(how) => impact = impact.max(kind.impact(name, how, &live.props)),
            Effect::Ignore => {}
        }
        fields.push(FieldChange { name: name.to_owned(), before: Some(before.clone()), after: Some(shown(after)) });
    }
    if fields.is_empty() && !replace {
        return None;
    }
    let (action, impact, expected) = if replace {
        let lost = if kind.data().is_some() { Impact::ReplacementDataLost } else { Impact::Replacement };
        let gone = times.expected(kind, Phase::Delete, &live.props, &[]);
        let made = times.expected(kind, Phase::Create, wanted, &[]);
        let learned_from = gone.learned_from.zip(made.learned_from).map(|(gone, made)| gone.min(made));
        (Action::Replace, lost, Expected { time: gone.time + made.time, learned_from })
    } else {
        let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        (Action::Update, impact, times.expected(kind, Phase::Update, wanted, &names))
    };
    Some(PlannedChange {
        address: live.address.clone(),
        kind: kind.name(),
        action,
        impact,
        fields,
        expected_seconds: rounded(expected.time),
        learned_from: expected.learned_from,
        id: Some(live.id.clone()),
        data: kind.data().filter(|_| action == Action::Replace),
        overwrites_drift: false,
    })
}

/// Equal, where the order of an array does not count.
pub fn same(a: &Value, b: &Value) -> bool {
    canonical(a) == canonical(b)
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(canonical).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), canonical(v))).collect()),
        other => other.clone(),
    }
}

fn shown(after: &Value) -> Value {
    let mut open = false;
    references(after, &mut |_, _| open = true);
    if open { resolve(after, &|_, _| Some("(known after apply)".to_owned())) } else { after.clone() }
}

/// The order of the two halves of a replacement.
pub(super) fn order_of(kind: &str) -> ReplaceOrder {
    kinds::named(kind).map_or(ReplaceOrder::DeleteFirst, AnyKind::replace_order)
}

/// How long one phase of a node takes.
pub(super) fn half(kind: &str, times: &Times, phase: Phase, props: &Value, fields: &[String]) -> Expected {
    let unknown = Expected { time: Duration::from_secs(2), learned_from: None };
    kinds::named(kind).map_or(unknown, |kind| times.expected(kind, phase, props, fields))
}

fn rounded(time: Duration) -> u64 {
    (time + Duration::from_millis(500)).as_secs()
}

/// The addresses among `kinds` that must be gone before `kind` may go.
pub(super) fn kinds_before(kind: &str) -> BTreeSet<&'static str> {
    kinds::all().iter().filter(|k| k.after().contains(&kind)).map(|k| k.name()).collect()
}
