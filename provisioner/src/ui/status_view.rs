//! The status of a stack as text.

use std::fmt::Write;

use owo_colors::OwoColorize;

use super::plan_view::duration;
use crate::engine::status::{Change, Resource, Snapshot, short};

/// How a cell is coloured.
#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Good,
    Busy,
    Bad,
    Dim,
}

/// A cell: its text and its colour.
type Cell = (String, Tone);

/// Everything: what `status` answers.
pub fn render(status: &Snapshot) -> String {
    let mut text = String::new();
    let rows = status.resources.iter().map(resource_row).collect();
    table(&mut text, &["ADDRESS", "STATE", "ID"], rows);
    let _ = writeln!(text, "{} resources", status.resources.len());
    parts(&mut text, status);
    text.trim_end().to_owned()
}

/// What fits on a screen: of the resources only those that are not ready.
pub fn render_brief(status: &Snapshot, now: jiff::Timestamp) -> String {
    let at = now.strftime("%Y-%m-%d %H:%M:%SZ");
    let mut text = format!("{}  {}  {} resources\n", status.stack.bold(), at.dimmed(), status.resources.len());
    let rows: Vec<_> = status.resources.iter().filter(|r| r.state != "ready").map(resource_row).collect();
    if !rows.is_empty() {
        text.push('\n');
        table(&mut text, &["ADDRESS", "STATE", "ID"], rows);
    }
    parts(&mut text, status);
    text.trim_end().to_owned()
}

/// One change, in a line.
pub fn render_change(change: &Change) -> String {
    let at = change.at.strftime("%H:%M:%SZ");
    let what = format!("{} {}", change.part, change.id);
    match (&change.words.0, &change.words.1) {
        (Some(before), Some(after)) => format!("{} {} {before} -> {after}", at.dimmed(), what.bold()),
        (None, Some(after)) => format!("{} {} {} {after}", at.dimmed(), "+".green(), what.bold()),
        (before, None) => {
            let before = before.as_deref().unwrap_or_default();
            format!("{} {} {} was {before}", at.dimmed(), "-".red(), what.bold())
        }
    }
}

fn parts(text: &mut String, status: &Snapshot) {
    if status.coming > 0 {
        let ready = status.ready_in_seconds.map_or(String::new(), |s| format!(", ready in about {}", duration(s)));
        let _ = writeln!(text, "{} on their way{ready}", status.coming);
    }
    if let Some(lease) = &status.lease {
        let _ = writeln!(text, "{} has been working on it since {}", lease.who, lease.since);
    }
    instances(text, status);
    database(text, status);
    cache(text, status);
    alarms(text, status);
}

fn resource_row(resource: &Resource) -> Vec<Cell> {
    let ready = resource.ready_in_seconds.map_or(String::new(), |s| format!(", ready in about {}", duration(s)));
    let tone = match resource.state.as_str() {
        "ready" => Tone::Plain,
        state if state.starts_with("failed: ") => Tone::Bad,
        _ => Tone::Busy,
    };
    vec![
        (resource.address.clone(), Tone::Plain),
        (format!("{}{ready}", resource.state), tone),
        (resource.id.clone(), Tone::Dim),
    ]
}

fn instances(text: &mut String, status: &Snapshot) {
    if status.instances.is_empty() {
        return;
    }
    let rows = status.instances.iter().map(|instance| {
        let lifecycle = if instance.lifecycle == "InService" { Tone::Good } else { Tone::Busy };
        let health = instance.health.as_deref();
        let tone = match health {
            Some("healthy") => Tone::Good,
            Some("unhealthy" | "unavailable") => Tone::Bad,
            _ => Tone::Busy,
        };
        let reason = instance.reason.as_deref().map_or(String::new(), |reason| format!(" ({reason})"));
        let release = instance.release.as_deref().map_or("-", short);
        vec![
            (instance.id.clone(), Tone::Plain),
            (instance.zone.clone(), Tone::Plain),
            (instance.instance_type.clone(), Tone::Plain),
            (instance.lifecycle.clone(), lifecycle),
            (format!("{}{reason}", health.unwrap_or("not registered")), tone),
            (release.to_owned(), Tone::Plain),
        ]
    });
    text.push('\n');
    table(text, &["INSTANCE", "ZONE", "TYPE", "LIFECYCLE", "HEALTH", "RELEASE"], rows.collect());
}

