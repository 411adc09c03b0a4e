//! The picture in Graphviz's language.

use std::fmt::Write;

use crate::engine::plan::Action;

use super::cards::{colour, sign, tint, verb};
use super::nesting::{Part, edges, nested};
use super::topology::{Card, Flow, Topology};

/// The whole graph.
pub fn write(topology: &Topology) -> String {
    let heading = match &topology.plan {
        Some(plan) => format!("{} in {}\n{plan}", topology.stack, topology.region),
        None => format!("{} in {}", topology.stack, topology.region),
    };
    let mut text = format!(
        "digraph {} {{\n  graph [label={}, labelloc=t, fontname=\"Helvetica\", fontsize=16, nodesep=0.35, ranksep=0.6];\n  \
         node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", color=\"#64748b\", fontname=\"Helvetica\", fontsize=11];\n  \
         edge [color=\"#334155\", fontname=\"Helvetica\", fontsize=10];\n",
        quoted(&topology.stack),
        quoted(&heading),
    );
    for part in nested(topology) {
        part_of(&mut text, &part, 1);
    }
    for edge in edges(topology) {
        let style = match edge.flow {
            Flow::Request => "solid",
            Flow::Replication => "dashed",
            Flow::Out => "dotted",
        };
        let label = if edge.label.is_empty() { String::new() } else { format!(", label={}", quoted(&edge.label)) };
        let _ = writeln!(text, "  {} -> {} [style={style}{label}];", quoted(&edge.from), quoted(&edge.to));
    }
    text.push_str("}\n");
    text
}

fn part_of(text: &mut String, part: &Part, depth: usize) {
    let indent = "  ".repeat(depth);
    match part {
        Part::Node(card) => {
            let words: Vec<String> = std::iter::once(titled(card)).chain(card.lines.iter().cloned()).collect();
            let (label, look) = (quoted(&words.join("\n")), card.mark.map_or(String::new(), look));
            let tooltip = match card.changes.is_empty() {
                true => String::new(),
                false => format!(", tooltip={}", quoted(&card.changes.join("\n"))),
            };
            let _ = writeln!(text, "{indent}{} [label={label}{look}{tooltip}];", quoted(&card.id));
        }
        Part::Group { id, label, card, parts } => {
            let mark = card.as_ref().and_then(|card| card.mark);
            let label = mark.map_or(label.clone(), |action| format!("{} {label}", sign(action)));
            let colour = mark.map_or("#94a3b8", colour);
            let _ = writeln!(text, "{indent}subgraph {} {{", quoted(&format!("cluster_{id}")));
            let _ = writeln!(
                text,
                "{indent}  graph [label={}, style=rounded, color=\"{colour}\", fontsize=12];",
                quoted(&label)
            );
            if parts.is_empty() {
                // A cluster without a node is not drawn.
                let _ = writeln!(text, "{indent}  {} [shape=point, style=invis];", quoted(&format!("in {id}")));
            }
            parts.iter().for_each(|part| part_of(text, part, depth + 1));
            let _ = writeln!(text, "{indent}}}");
        }
    }
}

fn titled(card: &Card) -> String {
    card.mark.map_or(card.title.clone(), |action| format!("{} {}: {}", sign(action), verb(action), card.title))
}

fn look(action: Action) -> String {
    let (class, fill, line) = (verb(action), tint(action), colour(action));
    format!(", class=\"{class}\", fillcolor=\"{fill}\", color=\"{line}\", penwidth=2")
}

/// A quoted string, in which line breaks are written.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
