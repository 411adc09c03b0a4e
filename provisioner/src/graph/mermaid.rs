//! The picture as a mermaid flowchart.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::engine::plan::Action;

use super::cards::{ACTIONS, colour, sign, tint, verb};
use super::nesting::{Part, edges, nested};
use super::topology::{Flow, Topology};

/// The whole flowchart.
pub fn write(topology: &Topology) -> String {
    let mut text = String::new();
    let heading = topology.plan.as_ref().map_or(String::new(), |plan| format!(": {plan}"));
    let title = format!("{} in {}{heading}", topology.stack, topology.region);
    let _ = writeln!(text, "---\ntitle: {}\n---\nflowchart TB", serde_json::Value::from(title));
    let mut marked: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for part in nested(topology) {
        part_of(&mut text, &part, 1, &mut marked);
    }
    for edge in edges(topology) {
        let arrow = match edge.flow {
            Flow::Request => "-->",
            Flow::Replication | Flow::Out => "-.->",
        };
        let label = if edge.label.is_empty() { String::new() } else { format!("|{}|", quoted(&edge.label)) };
        let _ = writeln!(text, "  {} {arrow}{label} {}", id(&edge.from), id(&edge.to));
    }
    for action in ACTIONS {
        let Some(ids) = marked.get(verb(action)) else { continue };
        let _ = writeln!(text, "  classDef {} {}", verb(action), look(action));
        let _ = writeln!(text, "  class {} {}", ids.join(","), verb(action));
    }
    text
}

fn part_of(text: &mut String, part: &Part, depth: usize, marked: &mut BTreeMap<&str, Vec<String>>) {
    let indent = "  ".repeat(depth);
    let (of, mark) = match part {
        Part::Node(card) => (&card.id, card.mark),
        Part::Group { id, card, .. } => (id, card.as_ref().and_then(|card| card.mark)),
    };
    if let Some(action) = mark {
        marked.entry(verb(action)).or_default().push(id(of));
    }
    let signed = |title: &str| mark.map_or(title.to_owned(), |action| format!("{} {title}", sign(action)));
    match part {
        Part::Node(card) => {
            let words: Vec<String> = std::iter::once(signed(&card.title)).chain(card.lines.iter().cloned()).collect();
            let words: Vec<String> = words.iter().map(|line| escaped(line)).collect();
            let _ = writeln!(text, "{indent}{}[\"{}\"]", id(of), words.join("<br/>"));
        }
        Part::Group { label, parts, .. } => {
            let _ = writeln!(text, "{indent}subgraph {}[{}]", id(of), quoted(&signed(label)));
            parts.iter().for_each(|part| part_of(text, part, depth + 1, marked));
            let _ = writeln!(text, "{indent}end");
        }
    }
}

/// Letters, digits and underscores. `end` and the like are words of the language, so each id says that it is one.
fn id(of: &str) -> String {
    let plain = of.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    format!("n_{}", plain.collect::<String>())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Mermaid's own entities: a number sign begins one.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '#' => escaped.push_str("#35;"),
            '"' => escaped.push_str("#quot;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '&' => escaped.push_str("#amp;"),
            // Markdown.
            '`' => escaped.push_str("#96;"),
            '*' => escaped.push_str("#42;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

fn look(action: Action) -> String {
    format!("fill:{},stroke:{},stroke-width:2px,color:#0f172a", tint(action), colour(action))
}