/// What a database or a cache node is doing.
fn status_tone(status: &str) -> Tone {
    match status {
        "available" => Tone::Good,
        status if status.contains("fail") || status.starts_with("in") || status == "stopped" => Tone::Bad,
        _ => Tone::Busy,
    }
}

fn database(text: &mut String, status: &Snapshot) {
    if status.database.is_empty() {
        return;
    }
    let rows = status.database.iter().map(|db| {
        let standby = db.standby_zone.as_deref().unwrap_or("-");
        vec![
            (db.id.clone(), Tone::Plain),
            (db.role.to_owned(), Tone::Plain),
            (db.zone.clone(), Tone::Plain),
            (standby.to_owned(), Tone::Plain),
            (db.status.clone(), status_tone(&db.status)),
            (db.class.clone(), Tone::Plain),
            (db.engine_version.clone(), Tone::Plain),
        ]
    });
    text.push('\n');
    table(text, &["DATABASE", "ROLE", "ZONE", "STANDBY", "STATUS", "CLASS", "VERSION"], rows.collect());
    waiting(text, status.database.iter().map(|db| (&db.id, &db.waiting)));
}

fn cache(text: &mut String, status: &Snapshot) {
    if status.cache.is_empty() {
        return;
    }
    let rows = status.cache.iter().map(|node| {
        vec![
            (node.id.clone(), Tone::Plain),
            (node.role.clone().unwrap_or_else(|| "-".into()), Tone::Plain),
            (node.zone.clone(), Tone::Plain),
            (node.status.clone(), status_tone(&node.status)),
            (node.node_type.clone(), Tone::Plain),
            (node.engine_version.clone(), Tone::Plain),
        ]
    });
    text.push('\n');
    table(text, &["CACHE", "ROLE", "ZONE", "STATUS", "TYPE", "VERSION"], rows.collect());
    waiting(text, status.cache.iter().map(|node| (&node.id, &node.waiting)));
}

/// What waits for the maintenance window.
fn waiting<'a>(text: &mut String, all: impl Iterator<Item = (&'a String, &'a Vec<String>)>) {
    for (id, waiting) in all.filter(|(_, waiting)| !waiting.is_empty()) {
        let _ = writeln!(text, "{} waits for its maintenance window: {}", id.yellow(), waiting.join(", "));
    }
}

/// Those that sound by name; the others are counted.
fn alarms(text: &mut String, status: &Snapshot) {
    if status.alarms.is_empty() {
        return;
    }
    let count = |state: &str| status.alarms.iter().filter(|alarm| alarm.state == state).count();
    let (ok, silent, sounding) = (count("OK"), count("INSUFFICIENT_DATA"), count("ALARM"));
    let _ = writeln!(text, "\nalarms: {ok} ok, {silent} without data, {sounding} in alarm");
    let rows: Vec<Vec<Cell>> = status
        .alarms
        .iter()
        .filter(|alarm| alarm.state == "ALARM")
        .map(|alarm| {
            let since = alarm.since.map_or(String::new(), |since| since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            vec![(alarm.name.clone(), Tone::Bad), (since, Tone::Plain)]
        })
        .collect();
    if !rows.is_empty() {
        table(text, &["IN ALARM", "SINCE"], rows);
    }
}

/// Columns as wide as their widest cell; colours do not count.
fn table(text: &mut String, header: &[&str], rows: Vec<Vec<Cell>>) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].0.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |text: &mut String, cells: Vec<Cell>| {
        let last = cells.len() - 1;
        for (column, (cell, tone)) in cells.into_iter().enumerate() {
            let padded = if column == last { cell } else { format!("{cell:<0$}  ", widths[column]) };
            let _ = match tone {
                Tone::Plain => write!(text, "{padded}"),
                Tone::Good => write!(text, "{}", padded.green()),
                Tone::Busy => write!(text, "{}", padded.yellow()),
                Tone::Bad => write!(text, "{}", padded.red().bold()),
                Tone::Dim => write!(text, "{}", padded.dimmed()),
            };
        }
        text.push('\n');
    };
    line(text, header.iter().map(|name| ((*name).to_owned(), Tone::Dim)).collect());
    for row in rows {
        line(text, row);
    }
}

#[cfg(test)]
mod tests;
