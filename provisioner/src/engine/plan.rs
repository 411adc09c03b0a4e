//! (desired, observed) -> plan. Pure: no call, no clock, no randomness.

mod change;
mod document;
mod succession;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use change::half;
pub use change::same;
use change::{compare, create, delete, extra_change, refused, rounded, tag_change};
pub use document::{Action, FieldChange, Plan, PlannedChange, TAGS};
pub use succession::prefer_successors;

use super::desired::{Desired, resolve};
use super::observed::Inventory;
use super::playable::playable;
use super::steps;
use super::times::Times;
use crate::aws::stack::Stack;
use crate::kinds::{self, AnyKind, ReplaceOrder, State};

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
            Some(live) => match compare(kind, live, &wanted, tag_change(kind, live, desired, inventory), times) {
                Some(change) => {
                    findings.extend(refused(kind, &change, live, &wanted));
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
        cost: None,
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
        Action::Update if change.is_tags_only() => false,
        Action::Update => kinds::named(change.kind).is_some_and(|k| k.changed_by_update().contains(&attr)),
        Action::Delete => false,
    });
    if open {
        return None;
    }
    inventory.live.get(address)?.attrs.get(attr).cloned()
}

/// The order of the two halves of a replacement.
pub(super) fn order_of(kind: &str) -> ReplaceOrder {
    kinds::named(kind).map_or(ReplaceOrder::DeleteFirst, AnyKind::replace_order)
}

/// The addresses among `kinds` that must be gone before `kind` may go.
pub(super) fn kinds_before(kind: &str) -> BTreeSet<&'static str> {
    kinds::all().iter().filter(|k| k.after().contains(&kind)).map(|k| k.name()).collect()
}
