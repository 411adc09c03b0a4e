//! `up`: observe -> plan -> confirm -> apply -> observe again -> no change.

use std::collections::BTreeSet;
use std::path::Path;

use super::apply::{Outcome, apply};
use super::desired::{Desired, GraphError};
use super::journal::JournalError;
use super::lease::{Free, Lease, LeaseError};
use super::observed::{Inventory, ObserveError, observe, observe_kinds};
use super::place::{PlaceError, artifact, place};
use super::plan::{Action, Plan, plan};
use super::session::Session;
use super::step::{Ground, StepError};
use super::{steps, zones};
use crate::blueprint::Blueprint;
use crate::kinds::{Cx, Options, Place, db_instance, replication_group, secret};

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
        let cx = self.session.context(self.place.stack.clone(), self.blueprint.tags.clone(), self.options);
        let inventory = observe(&cx).await?;
        self.plan(cx, inventory).await
    }

    async fn plan(&self, mut cx: Cx, inventory: Inventory) -> Result<Planned, UpError> {
        let mut place = self.place.clone();
        place.zones = zones::chosen(self.blueprint, &place.stack.home, &place.zones, &inventory)?;
        // The release belongs to `deploy`: a stack that has one keeps it.
        if !inventory.live.contains_key("release") {
            place.artifact = artifact(self.blueprint, self.directory)?;
            cx.artifact = place.artifact.clone();
        }
        let desired = Desired::of(self.blueprint, &place)?;
        if let Some(lacking) = lacking(&desired, &inventory) {
            return Err(lacking);
        }
        let mut plan = plan(&place.stack, &desired, &inventory, &self.session.times);
        if self.blueprint.servers.is_some() && self.blueprint.domain.is_none() {
            plan.warnings.push("without [domain] there is no certificate: the players' tokens travel in clear".into());
        }
        plan.findings.extend(lost_secrets(&plan));
        if !cx.options.allow_data_loss {
            plan.findings.extend(guards(&cx, &inventory, &plan).await?);
        }
        Ok(Planned { cx, desired, inventory, plan })
    }

    /// Takes the lease, and looks again where somebody else may have been at work since `seen`.
    async fn lease(&self, seen: Free, planned: Planned) -> Result<(Lease, Planned), UpError> {
        let stack = &self.place.stack;
        let (lease, is_new) = match self.session.lease(stack, seen).await? {
            Some(lease) => (lease, false),
            None => {
                make_bucket(self.session, &planned.cx, &planned.desired).await?;
                (self.session.first_lease(stack).await?, true)
            }
        };
        let again = match (lease.undisturbed, is_new) {
            (true, false) => return Ok((lease, planned)),
            (true, true) => observe_kinds(&planned.cx, std::iter::once("bucket")).await.map(|buckets| {
                let mut inventory = planned.inventory;
                inventory.live.extend(buckets.live);
                inventory
            }),
            (false, _) => observe(&planned.cx).await,
        };
        let replanned = match again {
            Ok(inventory) => self.plan(planned.cx, inventory).await,
            Err(error) => Err(error.into()),
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

/// The error where the endpoint lacks a service that the blueprint needs: before anything is made.
fn lacking(desired: &Desired, inventory: &Inventory) -> Option<UpError> {
    let services: BTreeSet<&str> =
        desired.nodes.values().filter_map(|node| inventory.absent.get(node.kind)).map(String::as_str).collect();
    let sections: BTreeSet<&str> = services.iter().map(|service| section_of(service)).collect();
    (!services.is_empty()).then(|| UpError::Lacking { services: joined(&services), sections: joined(&sections) })
}

fn joined(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The section of the blueprint that cannot do without a service.
fn section_of(service: &str) -> &'static str {
    match service {
        "rds" => "[database]",
        "elasticache" => "[cache]",
        "dynamodb" => "[log]",
        "autoscaling" | "elasticloadbalancingv2" => "[servers]",
        "cloudfront" => "[assets]",
        "route53" | "acm" => "[domain]",
        "cloudwatch" | "sns" => "[alarms]",
        _ => "[network] and [stack]",
    }
}

/// Secrets that would be made anew although what they open stays as it is, and keeps the old password.
fn lost_secrets(plan: &Plan) -> Vec<String> {
    let opens = [(secret::DATABASE, db_instance::ADDRESS), (secret::CACHE, replication_group::ADDRESS)];
    let change_of = |address: &str| plan.changes.iter().find(|change| change.address == address);
    opens
        .into_iter()
        .filter(|(secret, opened)| {
            change_of(secret).is_some_and(|change| matches!(change.action, Action::Create | Action::Replace))
                && !change_of(opened).is_some_and(|change| matches!(change.action, Action::Create | Action::Replace))
        })
        .map(|(secret, opened)| {
            format!(
                "{secret} is gone, and {opened} still has the password that was in it: put the password back into a \
                 secret of that name and tags, or set a new one on both by hand"
            )
        })
        .collect()
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
    let (lease, planned) = asked.lease(seen, planned).await?;
    let is_news = planned.plan.changes.iter().any(|change| !confirmed.contains(change));
    let result = if is_news && !confirm(&planned.plan).await {
        Ok(Upped::Declined)
    } else {
        apply_and_look(session, planned).await
    };
    lease.release().await;
    result
}

async fn apply_and_look(session: &Session, mut planned: Planned) -> Result<Upped, UpError> {
    let stack = planned.cx.stack.clone();
    let recording = session.journal(&stack)?;
    session.phase("applying");
    let run = session.run(&planned.cx, Some(&recording));
    let outcome = apply(&run, &planned.plan, &planned.desired, &planned.inventory).await;
    drop(run);
    recording.close(true).await;
    if !outcome.failed.is_empty() || outcome.interrupted {
        return Ok(Upped::Incomplete(Box::new(planned), outcome));
    }
    session.phase("observing again");
    planned.inventory = observe(&planned.cx).await?;
    planned.plan = plan(&stack, &planned.desired, &planned.inventory, &session.times);
    let converged = planned.plan.is_empty();
    let playable = outcome.leaves(planned.plan.changes.iter().map(|change| &change.address));
    let planned = Box::new(planned);
    Ok(if converged {
        Upped::Converged(planned, outcome)
    } else if playable {
        Upped::Playable(planned, outcome)
    } else {
        Upped::Incomplete(planned, outcome)
    })
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
        fields: Vec::new(),
        expected: std::time::Duration::from_secs(2),
        class: String::new(),
    };
    ground.run(&step, Some(&node.props)).await.map_err(UpError::Bucket)
}
