//! How a card comes to its mark and its words.

use serde_json::Value;

use crate::engine::plan::{Action, FieldChange, PlannedChange};

use super::homes::{mark, members};
use super::subject::Subject;
use super::topology::{Card, Family};

/// The card `id` of what `subject` has of it, with what the plan does to that.
pub fn card(subject: &Subject, id: &str, tile: &'static str, family: Family, title: impl Into<String>) -> Card {
    let members = members(subject, id);
    let changes = members.iter().filter_map(|(resource, _)| resource.change.as_ref());
    Card {
        id: id.to_owned(),
        tile,
        family,
        title: title.into(),
        lines: Vec::new(),
        mark: mark(&members),
        changes: changes.map(in_words).collect(),
    }
}

impl Card {
    /// Adds a line, where it says anything.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        let line = line.into();
        if !line.is_empty() {
            self.lines.push(line);
        }
        self
    }

    /// With another mark than that of what it shows.
    pub fn marked(mut self, mark: Option<Action>) -> Self {
        self.mark = mark;
        self
    }

    /// All its words in one line, apart from its title.
    pub fn details(&self) -> String {
        self.lines.join(" · ")
    }
}

/// The word for what happens.
pub fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
    }
}

/// The sign for what happens, as the plan's text has it.
pub fn sign(action: Action) -> &'static str {
    match action {
        Action::Create => "+",
        Action::Update => "~",
        Action::Replace => "±",
        Action::Delete => "−",
    }
}

/// Every action, in the order of the legend.
pub const ACTIONS: [Action; 4] = [Action::Create, Action::Update, Action::Replace, Action::Delete];

/// The colour of what happens: dark enough for white text on it.
pub fn colour(action: Action) -> &'static str {
    match action {
        Action::Create => "#166534",
        Action::Update => "#92400e",
        Action::Replace => "#6b21a8",
        Action::Delete => "#b91c1c",
    }
}

/// A light one of the same hue, for black text on it.
pub fn tint(action: Action) -> &'static str {
    match action {
        Action::Create => "#dcfce7",
        Action::Update => "#fef3c7",
        Action::Replace => "#f3e8ff",
        Action::Delete => "#fee2e2",
    }
}

fn in_words(change: &PlannedChange) -> String {
    let fields: Vec<String> = change.fields.iter().map(field).collect();
    let text = format!("{} {} {}", sign(change.action), change.address, fields.join("; "));
    text.trim_end().to_owned()
}

fn field(change: &FieldChange) -> String {
    let shown = |value: &Option<Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
        Some(_) | None => String::new(),
    };
    let (before, after) = (shown(&change.before), shown(&change.after));
    if before.is_empty() && after.is_empty() {
        change.name.clone()
    } else {
        format!("{}: {before} → {after}", change.name)
    }
}
