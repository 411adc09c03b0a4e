//! The change that one node needs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::document::{Action, FieldChange, PlannedChange, TAGS};
use super::order_of;
use crate::engine::desired::{Desired, references, resolve};
use crate::engine::observed::Inventory;
use crate::engine::times::{Expected, Times};
use crate::kinds::{self, AnyKind, Effect, Impact, Observed, Phase, ReplaceOrder, State, Tagged};

pub(super) fn create(kind: &dyn AnyKind, address: &str, wanted: &Value, times: &Times) -> PlannedChange {
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
        players: None,
        window: None,
    }
}

pub(super) fn delete(live: &Observed, times: &Times) -> PlannedChange {
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
        players: None,
        window: None,
    }
}

/// What AWS cannot change so.
pub(super) fn refused(kind: &dyn AnyKind, change: &PlannedChange, live: &Observed, wanted: &Value) -> Option<String> {
    let reason = kind.refused(&live.props, wanted).filter(|_| change.action == Action::Update)?;
    Some(format!("{}: {reason}", change.address))
}

pub(super) fn extra_change(extra: &Observed, inventory: &Inventory, times: &Times) -> Result<PlannedChange, String> {
    let holds_data = kinds::named(extra.kind).and_then(AnyKind::data).is_some();
    // Where the successor is made first, those that refer to this one move over before it goes.
    let moves_over = order_of(extra.kind) == ReplaceOrder::CreateFirst;
    if holds_data || !moves_over && inventory.is_referred_to(extra) {
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

/// The tags that a resource lacks, or carries with another value, or carries although they are wanted no more.
pub(super) fn tag_change(
    kind: &dyn AnyKind,
    live: &Observed,
    desired: &Desired,
    inventory: &Inventory,
) -> Option<FieldChange> {
    if inventory.untagged.contains(&live.address) {
        return Some(FieldChange { name: TAGS.into(), before: None, after: Some("the stack's".into()) });
    }
    let after = json!(desired.tags);
    match &live.tags {
        Some(tags) => {
            let ours = |key: &String| desired.tags.contains_key(key) || inventory.dropped_tags.contains(key);
            let before: BTreeMap<_, _> = tags.iter().filter(|(key, _)| ours(key)).collect();
            let before = json!(before);
            (before != after).then(|| FieldChange { name: TAGS.into(), before: Some(before), after: Some(after) })
        }
        None if kind.tagged() == Tagged::Alarm && inventory.unseen_tags_differ => {
            Some(FieldChange { name: TAGS.into(), before: None, after: Some(after) })
        }
        None => None,
    }
}

/// Compares field by field. `None`: no difference that is ours to mend.
pub(super) fn compare(
    kind: &dyn AnyKind,
    live: &Observed,
    wanted: &Value,
    tags: Option<FieldChange>,
    times: &Times,
) -> Option<PlannedChange> {
    let mut fields: Vec<FieldChange> = tags.into_iter().collect();
    let mut impact = Impact::None;
    let mut replace = matches!(live.state, State::Failed(_) | State::Deleting);
    for (name, effect) in kind.fields() {
        let before = live.props.get(name).unwrap_or(&Value::Null);
        let after = wanted.get(name).unwrap_or(&Value::Null);
        if effect == Effect::Ignore || same(before, after) || kind.tolerates(name, &live.props, wanted) {
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
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).filter(|name| *name != TAGS).collect();
    let notice = (action == Action::Update && !names.is_empty()).then(|| kind.notice(&names, &live.props, wanted));
    let (players, window) = notice.flatten().map_or((None, None), |notice| (Some(notice.players), notice.window));
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
        players,
        window,
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

/// How long one phase of a node takes.
pub(in crate::engine) fn half(kind: &str, times: &Times, phase: Phase, props: &Value, fields: &[String]) -> Expected {
    let unknown = Expected { time: Duration::from_secs(2), learned_from: None };
    kinds::named(kind).map_or(unknown, |kind| times.expected(kind, phase, props, fields))
}

pub(super) fn rounded(time: Duration) -> u64 {
    (time + Duration::from_millis(500)).as_secs()
}
