//! Which steps of a plan may start, and what became of those that did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use tokio::time::Instant;

use super::apply::{Failed, OnItsWay, Outcome, Run};
use super::events::{Event, chain};
use super::step::StepError;
use super::steps::Steps;
use super::waits::Pace;
use crate::kinds::Error;

/// The walk over the graph.
pub(super) struct Walk<'a> {
    steps: &'a Steps,
    /// The longest chain from each step on.
    remaining: BTreeMap<NodeIndex, Duration>,
    /// The same over the steps that the run waits for, and over those alone.
    awaited: BTreeMap<NodeIndex, Duration>,
    waiting: BTreeMap<NodeIndex, usize>,
    ready: Vec<NodeIndex>,
    running: BTreeMap<NodeIndex, Instant>,
    blocked: BTreeSet<NodeIndex>,
    outcome: Outcome,
}

impl<'a> Walk<'a> {
    pub(super) fn new(steps: &'a Steps, awaited: BTreeSet<NodeIndex>) -> Self {
        let count = |index| steps.graph.neighbors_directed(index, Direction::Incoming).count();
        let waiting: BTreeMap<NodeIndex, usize> = steps.graph.node_indices().map(|i| (i, count(i))).collect();
        let ready = waiting.iter().filter(|(_, n)| **n == 0).map(|(i, _)| *i).collect();
        Self {
            steps,
            remaining: steps.remaining(),
            awaited: steps.remaining_of(&awaited),
            waiting,
            ready,
            running: BTreeMap::new(),
            blocked: BTreeSet::new(),
            outcome: Outcome::default(),
        }
    }

    /// The ready step with the longest chain behind it.
    pub(super) fn next(&mut self, now: Instant) -> Option<NodeIndex> {
        let at = (0..self.ready.len()).max_by_key(|i| self.remaining.get(&self.ready[*i]))?;
        let index = self.ready.swap_remove(at);
        self.waiting.remove(&index);
        self.running.insert(index, now);
        Some(index)
    }

    pub(super) fn finish(&mut self, index: NodeIndex, result: Result<f64, StepError>, run: &Run<'_>) {
        let begun = self.running.remove(&index);
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
                let left_seconds = run.pace.here(self.left(run.pace, Instant::now())).as_secs();
                (run.listener)(Event::Finished { address: address.clone(), doing, seconds, left_seconds });
                self.outcome.done.push(address);
            }
            Err(StepError::OnItsWay(state)) => {
                let elapsed = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
                let ready_in_seconds = run.pace.here(step.expected).saturating_sub(elapsed).as_secs();
                let on_its_way = OnItsWay { address, state, ready_in_seconds };
                let OnItsWay { address, state, .. } = on_its_way.clone();
                (run.listener)(Event::OnItsWay { address, state, ready_in_seconds });
                self.outcome.on_its_way.push(on_its_way);
            }
            Err(StepError::NotBegun) => self.outcome.not_started.push(address),
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

    /// Whether all that the run waits for is done.
    pub(super) fn has_all(&self) -> bool {
        self.awaited.keys().all(|index| !self.waiting.contains_key(index) && !self.running.contains_key(index))
            && self.outcome.failed.is_empty()
    }

    /// How long the longest chain of what the run waits for still takes, in AWS's time. What runs already has only the
    /// rest of its time to go, and at least what comes after it.
    pub(super) fn left(&self, pace: Pace, now: Instant) -> Duration {
        let open = self.waiting.keys().map(|index| (index, None));
        let running = self.running.iter().map(|(index, begun)| (index, Some(*begun)));
        let left = |(index, begun): (&NodeIndex, Option<Instant>)| {
            let whole = *self.awaited.get(index)?;
            let Some(begun) = begun else { return Some(whole) };
            let own = self.steps.graph[*index].expected;
            let passed = pace.on_aws(now.saturating_duration_since(begun));
            Some(whole.saturating_sub(own) + own.saturating_sub(passed))
        };
        open.chain(running).filter_map(left).max().unwrap_or_default()
    }

    fn block_after(&mut self, index: NodeIndex) {
        let mut stack: Vec<NodeIndex> = self.steps.graph.neighbors(index).collect();
        while let Some(next) = stack.pop() {
            if self.blocked.insert(next) {
                stack.extend(self.steps.graph.neighbors(next));
            }
        }
    }

    pub(super) fn outcome(mut self, interrupted: bool) -> Outcome {
        for (index, _) in self.waiting {
            let address = self.steps.graph[index].address.clone();
            if self.blocked.contains(&index) {
                self.outcome.skipped.push(address);
            } else if !interrupted {
                self.outcome.left_to_next.push(address);
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
        StepError::Kind(Error::Call(call)) => call.advice(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::steps::{Doing, Step};

    fn step(steps: &mut Steps, address: &str, seconds: u64) -> NodeIndex {
        steps.graph.add_node(Step {
            address: address.to_owned(),
            kind: "db_instance",
            doing: Doing::Create,
            live: None,
            replaces: None,
            fields: Vec::new(),
            expected: Duration::from_secs(seconds),
            class: String::new(),
        })
    }

    #[test]
    fn the_time_left_is_that_of_the_longest_chain_that_remains() {
        let mut steps = Steps::default();
        let (database, replica) = (step(&mut steps, "database", 600), step(&mut steps, "replica", 480));
        let gateway = step(&mut steps, "gateway", 100);
        steps.graph.add_edge(database, replica, ());
        let pace = Pace { time_scale: 60.0 };
        let now = Instant::now();
        let left = |walk: &Walk<'_>, seconds: f64| walk.left(pace, now + Duration::from_secs_f64(seconds)).as_secs();

        let mut all = Walk::new(&steps, [database, replica, gateway].into());
        assert_eq!(left(&all, 0.0), 1080);
        assert_eq!(all.next(now), Some(database));
        assert_eq!(all.next(now), Some(gateway));
        // Five seconds here are five minutes there.
        assert_eq!(left(&all, 5.0), 780);
        // Late: what comes after it is still to come.
        assert_eq!(left(&all, 50.0), 480);

        let mut without = Walk::new(&steps, [database, gateway].into());
        assert_eq!(without.next(now), Some(database));
        assert_eq!(left(&without, 5.0), 300);
        assert_eq!(without.next(now), Some(gateway));
        assert!(!without.has_all());
        without.running.clear();
        assert!(without.has_all() && !without.waiting.is_empty());
    }
}
