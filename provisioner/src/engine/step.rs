//! One step: the call, its known retries, and the wait until it has taken effect.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::desired::{references, resolve};
use super::events::{Event, Listener};
use super::plan::{TAGS, same};
use super::steps::{Doing, Step};
use super::waits::Pace;
use crate::aws::codes;
use crate::kinds::{self, AnyKind, Attrs, Cx, Effect, Error, Observed, Phase, Progress};

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A call of the kind failed.
    #[error(transparent)]
    Kind(#[from] Error),
    /// It took too long.
    #[error("still `{state}` after {seconds} s; AWS may yet finish it: run the command again to go on waiting")]
    TooLong {
        /// The last state seen.
        state: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Stopped on request.
    #[error("interrupted while `{0}`; run the command again to go on")]
    Interrupted(String),
    /// Begun, and not waited for, because all that this run needs is ready.
    #[error("on its way: `{0}`")]
    OnItsWay(String),
    /// Stopped on request before it was begun.
    #[error("not begun")]
    NotBegun,
    /// A reference has no value.
    #[error("{0} is not known; run the command again")]
    Unknown(String),
}

/// A create or update that fails for what is not visible yet, or for a server fault, is tried again for so long.
const RETRIED_FOR: Duration = Duration::from_secs(600);

/// What steps share.
pub struct Ground<'a> {
    /// The clients.
    pub cx: &'a Cx,
    /// How fast time passes here.
    pub pace: Pace,
    /// Where events go.
    pub listener: Listener,
    /// Turns true when nothing new may start.
    pub stop: watch::Receiver<bool>,
    /// Turns true when all that the run needs is ready: what is begun after that, or still goes on, is not waited for.
    pub enough: watch::Receiver<bool>,
    /// The outputs of what is live, by address.
    pub attrs: Mutex<BTreeMap<String, Attrs>>,
}

