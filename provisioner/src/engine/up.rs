//! `up`: observe -> plan -> confirm -> apply -> observe again -> no change.

use std::path::Path;

use super::apply::{Outcome, apply};
use super::desired::{Desired, GraphError};
use super::journal::JournalError;
use super::lease::{Lease, LeaseError};
use super::observed::{Inventory, ObserveError, observe, observe_kinds};
use super::place::{PlaceError, artifact, place};
use super::plan::{Action, Plan, plan};
use super::session::Session;
use super::step::{Ground, StepError};
use super::steps;
use crate::blueprint::Blueprint;
use crate::kinds::{Cx, Options};

/// Why `plan` or `up` ended early.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The facts could not be had.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The live resources could not be listed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
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
    /// The way there.
    pub plan: Plan,
}

/// Looks and plans. Changes nothing.
pub async fn look(
    session: &Session,
    blueprint: &Blueprint,
    directory: &Path,
    options: Options,
) -> Result<Planned, UpError> {
    session.phase("observing");
    let place = place(&session.aws, blueprint, &session.account).await?;
    let cx = session.context(place.stack.clone(), blueprint.tags.clone(), options);
    let inventory = observe(&cx).await?;
    plan_with(blueprint, directory, place, cx, inventory).await
}

async fn plan_with(
    blueprint: &Blueprint,
    directory: &Path,
    mut place: crate::kinds::Place,
    mut cx: Cx,
    inventory: Inventory,
) -> Result<Planned, UpError> {
    // The release belongs to `deploy`: a stack that has one keeps it.
    if !inventory.live.contains_key("release") {
        place.artifact = artifact(blueprint, directory)?;
        cx.artifact = place.artifact.clone();
    }
    let desired = Desired::of(blueprint, &place)?;
    let mut plan = plan(&place.stack.name, &desired, &inventory);
    if blueprint.servers.is_some() && blueprint.domain.is_none() {
        plan.warnings.push("without [domain] there is no certificate: the players' tokens travel in clear".into());
    }
    if !cx.options.allow_data_loss {
        plan.findings.extend(guards(&cx, &inventory, &plan).await?);
    }
    Ok(Planned { cx, desired, inventory, plan })
}

/// What guards the resources that the plan deletes.
async fn guards(cx: &Cx, inventory: &Inventory, plan: &Plan) -> Result<Vec<String>, UpError> {
    let mut findings = Vec::new();
    let goes = |change: &&super::plan::PlannedChange| matches!(change.action, Action::Delete | Action::Replace);
    for change in plan.changes.iter().filter(goes) {
        let live = inventory.all().find(|o| Some(&o.id) == change.id.as_ref() && o.kind == change.kind);
        let (Some(live), Some(kind)) = (live, crate::kinds::named(change.kind)) else { continue };
        let guarded = kind.guarded(cx, live).await;
        let reason = guarded.map_err(|source| UpError::Guarded { address: change.address.clone(), source })?;
        findings.extend(reason.map(|reason| format!("{}: {reason}", change.address)));
    }
    Ok(findings)
}

/// What came of an `up`.
pub enum Upped {
    /// There was nothing to do.
    Unchanged(Inventory),
    /// The user said no, or the plan must not be applied.
    Declined,
    /// It was applied, and a second look found nothing more to do.
    Converged(Box<Planned>, Outcome),
    /// It was applied in part; the plan is what is still to do.
    Incomplete(Box<Planned>, Outcome),
}

/// Brings the stack to what the blueprint says. `confirm` sees the plan and decides.
pub async fn up(
    session: &Session,
    blueprint: &Blueprint,
    directory: &Path,
    options: Options,
    confirm: impl AsyncFnOnce(&Plan) -> bool,
) -> Result<Upped, UpError> {
    let stack = session.stack(&blueprint.stack_name());
    let facts = place(&session.aws, blueprint, &session.account).await?;
    let mut lease = session.lease(&stack).await?;
    session.phase("observing");
    let result = async {
        let cx = session.context(stack.clone(), blueprint.tags.clone(), options);
        let inventory = observe(&cx).await?;
        let mut planned = plan_with(blueprint, directory, facts, cx, inventory).await?;
        if planned.plan.is_empty() && planned.plan.findings.is_empty() {
            return Ok(Upped::Unchanged(planned.inventory));
        }
        if !confirm(&planned.plan).await {
            return Ok(Upped::Declined);
        }
        if lease.is_none() {
            lease = Some(first_lease(session, &mut planned).await?);
        }
        let recording = session.journal(&stack)?;
        session.phase("applying");
        let outcome =
            apply(&session.run(&planned.cx, Some(&recording)), &planned.plan, &planned.desired, &planned.inventory)
                .await;
        recording.close(true).await;
        if !outcome.failed.is_empty() || outcome.interrupted {
            return Ok(Upped::Incomplete(Box::new(planned), outcome));
        }
        session.phase("observing again");
        planned.inventory = observe(&planned.cx).await?;
        planned.plan = plan(&stack.name, &planned.desired, &planned.inventory);
        let converged = planned.plan.is_empty();
        let planned = Box::new(planned);
        Ok(if converged { Upped::Converged(planned, outcome) } else { Upped::Incomplete(planned, outcome) })
    }
    .await;
    if let Some(lease) = lease {
        lease.release().await;
    }
    result
}

/// Makes the bucket, takes the lease in it, and looks again where somebody else may have been at work meanwhile.
async fn first_lease(session: &Session, planned: &mut Planned) -> Result<Lease, UpError> {
    let stack = planned.cx.stack.clone();
    make_bucket(session, &planned.cx, &planned.desired).await?;
    let lease = session.lease(&stack).await?.ok_or(LeaseError::NoBucket)?;
    let looked = if lease.first {
        observe_kinds(&planned.cx, std::iter::once("bucket")).await
    } else {
        observe(&planned.cx).await
    };
    match looked {
        Ok(buckets) if lease.first => planned.inventory.live.extend(buckets.live),
        Ok(inventory) => planned.inventory = inventory,
        Err(error) => {
            lease.release().await;
            return Err(error.into());
        }
    }
    let warnings = std::mem::take(&mut planned.plan.warnings);
    planned.plan = plan(&stack.name, &planned.desired, &planned.inventory);
    planned.plan.warnings = warnings;
    Ok(lease)
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
        attrs: std::sync::Mutex::default(),
    };
    let step = steps::Step {
        address: address.to_owned(),
        kind: node.kind,
        doing: steps::Doing::Create,
        live: None,
        fields: Vec::new(),
        expected: std::time::Duration::from_secs(2),
    };
    ground.run(&step, Some(&node.props)).await.map_err(UpError::Bucket)
}
