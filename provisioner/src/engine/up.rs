//! `up`: observe -> plan -> confirm -> apply -> observe again -> no change.

use std::path::Path;

use super::applied::{self, Applied};
use super::apply::{Outcome, apply};
use super::desired::{Desired, GraphError};
use super::drift::drift;
use super::journal::JournalError;
use super::lease::{Free, Lease, LeaseError};
use super::observed::{Inventory, ObserveError, observe, observe_kinds};
use super::picture::{Picture, PictureError, picture};
use super::place::{PlaceError, artifact, game_file, place};
use super::plan::{Plan, plan, prefer_successors};
use super::session::{Recording, Session};
use super::step::{Ground, StepError};
use super::{preflight, steps, zones};
use crate::aws::error::CallError;
use crate::blueprint::{Apply, Blueprint};
use crate::kinds::{Cx, InWindow, Options, Place};

/// Why `plan` or `up` ended early.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The facts could not be had.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The steps are done, and what came of them could not be listed.
    #[error("what was planned is done, and cannot be looked at again")]
    SecondLook(#[source] ObserveError),
    /// What AWS holds, or what the last run left, could not be read.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// What is about to change cannot be written down.
    #[error("cannot write what this run is about to change into the stack's bucket")]
    Record(#[source] CallError),
    /// A defect of provision.
    #[error("the blueprint gives a graph that cannot be built; please report this")]
    Graph(#[from] GraphError),
    /// Somebody else works on the stack.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Something guards a resource.
    #[error("cannot tell whether {address} is guarded")]
    Guarded {
        /// The resource.
        address: String,
        /// Why.
        source: crate::kinds::Error,
    },
    /// The endpoint is no whole AWS.
    #[error("this endpoint does not offer {services}, which {sections} of the blueprint need")]
    Lacking {
        /// The services.
        services: String,
        /// The sections that need them.
        sections: String,
    },
    /// The stack bucket cannot be made.
    #[error("cannot make the stack's bucket")]
    Bucket(#[source] StepError),
}

/// A plan with all that it was made from.
pub struct Planned {
    /// The context of the kinds.
    pub cx: Cx,
    /// What the blueprint wants.
    pub desired: Desired,
    /// What AWS holds.
    pub inventory: Inventory,
    /// What the last run left behind.
    pub applied: Option<Applied>,
    /// The way there.
    pub plan: Plan,
}

/// What was asked for: the same for every look of a run.
struct Asked<'a> {
    session: &'a Session,
    blueprint: &'a Blueprint,
    directory: &'a Path,
    place: Place,
    options: Options,
}

impl<'a> Asked<'a> {
    async fn new(
        session: &'a Session,
        blueprint: &'a Blueprint,
        directory: &'a Path,
        options: Options,
    ) -> Result<Self, UpError> {
        let place = place(&session.aws, blueprint, &session.account).await?;
        Ok(Self { session, blueprint, directory, place, options })
    }

    async fn look(&self) -> Result<Planned, UpError> {
        let mut cx = self.session.context(self.place.stack.clone(), self.blueprint.tags.clone(), self.options);
        cx.in_window = in_window(self.blueprint);
        let seen = picture(&mut cx).await?;
        self.plan(cx, seen).await
    }

    async fn plan(&self, mut cx: Cx, seen: Picture) -> Result<Planned, UpError> {
        let Picture { mut inventory, applied } = seen;
        let wanted = &self.blueprint.tags;
        inventory.dropped_tags = applied.as_ref().map(|applied| applied.dropped(wanted)).unwrap_or_default();
        inventory.unseen_tags_differ = applied.as_ref().is_some_and(|applied| !applied.carries(wanted));
        cx.dropped_tags = inventory.dropped_tags.clone();
        let used = [&self.place.zone_id, &self.place.parent_zone_id].into_iter().flatten().cloned();
        cx.zones = inventory.foreign_zones().chain(used).collect();
        let mut place = self.place.clone();
        place.zones = zones::chosen(self.blueprint, &place.stack.home, &place.zones, &inventory)?;
        // The release belongs to `deploy`: a stack that has one keeps it.
        if !inventory.live.contains_key("release") {
            place.artifact = artifact(self.blueprint, self.directory)?;
            cx.artifact = place.artifact.clone();
        }
        place.game_file = game_file(self.blueprint, self.directory)?;
        cx.game_file = place.game_file.clone();
        let desired = Desired::of(self.blueprint, &place)?;
        if let Some(lacking) = preflight::lacking(&desired, &inventory) {
            return Err(lacking);
        }
        prefer_successors(&desired, &mut inventory);
        let mut plan = plan(&place.stack, &desired, &inventory, &self.session.times);
        plan.note_drift(applied.as_ref().map(|applied| drift(applied, &inventory)).unwrap_or_default());
        preflight::check(&cx, self.blueprint, &place, &inventory, &mut plan).await?;
        Ok(Planned { cx, desired, inventory, applied, plan })
    }

    /// Takes the lease, and looks again where somebody else may have been at work since `seen`.
    async fn lease(&self, seen: Free, planned: Planned) -> Result<(Lease, Planned), UpError> {
        let stack = &self.place.stack;
        let (mut lease, is_new) = match self.session.lease(stack, seen).await? {
            Some(lease) => (lease, false),
            None => {
                make_bucket(self.session, &planned.cx, &planned.desired).await?;
                (self.session.first_lease(stack).await?, true)
            }
        };
        // A bucket that was there and is gone: somebody took the stack down meanwhile.
        lease.undisturbed &= !(is_new && planned.inventory.live.contains_key(crate::kinds::bucket::STACK));
        if lease.undisturbed && !is_new {
            return Ok((lease, planned));
        }
        let mut cx = planned.cx;
        let seen = if lease.undisturbed {
            // Only the bucket is new.
            let buckets = observe_kinds(&cx, std::iter::once("bucket")).await;
            buckets.map_err(|error| UpError::Picture(error.into())).map(|buckets| {
                let mut seen = Picture { inventory: planned.inventory, applied: planned.applied };
                seen.inventory.live.extend(buckets.live);
                seen
            })
        } else {
            picture(&mut cx).await.map_err(UpError::from)
        };
        let replanned = match seen {
            Ok(seen) => self.plan(cx, seen).await,
            Err(error) => Err(error),
        };
        match replanned {
            Ok(planned) => Ok((lease, planned)),
            Err(error) => {
                lease.release().await;
                Err(error)
            }
        }
    }
}

/// What the blueprint lets wait for its maintenance window.
fn in_window(blueprint: &Blueprint) -> InWindow {
    let waits = |apply: Option<Apply>| apply == Some(Apply::MaintenanceWindow);
    InWindow {
        database: waits(blueprint.database.as_ref().map(|database| database.apply)),
        cache: waits(blueprint.cache.as_ref().map(|cache| cache.apply)),
    }
}

/// Looks and plans. Changes nothing.
pub async fn look(
    session: &Session,
    blueprint: &Blueprint,
    directory: &Path,
    options: Options,
) -> Result<Planned, UpError> {
    session.phase("observing");
    Asked::new(session, blueprint, directory, options).await?.look().await
}

/// What came of an `up`.
pub enum Upped {
    /// There was nothing to do.
    Unchanged(Inventory),
    /// The user said no, or the plan must not be applied.
    Declined,
    /// It was applied, and a second look found nothing more to do.
    Converged(Box<Planned>, Outcome),
    /// The API can serve; what is left is on its way, or waits for that.
    Playable(Box<Planned>, Outcome),
    /// It was applied in part; the plan is what is still to do.
    Incomplete(Box<Planned>, Outcome),
}

/// Brings the stack to what the blueprint says. `confirm` sees the plan and decides; it is asked once more where somebody
/// else changed the stack meanwhile. Where there is nothing to do, nothing at all is written, the lease included.
pub async fn up(
    session: &Session,
    blueprint: &Blueprint,
    directory: &Path,
    options: Options,
    mut confirm: impl AsyncFnMut(&Plan) -> bool,
) -> Result<Upped, UpError> {
    let asked = Asked::new(session, blueprint, directory, options).await?;
    let seen = session.free(&asked.place.stack).await?;
    session.phase("observing");
    let planned = asked.look().await?;
    if planned.plan.is_empty() && planned.plan.findings.is_empty() {
        return Ok(Upped::Unchanged(planned.inventory));
    }
    if !confirm(&planned.plan).await {
        return Ok(Upped::Declined);
    }
    let confirmed = planned.plan.changes.clone();
    // Before anything is made: where it cannot be written, nothing is.
    let recording = session.journal(&asked.place.stack)?;
    let (lease, planned) = asked.lease(seen, planned).await?;
    let is_news = planned.plan.changes.iter().any(|change| !confirmed.contains(change));
    let result = if is_news && !confirm(&planned.plan).await {
        Ok(Upped::Declined)
    } else {
        apply_and_look(session, planned, recording).await
    };
    lease.release().await;
    result
}

async fn apply_and_look(session: &Session, mut planned: Planned, recording: Recording) -> Result<Upped, UpError> {
    let stack = planned.cx.stack.clone();
    begin(&planned).await?;
    session.phase("applying");
    let run = session.run(&planned.cx, Some(&recording));
    let outcome = apply(&run, &planned.plan, &planned.desired, &planned.inventory).await;
    drop(run);
    recording.close(true).await;
    if !outcome.failed.is_empty() || outcome.interrupted {
        return Ok(Upped::Incomplete(Box::new(planned), outcome));
    }
    session.phase("observing again");
    let dropped_tags = std::mem::take(&mut planned.inventory.dropped_tags);
    planned.inventory = Inventory { dropped_tags, ..observe(&planned.cx).await.map_err(UpError::SecondLook)? };
    prefer_successors(&planned.desired, &mut planned.inventory);
    planned.plan = plan(&stack, &planned.desired, &planned.inventory, &session.times);
    let converged = planned.plan.is_empty();
    let playable = outcome.leaves(planned.plan.changes.iter().map(|change| &change.address));
    if converged || playable {
        end(&planned).await;
    }
    let planned = Box::new(planned);
    Ok(if converged {
        Upped::Converged(planned, outcome)
    } else if playable {
        Upped::Playable(planned, outcome)
    } else {
        Upped::Incomplete(planned, outcome)
    })
}

/// Writes down what is about to change: until it is done, nothing there counts as changed by somebody else.
async fn begin(planned: &Planned) -> Result<(), UpError> {
    let applied = planned.applied.clone().unwrap_or_default().changing(planned.plan.touched(), planned.cx.now());
    let applied = applied.carrying(&planned.desired.tags);
    let bucket = planned.cx.stack.bucket_name(crate::kinds::bucket::STACK);
    applied::write(&planned.cx.aws.s3, &bucket, &applied).await.map_err(UpError::Record)
}

/// Writes down how the stack was left. Failing to leaves more in doubt than need be, and nothing wrong.
async fn end(planned: &Planned) {
    let bucket = planned.cx.stack.bucket_name(crate::kinds::bucket::STACK);
    let now = planned.cx.now();
    let applied = Applied::of(&planned.inventory, &planned.desired.tags, now).changing(planned.plan.touched(), now);
    if let Err(error) = applied::write(&planned.cx.aws.s3, &bucket, &applied).await {
        tracing::warn!(%error, "how the stack was left could not be written down");
    }
}

/// Makes the stack bucket before the lease: making it twice is success.
pub(super) async fn make_bucket(session: &Session, cx: &Cx, desired: &Desired) -> Result<(), UpError> {
    let address = crate::kinds::bucket::STACK;
    let Some(node) = desired.nodes.get(address) else { return Ok(()) };
    let ground = Ground {
        cx,
        pace: session.pace,
        listener: session.listener.clone(),
        stop: session.stop.clone(),
        enough: tokio::sync::watch::channel(false).1,
        attrs: std::sync::Mutex::default(),
    };
    let step = steps::Step {
        address: address.to_owned(),
        kind: node.kind,
        doing: steps::Doing::Create,
        live: None,
        replaces: None,
        fields: Vec::new(),
        expected: std::time::Duration::from_secs(2),
        class: String::new(),
    };
    ground.run(&step, Some(&node.props)).await.map_err(UpError::Bucket)
}
