//! Something is broken on purpose while players play: a measured load, a fault made by AWS itself, and an audit.
//!
//! ```text
//! target  what the stack has, and whether the fault can be made there
//! client  the public API, as a game talks to it
//! players test players: made, remembered in the stack's bucket, deleted
//! load    purchases, scores and reads of ranks at a fixed rate, whatever happens
//! fault   the call that breaks something, and when AWS says that it is over
//! audit   what the API has of what it had acknowledged
//! report  the figures; picture draws them
//! ```

mod audit;
mod client;
mod fault;
mod load;
mod picture;
mod players;
mod report;
mod target;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::aws::error::CallError;
use crate::engine::events::{Event, chain};
use crate::engine::journal::JournalError;
use crate::engine::lease::LeaseError;
use crate::engine::observed::ObserveError;
use crate::engine::session::Session;
use crate::kinds::{self, Cx};

use client::{Api, ApiError};
use load::{Load, Played};
use players::Crew;

pub use audit::Audit;
pub use picture::draw;
pub use report::{Blackout, Count, Latencies, Latency, Phases, Report, Series};
pub use target::{Fault, Target, find};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to break.
    pub fault: Fault,
    /// Operations a second.
    pub rate: f64,
    /// Test players.
    pub players: usize,
    /// Measured before the fault.
    pub before: Duration,
    /// Measured after it is over.
    pub after: Duration,
    /// How long an operation is repeated before it is given up.
    pub patience: Duration,
    /// Instances to terminate.
    pub instances: usize,
    /// Break it even where nothing takes over.
    pub allow_outage: bool,
    /// Leave the test players for somebody to look at; the next drill deletes them.
    pub keep_players: bool,
}

/// Why there was no drill, or no report.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The environment says no.
    #[error("drills are forbidden in {stack}: {by}")]
    Forbidden {
        /// The stack's name.
        stack: String,
        /// What says so.
        by: &'static str,
    },
    /// There is nothing to break, or nothing that would take over.
    #[error("{0}")]
    Unfit(String),
    /// Fit if somebody accepts an outage.
    #[error("{0}")]
    Outage(String),
    /// The rate cannot be played by so few players.
    #[error("{rate} operations a second are too many for {players} players: the servers limit each player's requests")]
    TooFast {
        /// Operations a second.
        rate: f64,
        /// Test players.
        players: usize,
    },
    /// Somebody else works on the stack, or its bucket is gone.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The stack could not be looked at.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A kind's call failed.
    #[error("{what}")]
    Kind {
        /// What was being done.
        what: &'static str,
        /// Why.
        #[source]
        source: kinds::Error,
    },
    /// A call of AWS failed.
    #[error("{what}")]
    Call {
        /// What was being done.
        what: &'static str,
        /// Why.
        #[source]
        source: CallError,
    },
    /// The API cannot be played.
    #[error("{what}")]
    Api {
        /// What was being done.
        what: &'static str,
        /// Why.
        #[source]
        source: ApiError,
    },
    /// The servers are of a release that cannot delete players.
    #[error("the servers at {0} cannot delete players, so test players would stay for ever")]
    CannotClean(String),
    /// Somebody stopped it before anybody played.
    #[error("stopped before anything was broken")]
    Interrupted,
    /// Test players are left.
    #[error("{left} test players of drill {drill} could not be deleted")]
    Left {
        /// How many.
        left: usize,
        /// Which drill's.
        drill: String,
        /// Why the first one could not.
        #[source]
        source: ApiError,
    },
}

/// What a drill came to.
pub struct Drilled {
    /// The figures.
    pub report: Report,
    /// One line of JSON an operation: the load's own log.
    pub log: String,
    /// Test players that could not be deleted.
    pub left: Option<DrillError>,
}

/// The name of a drill: it begins the names of its test players' devices.
fn name_of(now: Timestamp) -> String {
    let time = now.strftime("%Y%m%dt%H%M%S");
    format!("{time}-{}", &crate::engine::holder::nonce()[..6])
}

