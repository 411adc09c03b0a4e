//! Walks a plan: bounded concurrency, longest pole first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::stream::{FuturesUnordered, StreamExt};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::desired::Desired;
use super::events::{Event, Listener, chain};
use super::journal::Journal;
use super::observed::Inventory;
use super::plan::Plan;
use super::playable::{Until, playable};
use super::step::{Ground, StepError};
use super::steps::{self, Doing, Step};
use super::times::Times;
use super::waits::Pace;
use super::walk::Walk;
use crate::aws::intercept::NODE;
use crate::kinds::Cx;

/// Steps in flight at once, waits included.
const IN_FLIGHT: usize = 32;
/// Steps of one kind in flight at once: keeps below the services' own rates.
const OF_ONE_KIND: usize = 12;

/// A failed step, for the report.
#[derive(Debug, Clone, Serialize)]
pub struct Failed {
    /// The node's address.
    pub address: String,
    /// What was done.
    pub doing: Doing,
    /// The error with its causes: AWS's code and request id are in it.
    pub error: String,
    /// What to do about it, where that is known.
    pub advice: Option<&'static str>,
}

/// Begun, and not waited for: this run did not need it.
#[derive(Debug, Clone, Serialize)]
pub struct OnItsWay {
    /// The node's address.
    pub address: String,
    /// What it waits for.
    pub state: String,
    /// When it will be ready at this endpoint.
    pub ready_in_seconds: u64,
}

/// What became of a plan.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// Addresses of finished steps.
    pub done: Vec<String>,
    /// What failed.
    pub failed: Vec<Failed>,
    /// Begun, and no longer waited for because the run was stopped: AWS goes on with it.
    pub stopped: Vec<String>,
    /// Begun, and not waited for because the API can serve without it.
    pub on_its_way: Vec<OnItsWay>,
    /// Not begun, because it needs what is on its way: the next `up` makes it.
    pub left_to_next: Vec<String>,
    /// Not started, because something it depends on failed.
    pub skipped: Vec<String>,
    /// Not started, because the run was stopped.
    pub not_started: Vec<String>,
    /// Whether the run was stopped on request.
    pub interrupted: bool,
}

impl Outcome {
    /// Whether the run left something on purpose, and the nodes in `changes`, which are still to do, are all of that.
    pub fn leaves<'a>(&self, mut changes: impl Iterator<Item = &'a String>) -> bool {
        let left = |address: &String| {
            self.left_to_next.contains(address) || self.on_its_way.iter().any(|step| step.address == *address)
        };
        !self.on_its_way.is_empty() && changes.all(left)
    }
}

/// What apply is given besides the plan.
pub struct Run<'a> {
    /// The clients.
    pub cx: &'a Cx,
    /// How fast time passes here.
    pub pace: Pace,
    /// How long things took before.
    pub times: &'a Times,
    /// When the run may end.
    pub until: Until,
    /// Where events go.
    pub listener: Listener,
    /// Turns true when nothing new may start.
    pub stop: watch::Receiver<bool>,
    /// Where step times go.
    pub journal: Option<Arc<Journal>>,
}

/// Applies `plan`.
pub async fn apply(run: &Run<'_>, plan: &Plan, desired: &Desired, inventory: &Inventory) -> Outcome {
    let steps = steps::of(plan, desired, inventory, run.times);
    let (enough, is_enough) = watch::channel(false);
    let attrs = inventory.live.iter().map(|(address, live)| (address.clone(), live.attrs.clone())).collect();
    let ground = Ground {
        cx: run.cx,
        pace: run.pace,
        listener: run.listener.clone(),
        stop: run.stop.clone(),
        enough: is_enough,
        attrs: Mutex::new(attrs),
    };
    let awaited = match run.until {
        Until::Done => steps.graph.node_indices().collect(),
        Until::Playable => steps.towards(&playable(desired)),
    };
    let mut walk = Walk::new(&steps, awaited);
    (run.listener)(Event::Applying {
        steps: steps.graph.node_count(),
        expected_seconds: run.pace.here(walk.left(run.pace, Instant::now())).as_secs(),
    });
    let kinds: BTreeSet<&str> = steps.graph.node_weights().map(|step| step.kind).collect();
    let turns: BTreeMap<&str, Semaphore> = kinds.into_iter().map(|kind| (kind, Semaphore::new(OF_ONE_KIND))).collect();
    let mut flying = FuturesUnordered::new();
    loop {
        // What can be begun without waiting is begun even then.
        enough.send_replace(walk.has_all());
        while flying.len() < IN_FLIGHT && !*run.stop.borrow() {
            let Some(index) = walk.next(Instant::now()) else { break };
            let step = &steps.graph[index];
            let wanted = desired.nodes.get(&step.address).map(|node| &node.props);
            let (ground, turns) = (&ground, &turns);
            flying.push(async move {
                let _turn = turns[step.kind].acquire().await;
                if *run.stop.borrow() {
                    return (index, Err(StepError::NotBegun));
                }
                let result = one(run, ground, step, wanted).await;
                (index, result)
            });
        }
        let Some((index, result)) = flying.next().await else { break };
        walk.finish(index, result, run);
    }
    drop(flying);
    walk.outcome(*run.stop.borrow())
}

async fn one(
    run: &Run<'_>,
    ground: &Ground<'_>,
    step: &Step,
    wanted: Option<&serde_json::Value>,
) -> Result<f64, StepError> {
    (run.listener)(Event::Started {
        address: step.address.clone(),
        doing: step.doing,
        expected_seconds: run.pace.here(step.expected).as_secs(),
    });
    let started = Instant::now();
    let result = NODE.scope(step.address.clone(), ground.run(step, wanted)).await;
    let seconds = started.elapsed().as_secs_f64();
    if let Some(journal) = &run.journal {
        journal.step(step, seconds, result.as_ref().err().map(|e| chain(e)).as_deref());
    }
    result.map(|()| seconds)
}
