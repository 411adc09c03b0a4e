//! A replacement that was killed half-way goes on with the successor that it had made.

use std::collections::btree_map::Entry;

use serde_json::Value;

use super::change::same;
use super::order_of;
use crate::engine::desired::{Desired, resolve};
use crate::engine::observed::Inventory;
use crate::kinds::{self, AnyKind, Effect, Observed, ReplaceOrder, State};

/// Where two live resources have one address, and the one that counts would be replaced while the other is what the
/// replacement would make, the other counts: its dependants move over, then the old one goes.
pub fn prefer_successors(desired: &Desired, inventory: &mut Inventory) {
    for address in desired.in_order().unwrap_or_default() {
        let node = &desired.nodes[address];
        let Some(kind) = kinds::named(node.kind).filter(|_| order_of(node.kind) == ReplaceOrder::CreateFirst) else {
            continue;
        };
        let known = |to: &str, attr: &str| inventory.live.get(to)?.attrs.get(attr).cloned();
        let wanted = resolve(&node.props, &known);
        if inventory.live.get(address).is_none_or(|live| fits(kind, live, &wanted)) {
            continue;
        }
        let successor = |extra: &Observed| extra.address == address && fits(kind, extra, &wanted);
        let Some(index) = inventory.extra.iter().position(successor) else { continue };
        if let Entry::Occupied(mut counts) = inventory.live.entry(address.to_owned()) {
            std::mem::swap(counts.get_mut(), &mut inventory.extra[index]);
        }
    }
}

/// Whether it need not be replaced to become what is wanted.
fn fits(kind: &dyn AnyKind, live: &Observed, wanted: &Value) -> bool {
    let value = |of: &Value, name: &str| of.get(name).cloned().unwrap_or(Value::Null);
    let differs = |name: &str| {
        !same(&value(&live.props, name), &value(wanted, name)) && !kind.tolerates(name, &live.props, wanted)
    };
    !matches!(live.state, State::Failed(_) | State::Deleting)
        && !kind.fields().into_iter().any(|(name, effect)| effect == Effect::Replace && differs(name))
}
