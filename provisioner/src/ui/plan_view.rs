//! A plan as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use owo_colors::OwoColorize;
use serde_json::Value;

use super::cost_view;
use crate::cost::CostChange;
use crate::engine::drift::How;
use crate::engine::plan::{Action, FieldChange, Plan, PlannedChange};
use crate::kinds::Impact;

/// So many resources whose tags alone change are shown one by one.
const FEW: usize = 5;

/// The whole plan: every change with its impact and time, then the critical path.
pub fn render(plan: &Plan) -> String {
    let mut text = String::new();
    let place = format!("in {} of account {}", plan.region, plan.account);
    let _ = writeln!(text, "{} {} {}", "stack".dimmed(), plan.stack.bold(), place.dimmed());
    drift(&mut text, plan);
    // Where nothing is known, the last line says so once.
    let cost = plan.cost.as_ref().filter(|cost| cost.is_known());
    let of = |change: &PlannedChange| cost.and_then(|cost| cost.of(&change.address));
    let (retagged, others): (Vec<_>, Vec<_>) = plan.changes.iter().partition(|change| change.is_tags_only());
    if retagged.len() <= FEW {
        plan.changes.iter().for_each(|change| line(&mut text, change, of(change)));
    } else {
        others.iter().for_each(|change| line(&mut text, change, of(change)));
        tags(&mut text, &retagged);
    }
    for address in &plan.awaited {
        let _ = writeln!(text, "  {} {address}  on its way, only waited for", "…".cyan());
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "  {} {warning}", "warning:".yellow().bold());
    }
    for finding in &plan.findings {
        let _ = writeln!(text, "  {} {finding}", "finding:".red().bold());
    }
    if plan.is_empty() {
        text.push_str("no changes");
        return text;
    }
    if let Some(cost) = &plan.cost {
        let _ = writeln!(text, "{}", cost_view::plan_total(cost));
    }
    let counts: Vec<String> = plan.summary.iter().map(|(action, count)| format!("{count} to {action}")).collect();
    let _ = writeln!(text, "{}", counts.join(", ").bold());
    let _ = write!(
        text,
        "about {}: {}",
        duration(plan.critical_path_seconds).bold(),
        plan.critical_path.join(" > ").dimmed()
    );
    if let Some(seconds) = plan.playable_seconds.filter(|seconds| (1..plan.critical_path_seconds).contains(seconds)) {
        let _ = write!(text, "\nplayable after about {} (--until playable)", duration(seconds).bold());
    }
    text
}

/// Tags that change on many resources: once for all that get the same, with their number.
fn tags(text: &mut String, retagged: &[&PlannedChange]) {
    let mut alike: BTreeMap<String, Vec<&PlannedChange>> = BTreeMap::new();
    for change in retagged {
        let fields = serde_json::to_string(&(&change.fields, change.overwrites_drift)).unwrap_or_default();
        alike.entry(fields).or_default().push(change);
    }
    for changes in alike.values() {
        if let [change] = changes[..] {
            line(text, change, None);
            continue;
        }
        let overwrites =
            if changes[0].overwrites_drift { ", overwrites what was changed outside provision" } else { "" };
        let _ = writeln!(text, "  {} tags of {} resources{}", "~".yellow(), changes.len(), overwrites.dimmed());
        changes[0].fields.iter().for_each(|field| field_line(text, field));
    }
}

/// What was changed outside provision: apart from the changes, because overwriting it is a decision of its own.
pub fn drift(text: &mut String, plan: &Plan) {
    if plan.drift.is_empty() {
        return;
    }
    let _ = writeln!(text, "{}", "changed outside provision since the last run:".bold());
    for drifted in &plan.drift {
        let how = match drifted.how {
            How::Changed => "changed",
            How::Deleted => "deleted",
            How::Untagged => "lost the stack's tags",
            How::Added => "carries the stack's tags, and no run made it",
        };
        let _ = writeln!(text, "  {} {:<44} {how} ({})", "!".yellow().bold(), drifted.address, drifted.id.dimmed());
        drifted.fields.iter().for_each(|field| field_line(text, field));
    }
}

fn field_line(text: &mut String, field: &FieldChange) {
    let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), short);
    let _ = writeln!(text, "      {}: {} -> {}", field.name, shown(&field.before), shown(&field.after));
}

fn line(text: &mut String, change: &PlannedChange, cost: Option<&CostChange>) {
    let sign = match change.action {
        Action::Create => "+".green().to_string(),
        Action::Update => "~".yellow().to_string(),
        Action::Replace => "±".magenta().to_string(),
        Action::Delete => "-".red().to_string(),
    };
    let mut notes = vec![match change.learned_from {
        Some(seen) => format!("{} (median of {seen})", duration(change.expected_seconds)),
        None => duration(change.expected_seconds),
    }];
    if let Some(impact) = impact(change) {
        notes.push(impact);
    }
    notes.extend(cost.map(cost_view::change));
    if change.overwrites_drift {
        notes.push("overwrites what was changed outside provision".into());
    }
    let _ = writeln!(text, "  {sign} {:<44} {}", change.address, notes.join(", ").dimmed());
    change.fields.iter().for_each(|field| field_line(text, field));
    if let Some(players) = &change.players {
        let _ = writeln!(text, "      {} {players}", "players notice:".cyan());
    }
    if let Some(window) = &change.window {
        let _ = writeln!(text, "      {} in the maintenance window, {window}", "takes effect:".cyan());
    }
}

fn impact(change: &PlannedChange) -> Option<String> {
    let data = change.data.unwrap_or("its data");
    // How long is said in its own line.
    let told = change.players.is_some();
    Some(match change.impact {
        Impact::None | Impact::Deleted => return None,
        Impact::InPlace => "in place".into(),
        Impact::Rolling => "rolling".into(),
        Impact::Failover if told => "in place, with a failover".into(),
        Impact::Outage if told => "in place, restarted".into(),
        Impact::Failover => "in place, with a failover (about 60 s without writes)".into(),
        Impact::Outage => "in place, restarted (about 5 to 10 min without it: nothing stands in)".into(),
        Impact::Replacement => "replacement".into(),
        Impact::ReplacementDataLost => format!("replacement: {data} would be LOST"),
        Impact::DataLost => format!("{data} goes with it"),
    })
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() > 100 { text.chars().take(99).chain(['…']).collect() } else { text }
}

/// `45 s`, `12 min`, `1 h 5 min`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5999 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