impl Ground<'_> {
    fn lookup(&self, address: &str, attr: &str) -> Option<String> {
        self.attrs.lock().unwrap_or_else(PoisonError::into_inner).get(address)?.get(attr).cloned()
    }

    fn learn(&self, address: &str, attrs: Attrs) {
        let mut all = self.attrs.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(address.to_owned()).or_default().extend(attrs);
    }

    fn props(&self, wanted: &Value) -> Result<Value, StepError> {
        let props = resolve(wanted, &|address, attr| self.lookup(address, attr));
        let mut open = None;
        references(&props, &mut |address, attr| open = Some(format!("{attr} of {address}")));
        open.map_or(Ok(props), |what| Err(StepError::Unknown(what)))
    }

    /// Does one step.
    pub async fn run(&self, step: &Step, wanted: Option<&Value>) -> Result<(), StepError> {
        let Some(kind) = kinds::named(step.kind) else { return Ok(()) };
        match (step.doing, &step.live, wanted) {
            (Doing::Create, _, Some(wanted)) => self.create(kind, step, &self.props(wanted)?).await,
            (Doing::Update, Some(live), Some(wanted)) => {
                self.update(kind, step, live, &self.props(wanted)?, &step.fields).await?;
                self.usable(kind, step, &live.id).await
            }
            (Doing::Await, Some(live), _) => self.usable(kind, step, &live.id).await,
            (Doing::Delete, Some(live), _) => self.delete(kind, step, live).await,
            _ => Ok(()),
        }
    }

    async fn create(&self, kind: &dyn AnyKind, step: &Step, props: &Value) -> Result<(), StepError> {
        let started = Instant::now();
        let id = loop {
            let error = match kind.create(self.cx, &step.address, props).await {
                Ok(created) => {
                    self.learn(&step.address, created.attrs);
                    break created.id;
                }
                Err(error) => error,
            };
            // "Exists already" too can be the answer to our own attempt, repeated after its answer was lost.
            let is_over = !may_pass(&error, codes::is_not_visible_yet);
            if is_over && !matches!(error, Error::Call(_) | Error::Refused { .. })
                || started.elapsed() > self.pace.deadline(RETRIED_FOR)
            {
                return Err(error.into());
            }
            if !is_over {
                self.pause("retrying", &step.address, Duration::from_secs(1)).await?;
            }
            // It may have been made, wholly or in part: look before trying again, or giving up.
            let found = self.find(kind, step).await;
            if is_over && !matches!(found, Ok(Some(_))) {
                return Err(error.into());
            }
            if let Some(live) = found? {
                self.learn(&step.address, live.attrs.clone());
                let fields = differing(kind, &live, props);
                self.update(kind, step, &live, props, &fields).await?;
                break live.id;
            }
        };
        self.usable(kind, step, &id).await
    }

    /// What the step was to make; what that replaces is at the same address and does not count.
    async fn find(&self, kind: &dyn AnyKind, step: &Step) -> Result<Option<Observed>, StepError> {
        let listed = kind.list(self.cx).await?;
        let is_made = |o: &Observed| o.address == step.address && step.replaces.as_ref() != Some(&o.id);
        Ok(listed.into_iter().find(|o| is_made(o) && o.state != kinds::State::Deleting))
    }

    async fn update(
        &self,
        kind: &dyn AnyKind,
        step: &Step,
        live: &Observed,
        props: &Value,
        fields: &[String],
    ) -> Result<(), StepError> {
        let started = Instant::now();
        if fields.iter().any(|field| field == TAGS) {
            kinds::tag(self.cx, kind.tagged(), live).await?;
        }
        while let Err(error) = kind.update(self.cx, live, props, fields).await {
            if !may_pass(&error, codes::is_not_visible_yet) || started.elapsed() > self.pace.deadline(RETRIED_FOR) {
                return Err(error.into());
            }
            self.pause("retrying", &step.address, self.pace.interval(step.expected)).await?;
        }
        Ok(())
    }

    async fn delete(&self, kind: &dyn AnyKind, step: &Step, live: &Observed) -> Result<(), StepError> {
        let started = Instant::now();
        while let Err(error) = kind.delete(self.cx, live).await {
            if !may_pass(&error, codes::is_still_in_use) || started.elapsed() > self.deadline(kind, step) {
                return Err(error.into());
            }
            self.wait("still in use", step).await?;
        }
        self.poll(step, || kind.gone(self.cx, live), codes::is_still_in_use).await?;
        Ok(())
    }

    async fn usable(&self, kind: &dyn AnyKind, step: &Step, id: &str) -> Result<(), StepError> {
        let attrs = self.poll(step, || kind.ready(self.cx, &step.address, id), codes::is_not_visible_yet).await?;
        self.learn(&step.address, attrs);
        Ok(())
    }

    async fn poll<'f, F>(
        &self,
        step: &Step,
        look: impl Fn() -> F,
        passes: fn(&str, &str) -> bool,
    ) -> Result<Attrs, StepError>
    where
        F: Future<Output = kinds::Result<Progress>> + 'f,
    {
        let started = Instant::now();
        let limit = kinds::named(step.kind).map_or(Duration::ZERO, |kind| self.deadline(kind, step));
        loop {
            let state = match look().await {
                Ok(Progress::Ready(attrs)) => return Ok(attrs),
                Ok(Progress::Pending(state)) => state,
                Err(error) if may_pass(&error, passes) && started.elapsed() < Duration::from_secs(120) => {
                    "not visible yet".to_owned()
                }
                Err(error) => return Err(error.into()),
            };
            if started.elapsed() > limit {
                return Err(StepError::TooLong { state, seconds: started.elapsed().as_secs() });
            }
            self.wait(&state, step).await?;
        }
    }

    fn deadline(&self, kind: &dyn AnyKind, step: &Step) -> Duration {
        self.pace.deadline(kind.limit(match step.doing {
            Doing::Create | Doing::Await => Phase::Create,
            Doing::Update => Phase::Update,
            Doing::Delete => Phase::Delete,
        }))
    }

    /// As [`Ground::pause`], for what AWS goes on with by itself.
    async fn wait(&self, state: &str, step: &Step) -> Result<(), StepError> {
        let mut enough = self.enough.clone();
        tokio::select! {
            biased;
            Ok(_) = enough.wait_for(|enough| *enough) => Err(StepError::OnItsWay(state.to_owned())),
            paused = self.pause(state, &step.address, self.pace.interval(step.expected)) => paused,
        }
    }

    async fn pause(&self, state: &str, address: &str, time: Duration) -> Result<(), StepError> {
        (self.listener)(Event::Waiting { address: address.to_owned(), state: state.to_owned() });
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            _ = stop.wait_for(|stop| *stop) => Err(StepError::Interrupted(state.to_owned())),
        }
    }
}

/// Whether an error is one that goes by: a code known to, or a failure that leaves open whether the call was executed.
fn may_pass(error: &Error, passes: fn(&str, &str) -> bool) -> bool {
    let Error::Call(call) = error else { return false };
    call.is_ambiguous() || passes(call.code.as_deref().unwrap_or_default(), call.message.as_deref().unwrap_or_default())
}

fn differing(kind: &dyn AnyKind, live: &Observed, props: &Value) -> Vec<String> {
    let differs = |name: &str| {
        !same(live.props.get(name).unwrap_or(&Value::Null), props.get(name).unwrap_or(&Value::Null))
            && !kind.tolerates(name, &live.props, props)
    };
    kind.fields()
        .into_iter()
        .filter(|(name, effect)| matches!(effect, Effect::Update(_)) && differs(name))
        .map(|(name, _)| name.to_owned())
        .collect()
}
