//! A plan as a graph of steps: what waits for what, and which chain takes longest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use serde_json::Value;

use super::desired::Desired;
use super::observed::Inventory;
use super::plan::{Action, Plan, PlannedChange, half, kinds_before, order_of};
use super::times::{Times, class};
use crate::kinds::{Observed, Phase, ReplaceOrder};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    /// Make it and wait until it can be used.
    Create,
    /// Change it and wait until it can be used again.
    Update,
    /// Wait until it can be used.
    Await,
    /// Delete it and wait until it is gone.
    Delete,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// The node's address.
    pub address: String,
    /// Its kind.
    pub kind: &'static str,
    /// What is done.
    pub doing: Doing,
    /// The live resource it concerns.
    pub live: Option<Observed>,
    /// For a create: the id of what it replaces, which may still be there.
    pub replaces: Option<String>,
    /// The fields that differ.
    pub fields: Vec<String>,
    /// How long it takes on AWS.
    pub expected: Duration,
    /// What it is compared with, for how long it takes.
    pub class: String,
}

/// The steps and what waits for what (edge: the source comes first).
#[derive(Debug, Default)]
pub struct Steps {
    /// The graph.
    pub graph: DiGraph<Step, ()>,
}

/// Builds the steps of a plan.
pub fn of(plan: &Plan, desired: &Desired, inventory: &Inventory, times: &Times) -> Steps {
    let mut builder = Builder { steps: Steps::default(), make: BTreeMap::new(), gone: BTreeMap::new(), times };
    for change in &plan.changes {
        builder.add_change(change, desired, inventory);
    }
    for address in &plan.awaited {
        builder.add_await(address, inventory);
    }
    builder.connect(plan, desired);
    builder.steps
}

struct Builder<'a> {
    steps: Steps,
    make: BTreeMap<String, NodeIndex>,
    gone: BTreeMap<String, NodeIndex>,
    times: &'a Times,
}

impl Builder<'_> {
    fn add(&mut self, change: &PlannedChange, doing: Doing, live: Option<Observed>, props: &Value) -> NodeIndex {
        let phase = match doing {
            Doing::Create | Doing::Await => Phase::Create,
            Doing::Update => Phase::Update,
            Doing::Delete => Phase::Delete,
        };
        let fields: Vec<String> = change.fields.iter().map(|f| f.name.clone()).collect();
        let expected = half(change.kind, self.times, phase, props, &fields).time;
        let class = crate::kinds::named(change.kind).map_or(String::new(), |k| class(k, phase, props, &fields));
        let (address, kind) = (change.address.clone(), change.kind);
        // Where the old one goes first, the new one may have its id.
        let is_there = doing == Doing::Create && order_of(kind) == ReplaceOrder::CreateFirst;
        let replaces = change.id.clone().filter(|_| is_there);
        self.steps.graph.add_node(Step { address, kind, doing, live, replaces, fields, expected, class })
    }

    fn add_change(&mut self, change: &PlannedChange, desired: &Desired, inventory: &Inventory) {
        let live = inventory.all().find(|o| o.kind == change.kind && Some(&o.id) == change.id.as_ref()).cloned();
        let props = desired.nodes.get(&change.address).map_or(Value::Null, |node| node.props.clone());
        let old = live.as_ref().map_or(Value::Null, |o| o.props.clone());
        if matches!(change.action, Action::Create | Action::Replace) {
            let index = self.add(change, Doing::Create, None, &props);
            self.make.insert(change.address.clone(), index);
        }
        if change.action == Action::Update {
            let index = self.add(change, Doing::Update, live.clone(), &props);
            self.make.insert(change.address.clone(), index);
        }
        if matches!(change.action, Action::Delete | Action::Replace) {
            let index = self.add(change, Doing::Delete, live, &old);
            self.gone.insert(change.address.clone(), index);
        }
    }

    fn add_await(&mut self, address: &str, inventory: &Inventory) {
        let Some(live) = inventory.live.get(address) else { return };
        let expected = half(live.kind, self.times, Phase::Create, &live.props, &[]).time;
        let index = self.steps.graph.add_node(Step {
            address: address.to_owned(),
            kind: live.kind,
            doing: Doing::Await,
            live: Some(live.clone()),
            replaces: None,
            fields: Vec::new(),
            expected,
            class: String::new(),
        });
        self.make.insert(address.to_owned(), index);
    }

    fn connect(&mut self, plan: &Plan, desired: &Desired) {
        let graph = &mut self.steps.graph;
        // Tags wait for nothing, and nothing waits for them.
        let tags_only: BTreeSet<&str> =
            plan.changes.iter().filter(|change| change.is_tags_only()).map(|change| change.address.as_str()).collect();
        for (address, needs) in desired.needs.iter().filter(|(address, _)| !tags_only.contains(address.as_str())) {
            let Some(&dependant) = self.make.get(address) else { continue };
            let needs = needs.iter().filter(|need| !tags_only.contains(need.as_str()));
            for &need in needs.filter_map(|need| self.make.get(need)) {
                let (first, second) =
                    if goes_first(&graph[dependant], &graph[need]) { (dependant, need) } else { (need, dependant) };
                graph.update_edge(first, second, ());
            }
        }
        let changes: BTreeMap<&str, &PlannedChange> = plan.changes.iter().map(|c| (c.address.as_str(), c)).collect();
        for (address, &gone) in &self.gone {
            let create_first = creates_first(address, &changes, desired);
            if let Some(&made) = self.make.get(address) {
                let (first, second) = if create_first { (made, gone) } else { (gone, made) };
                graph.update_edge(first, second, ());
            }
            // What depends on this kind goes (or, for a create-first one, moves over) before this one goes.
            let before = kinds_before(graph[gone].kind);
            for (other, &other_gone) in &self.gone {
                if before.contains(graph[other_gone].kind) && other != address {
                    graph.update_edge(other_gone, gone, ());
                }
            }
            // An extra one's successor is the node itself.
            let node = address.split('#').next().unwrap_or(address);
            let replaced = changes.get(node).is_some_and(|change| change.action == Action::Replace);
            if replaced && !creates_first(node, &changes, desired) {
                continue;
            }
            for (other, &other_made) in &self.make {
                let moves_over = before.contains(graph[other_made].kind) || leads(desired, other, node);
                if moves_over && graph[other_made].doing == Doing::Update {
                    graph.update_edge(other_made, gone, ());
                }
            }
        }
    }
}

