//! Walks a plan: bounded concurrency, longest pole first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::desired::Desired;
use super::events::{Event, Listener, chain};
use super::journal::Journal;
use super::observed::Inventory;
use super::plan::Plan;
use super::step::{Ground, StepError};
use super::steps::{self, Doing, Step, Steps};
use super::waits::Pace;
use crate::aws::codes;
use crate::aws::intercept::NODE;
use crate::kinds::{Cx, Error};

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

/// What became of a plan.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// Addresses of finished steps.
    pub done: Vec<String>,
    /// What failed.
    pub failed: Vec<Failed>,
    /// Begun, and no longer waited for because the run was stopped: AWS goes on with it.
    pub stopped: Vec<String>,
    /// Not started, because something it depends on failed.
    pub skipped: Vec<String>,
    /// Not started, because the run was stopped.
    pub not_started: Vec<String>,
    /// Whether the run was stopped on request.
    pub interrupted: bool,
}

/// What apply is given besides the plan.
pub struct Run<'a> {
    /// The clients.
    pub cx: &'a Cx,
    /// How fast time passes here.
    pub pace: Pace,
    /// Where events go.
    pub listener: Listener,
    /// Turns true when nothing new may start.
    pub stop: watch::Receiver<bool>,
    /// Where step times go.
    pub journal: Option<Arc<Journal>>,
}

/// Applies `plan`.
pub async fn apply(run: &Run<'_>, plan: &Plan, desired: &Desired, inventory: &Inventory) -> Outcome {
    let steps = steps::of(plan, desired, inventory);
    let attrs = inventory.live.iter().map(|(address, live)| (address.clone(), live.attrs.clone())).collect();
    let ground = Ground {
        cx: run.cx,
        pace: run.pace,
        listener: run.listener.clone(),
        stop: run.stop.clone(),
        attrs: Mutex::new(attrs),
    };
    let mut walk = Walk::new(&steps);
    (run.listener)(Event::Applying {
        steps: steps.graph.node_count(),
        expected_seconds: run.pace.here(Duration::from_secs(plan.critical_path_seconds)).as_secs(),
    });
    let kinds: BTreeSet<&str> = steps.graph.node_weights().map(|step| step.kind).collect();
    let turns: BTreeMap<&str, Semaphore> = kinds.into_iter().map(|kind| (kind, Semaphore::new(OF_ONE_KIND))).collect();
    let mut flying = FuturesUnordered::new();
    loop {
        while flying.len() < IN_FLIGHT && !*run.stop.borrow() {
            let Some(index) = walk.next() else { break };
            let step = &steps.graph[index];
            let wanted = desired.nodes.get(&step.address).map(|node| &node.props);
            let (ground, turns) = (&ground, &turns);
            flying.push(async move {
                let _turn = turns[step.kind].acquire().await;
                if *run.stop.borrow() {
                    return (index, Err(StepError::Interrupted("not begun".into())));
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

/// Which steps may start, and what became of those that did.
struct Walk<'a> {
    steps: &'a Steps,
    remaining: BTreeMap<NodeIndex, Duration>,
    waiting: BTreeMap<NodeIndex, usize>,
    ready: Vec<NodeIndex>,
    running: BTreeSet<NodeIndex>,
    blocked: BTreeSet<NodeIndex>,
    outcome: Outcome,
}

impl<'a> Walk<'a> {
    fn new(steps: &'a Steps) -> Self {
        let count = |index| steps.graph.neighbors_directed(index, Direction::Incoming).count();
        let waiting: BTreeMap<NodeIndex, usize> = steps.graph.node_indices().map(|i| (i, count(i))).collect();
        let ready = waiting.iter().filter(|(_, n)| **n == 0).map(|(i, _)| *i).collect();
        Self {
            steps,
            remaining: steps.remaining(),
            waiting,
            ready,
            running: BTreeSet::new(),
            blocked: BTreeSet::new(),
            outcome: Outcome::default(),
        }
    }

    /// The ready step with the longest chain behind it.
    fn next(&mut self) -> Option<NodeIndex> {
        let at = (0..self.ready.len()).max_by_key(|i| self.remaining.get(&self.ready[*i]))?;
        let index = self.ready.swap_remove(at);
        self.waiting.remove(&index);
        self.running.insert(index);
        Some(index)
    }

    fn finish(&mut self, index: NodeIndex, result: Result<f64, StepError>, run: &Run<'_>) {
        self.running.remove(&index);
        let step = &self.steps.graph[index];
        let (address, doing) = (step.address.clone(), step.doing);
        match result {
            Ok(seconds) => {
                for next in self.steps.graph.neighbors(index) {
                    if let Some(count) = self.waiting.get_mut(&next) {
                        *count -= 1;
                        if *count == 0 && !self.blocked.contains(&next) {
                            self.ready.push(next);
                        }
                    }
                }
                let left_seconds = run.pace.here(self.left()).as_secs();
                (run.listener)(Event::Finished { address: address.clone(), doing, seconds, left_seconds });
                self.outcome.done.push(address);
            }
            Err(StepError::Interrupted(state)) => {
                (run.listener)(Event::Stopped { address: address.clone(), state });
                self.outcome.stopped.push(address);
            }
            Err(error) => {
                let text = chain(&error);
                (run.listener)(Event::Failed { address: address.clone(), doing, error: text.clone() });
                self.block_after(index);
                let advice = advice(&error);
                self.outcome.failed.push(Failed { address, doing, error: text, advice });
            }
        }
    }

    fn left(&self) -> Duration {
        let open = self.waiting.keys().chain(&self.running);
        open.filter_map(|index| self.remaining.get(index)).max().copied().unwrap_or_default()
    }

    fn block_after(&mut self, index: NodeIndex) {
        let mut stack: Vec<NodeIndex> = self.steps.graph.neighbors(index).collect();
        while let Some(next) = stack.pop() {
            if self.blocked.insert(next) {
                stack.extend(self.steps.graph.neighbors(next));
            }
        }
    }

    fn outcome(mut self, interrupted: bool) -> Outcome {
        for (index, _) in self.waiting {
            let address = self.steps.graph[index].address.clone();
            if self.blocked.contains(&index) {
                self.outcome.skipped.push(address);
            } else {
                self.outcome.not_started.push(address);
            }
        }
        self.outcome.interrupted = interrupted;
        self.outcome
    }
}

fn advice(error: &StepError) -> Option<&'static str> {
    match error {
        StepError::Kind(Error::Call(call)) => {
            codes::advice(call.code.as_deref()?, call.message.as_deref().unwrap_or_default())
        }
        _ => None,
    }
}
