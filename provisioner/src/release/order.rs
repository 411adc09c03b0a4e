//! What is asked of a roll-out, and what comes of it.

use serde::Serialize;

use super::evidence::Evidence;
use super::history::ChoiceError;
use crate::aws::error::CallError;
use crate::engine::journal::JournalError;
use crate::engine::lease::LeaseError;
use crate::kinds::alarm::Watching;
use crate::kinds::context::Artifact;

/// Why a roll-out could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// There is nothing to roll out to.
    #[error("the stack has no servers yet")]
    NoServers,
    /// No release to go back to.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// Somebody else works on the stack.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An alarm is on.
    #[error("an alarm of the servers is on: {0}")]
    AlarmOn(String),
    /// A call failed.
    #[error(transparent)]
    Kind(#[from] crate::kinds::Error),
    /// The refresh could not be started.
    #[error("the instances cannot be exchanged")]
    Refresh(#[source] CallError),
    /// The record of how the stack was left cannot be written.
    #[error("cannot write what this run is about to change into the stack's bucket")]
    Applied(#[source] crate::kinds::Error),
}

/// What is to be rolled out.
#[derive(Debug, Clone)]
pub enum What {
    /// A binary.
    Deploy(Artifact),
    /// A release that was there before: the one with this (beginning of a) hash, else the previous one.
    Back(Option<String>),
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// What is to be rolled out.
    pub what: What,
    /// Resolve the newest image, of this architecture.
    pub newest_image_of: Option<String>,
    /// Seconds for which the alarms are watched at the end; those of a deploy, for a roll-back is watched by none.
    pub bake: i32,
    /// Roll out although an alarm is on.
    pub ignore_alarms: bool,
}

/// What is about to happen, for the question.
#[derive(Debug)]
pub struct Proposal<'a> {
    /// The release that serves.
    pub from: &'a str,
    /// The release that shall.
    pub to: &'a str,
    /// How many instances there are.
    pub instances: usize,
    /// The alarms that watch.
    pub alarms: &'a [Watching],
    /// The image that changes too.
    pub image: Option<&'a str>,
}

/// How a roll-out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It served already.
    Unchanged,
    /// The user said no.
    Declined,
    /// It serves.
    Serving,
    /// It was turned back: what served before serves.
    TurnedBack,
    /// It ended in between.
    Failed,
    /// Not followed any longer: AWS goes on.
    Interrupted,
}

/// What came of a roll-out.
#[derive(Debug, Serialize)]
pub struct Rolled {
    /// The release that was rolled out.
    pub release: String,
    /// The release that served before.
    pub previous: String,
    /// How it ended.
    pub result: Ending,
    /// Why it was turned back or failed.
    pub reason: Option<String>,
    /// What the new instances said.
    pub evidence: Vec<Evidence>,
}
