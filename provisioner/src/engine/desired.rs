//! Blueprint -> graph of desired nodes, by asking every kind.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::toposort;
use petgraph::graphmap::DiGraphMap;
use serde_json::Value;

use crate::blueprint::Blueprint;
use crate::kinds::{self, Node, Place};

/// The desired nodes by address, each with what it depends on.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// Nodes by address.
    pub nodes: BTreeMap<String, Node>,
    /// For each address, the addresses it needs first.
    pub needs: BTreeMap<String, BTreeSet<String>>,
    /// Free tags that everything is to carry.
    pub tags: BTreeMap<String, String>,
}

/// A graph that cannot be built. These are defects of a kind, found by tests.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GraphError {
    /// Two nodes of one address.
    #[error("two nodes claim the address {0}")]
    Twice(String),
    /// A reference to a node that nobody wants.
    #[error("{from} refers to {to}, which is not in the graph")]
    Dangling {
        /// The node that refers.
        from: String,
        /// The address that nobody wants.
        to: String,
    },
    /// A circle.
    #[error("{0} depends on itself")]
    Circle(String),
}

impl Desired {
    /// Asks every kind what the blueprint wants of it.
    pub fn of(blueprint: &Blueprint, place: &Place) -> Result<Self, GraphError> {
        let graph = Self::from_nodes(kinds::all().iter().flat_map(|kind| kind.desired(blueprint, place)))?;
        Ok(Self { tags: blueprint.tags.clone(), ..graph })
    }

    /// Builds the graph out of nodes.
    pub fn from_nodes(nodes: impl IntoIterator<Item = Node>) -> Result<Self, GraphError> {
        let mut graph = Self::default();
        for node in nodes {
            let mut needs: BTreeSet<String> = node.after.iter().cloned().collect();
            references(&node.props, &mut |to, _| {
                needs.insert(to.to_owned());
            });
            let address = node.address.clone();
            if graph.nodes.insert(address.clone(), node).is_some() {
                return Err(GraphError::Twice(address));
            }
            graph.needs.insert(address, needs);
        }
        for (from, needs) in &graph.needs {
            if let Some(to) = needs.iter().find(|to| !graph.nodes.contains_key(*to)) {
                return Err(GraphError::Dangling { from: from.clone(), to: to.clone() });
            }
        }
        graph.in_order()?;
        Ok(graph)
    }

    /// The addresses, dependencies first.
    pub fn in_order(&self) -> Result<Vec<&str>, GraphError> {
        let mut order: DiGraphMap<&str, ()> = DiGraphMap::new();
        for (address, needs) in &self.needs {
            order.add_node(address);
            for need in needs {
                order.add_edge(need, address, ());
            }
        }
        toposort(&order, None).map_err(|circle| GraphError::Circle(circle.node_id().to_owned()))
    }
}

/// Calls `found(address, attribute)` for every open reference in `props`.
pub fn references(props: &Value, found: &mut impl FnMut(&str, &str)) {
    match props {
        Value::Object(map) => {
            if let (Some(Value::String(node)), Some(Value::String(attr))) = (map.get("$node"), map.get("attr")) {
                found(node, attr);
                return;
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// `props` with every reference that `lookup` knows replaced by its value; the others stay open.
pub fn resolve(props: &Value, lookup: &impl Fn(&str, &str) -> Option<String>) -> Value {
    match props {
        Value::Object(map) => {
            if let (Some(Value::String(node)), Some(Value::String(attr))) = (map.get("$node"), map.get("attr")) {
                return lookup(node, attr).map_or_else(|| props.clone(), Value::String);
            }
            Value::Object(map.iter().map(|(k, v)| (k.clone(), resolve(v, lookup))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|v| resolve(v, lookup)).collect()),
        other => other.clone(),
    }
}