/// Whether `step` changes something that is changed in it before it is changed in what it depends on.
fn goes_first(step: &Step, needed: &Step) -> bool {
    let first = crate::kinds::named(step.kind).map_or(&[] as &[&str], |kind| kind.updated_first());
    let updates =
        |step: &Step, field: &str| step.doing == Doing::Update && step.fields.iter().any(|name| name == field);
    first.iter().any(|field| updates(step, field) && updates(needed, field))
}

/// Whether `from` needs `to`, itself or through what it needs.
fn leads(desired: &Desired, from: &str, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(address) = open.pop() {
        for need in desired.needs.get(address).into_iter().flatten().map(String::as_str) {
            if need == to {
                return true;
            }
            if seen.insert(need) {
                open.push(need);
            }
        }
    }
    false
}

/// Whether a replaced node's successor is made before it goes: where its kind says so, and nothing that the successor
/// needs has to wait for the old one to go.
fn creates_first(address: &str, changes: &BTreeMap<&str, &PlannedChange>, desired: &Desired) -> bool {
    let replaced = |address: &str| changes.get(address).filter(|c| c.action == Action::Replace);
    let Some(change) = replaced(address) else { return false };
    let waits = |need: &String| replaced(need).is_some() && !creates_first(need, changes, desired);
    order_of(change.kind) == ReplaceOrder::CreateFirst && !desired.needs.get(address).into_iter().flatten().any(waits)
}

impl Steps {
    /// For each step, how long the longest chain from its start to the end takes.
    pub fn remaining(&self) -> BTreeMap<NodeIndex, Duration> {
        self.remaining_of(&self.graph.node_indices().collect())
    }

    /// As [`Steps::remaining`], over some of the steps only.
    pub fn remaining_of(&self, some: &BTreeSet<NodeIndex>) -> BTreeMap<NodeIndex, Duration> {
        let mut longest: BTreeMap<NodeIndex, Duration> = BTreeMap::new();
        for index in toposort(&self.graph, None).unwrap_or_default().into_iter().rev().filter(|i| some.contains(i)) {
            let after = self.graph.edges(index).filter_map(|e| longest.get(&e.target()).copied()).max();
            longest.insert(index, self.graph[index].expected + after.unwrap_or_default());
        }
        longest
    }

    /// The chain of steps that takes longest, and how long that is.
    pub fn critical_path(&self) -> (Vec<String>, Duration) {
        if self.circle().is_some() {
            return (Vec::new(), Duration::ZERO);
        }
        let remaining = self.remaining();
        let longest = |candidates: &mut dyn Iterator<Item = NodeIndex>| {
            candidates.max_by_key(|index| (remaining.get(index).copied(), std::cmp::Reverse(index.index())))
        };
        let mut path = Vec::new();
        let mut at = longest(&mut self.graph.node_indices());
        let total = at.and_then(|index| remaining.get(&index).copied()).unwrap_or_default();
        while let Some(index) = at {
            path.push(self.graph[index].address.clone());
            at = longest(&mut self.graph.neighbors(index));
        }
        (path, total)
    }

    /// The steps that make or await the nodes in `addresses`, and all that these wait for.
    pub fn towards(&self, addresses: &BTreeSet<String>) -> BTreeSet<NodeIndex> {
        let goal = |index: &NodeIndex| {
            let step = &self.graph[*index];
            step.doing != Doing::Delete && addresses.contains(&step.address)
        };
        let mut found = BTreeSet::new();
        let mut open: Vec<NodeIndex> = self.graph.node_indices().filter(goal).collect();
        while let Some(index) = open.pop() {
            if found.insert(index) {
                open.extend(self.graph.neighbors_directed(index, petgraph::Direction::Incoming));
            }
        }
        found
    }

    /// Whether the graph has a circle, which would leave steps that never start.
    pub fn circle(&self) -> Option<&Step> {
        toposort(&self.graph, None).err().map(|circle| &self.graph[circle.node_id()])
    }
}