/// Runs a drill on the target. The lease must be held.
pub async fn drill(session: &Session, cx: &Cx, target: &Target, options: &Options) -> Result<Drilled, DrillError> {
    let recording = session.journal(&cx.stack)?;
    let drilled = with_players(session, cx, target, options).await;
    recording.close(true).await;
    drilled
}

async fn with_players(session: &Session, cx: &Cx, target: &Target, options: &Options) -> Result<Drilled, DrillError> {
    let operator = players::operator_key(cx).await?;
    let api = Api::new(&target.api_url, operator).map_err(|source| api_failed("setting up an HTTP client", source))?;
    players::check_cleaning(&api).await?;
    players::clean_leftovers(session, cx, &api).await?;
    let name = name_of(Timestamp::now());
    session.phase(&format!("making {} test players (drill-{name}-...)", options.players));
    let mut crew = Crew::enroll(cx, api, &name, options.players).await?;
    let outcome = perform(session, cx, target, options, &mut crew).await;
    if options.keep_players {
        let text = format!("{} test players stay; the next drill deletes them", crew.players.len());
        (session.listener)(Event::Note { text });
        return outcome;
    }
    session.phase("deleting the test players");
    let cleaned = crew.dismiss(cx).await;
    match (outcome, cleaned) {
        (Ok(drilled), Ok(())) => Ok(drilled),
        (Ok(drilled), Err(left)) => Ok(Drilled { left: Some(left), ..drilled }),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(left)) => {
            (session.listener)(Event::Note { text: chain(&left) });
            Err(error)
        }
    }
}

/// From the first test player to the audit.
async fn perform(
    session: &Session,
    cx: &Cx,
    target: &Target,
    options: &Options,
    crew: &mut Crew,
) -> Result<Drilled, DrillError> {
    crew.open(options, &session.stop).await?;
    let (halt, halted) = watch::channel(false);
    let load = Load::start(crew, options, halted, session.stop.clone());
    let times = watch_fault(session, cx, target, options, &load).await;
    if session.stopped() {
        (session.listener)(Event::Note { text: "stopping: what was played is audited and deleted".into() });
    }
    let _ = halt.send(true);
    let played = load.end().await;
    let times = times?;
    session.phase("auditing");
    let audit = audit::audit(crew, &played).await;
    let report = report::make(target, options, crew, &played, &times, audit, session.stopped());
    Ok(Drilled { log: report::log(&played, crew), report, left: None })
}

/// Moments of a drill, in seconds from the first operation.
#[derive(Debug, Clone, Default)]
struct Moments {
    started_at: Option<Timestamp>,
    fault: Option<f64>,
    over: Option<f64>,
    outcome: String,
}

/// Waits, breaks, waits until it is over and a little longer.
async fn watch_fault(
    session: &Session,
    cx: &Cx,
    target: &Target,
    options: &Options,
    load: &Load,
) -> Result<Moments, DrillError> {
    let mut moments = Moments { started_at: Some(load.started_at()), ..Moments::default() };
    session.phase(&format!("playing {} operations a second", options.rate));
    if !load.play_for(session, options.before).await {
        return Ok(moments);
    }
    session.phase(&target.deed());
    moments.fault = Some(load.elapsed());
    let made = fault::make(cx, target).await?;
    if let Some(outcome) = fault::await_end(session, cx, target, made, load).await? {
        moments.over = Some(load.elapsed());
        moments.outcome = outcome;
        session.phase(&format!("AWS says that it is over: {}", moments.outcome));
        load.play_until_calm(session, options.patience).await;
        load.play_for(session, options.after).await;
    }
    Ok(moments)
}

fn api_failed(what: &'static str, source: ApiError) -> DrillError {
    DrillError::Api { what, source }
}

fn played_of(played: &Played, kind: load::Kind) -> impl Iterator<Item = &load::Record> {
    played.records.iter().filter(move |record| record.kind == kind)
}
