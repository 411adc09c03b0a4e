//! `down`: takes a stack away, needing only its name, and proves that nothing is left.

use super::applied;
use super::apply::{Outcome, apply};
use super::desired::{Desired, GraphError};
use super::journal::JournalError;
use super::lease::{Free, Lease, LeaseError};
use super::observed::{Inventory, ObserveError};
use super::picture::{PictureError, picture};
use super::plan::{Plan, plan_down};
use super::session::{Recording, Session};
use super::sweep::{Leftover, SweepError, sweep};
use super::up::{UpError, make_bucket};
use crate::aws::error::CallError;
use crate::aws::stack::Stack;
use crate::kinds::context::Kept;
use crate::kinds::{self, Cx, Error, Options, bucket};

/// Why `down` ended early.
#[derive(Debug, thiserror::Error)]
pub enum DownError {
    /// The live resources could not be listed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// What AWS holds, or what the last run left, could not be read.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The record of the last run cannot be deleted.
    #[error("cannot delete the record of the last run from the stack's bucket")]
    Record(#[source] CallError),
    /// Somebody else works on the stack.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The bucket for the lease cannot be made again.
    #[error("cannot make the stack's bucket again, in which the lease is kept")]
    Bucket(#[source] Box<UpError>),
    /// A defect of provision.
    #[error("the stack bucket alone gives a graph that cannot be built; please report this")]
    Graph(#[from] GraphError),
    /// Something guards a resource.
    #[error("cannot tell whether {address} is guarded")]
    Guarded {
        /// The resource.
        address: String,
        /// Why.
        source: Error,
    },
    /// A final snapshot could not be marked.
    #[error("cannot mark the final database snapshot as kept")]
    Kept(#[source] Error),
    /// The last look failed.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// The stack bucket could not be deleted.
    #[error("the stack's bucket cannot be deleted")]
    LastBucket(#[source] Error),
    /// Somebody wrote into the bucket while it was being deleted.
    #[error("somebody else began to work on this stack while it was taken down; look with `provision status`")]
    SomebodyCame,
}

/// What came of a `down`.
pub enum Downed {
    /// No stack of that name is here; what the sweep found all the same, and what was kept on purpose.
    Nothing {
        /// What is still there.
        left: Vec<Leftover>,
        /// What was kept on purpose.
        kept: Vec<Kept>,
    },
    /// The user said no.
    Declined,
    /// Nothing was deleted, for what keeps it from being.
    Refused(Refusal),
    /// It was applied; `left` is what the sweep found.
    Done {
        /// What became of the steps.
        outcome: Outcome,
        /// What is still there.
        left: Vec<Leftover>,
        /// What was kept on purpose.
        kept: Vec<Kept>,
    },
}

/// What keeps a stack from being taken down: addresses and reasons.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// What lost the stack's tags.
    pub untagged: Vec<(String, String)>,
    /// What something guards, unless the loss of data is allowed.
    pub guarded: Vec<(String, String)>,
}

impl Refusal {
    async fn of(cx: &Cx, inventory: &Inventory) -> Result<Option<Self>, DownError> {
        let guarded = if cx.options.allow_data_loss { Vec::new() } else { guards(cx, inventory).await? };
        let refusal = Self { untagged: untagged(inventory), guarded };
        Ok(Some(refusal).filter(|refusal| *refusal != Self::default()))
    }
}

/// Takes the stack down. `confirm` sees the plan and decides; nobody is kept waiting for the lease meanwhile.
pub async fn down(
    session: &Session,
    stack: Stack,
    options: Options,
    confirm: impl AsyncFnOnce(&Plan) -> bool,
) -> Result<Downed, DownError> {
    let mut cx = session.context(stack.clone(), std::collections::BTreeMap::new(), options);
    let seen = session.free(&stack).await?;
    session.nobody_pushes(&stack).await?;
    session.phase("observing");
    let inventory = picture(&mut cx).await?.inventory;
    cx.zones = inventory.foreign_zones().collect();
    if inventory.live.is_empty() {
        let (left, kept) = (sweep_at_last(&cx, session).await?, kept(&cx));
        return Ok(Downed::Nothing { left, kept });
    }
    if let Some(refusal) = Refusal::of(&cx, &inventory).await? {
        return Ok(Downed::Refused(refusal));
    }
    if !confirm(&plan_down(&stack, &inventory, &session.times)).await {
        return Ok(Downed::Declined);
    }
    let recording = session.journal(&stack)?;
    let mut lease = Some(lease_of(session, &cx, seen).await?);
    let result = match session.nobody_pushes(&stack).await {
        Ok(()) => delete_all(session, &mut cx, inventory, recording, &mut lease).await,
        Err(error) => Err(error.into()),
    };
    if let Some(lease) = lease {
        lease.release().await;
    }
    result
}

/// The lease; where somebody deleted its bucket, that is made again first.
async fn lease_of(session: &Session, cx: &Cx, seen: Free) -> Result<Lease, DownError> {
    if let Some(lease) = session.lease(&cx.stack, seen).await? {
        return Ok(lease);
    }
    let only_bucket = Desired::from_nodes([bucket::stack_bucket_node(&cx.stack)])?;
    make_bucket(session, cx, &only_bucket).await.map_err(|e| DownError::Bucket(Box::new(e)))?;
    Ok(session.first_lease(&cx.stack).await?)
}

async fn delete_all(
    session: &Session,
    cx: &mut Cx,
    mut inventory: Inventory,
    recording: Recording,
    lease: &mut Option<Lease>,
) -> Result<Downed, DownError> {
    if lease.as_ref().is_some_and(|lease| !lease.undisturbed) {
        // What somebody else made meanwhile may be guarded too.
        inventory = picture(cx).await?.inventory;
        cx.zones = inventory.foreign_zones().collect();
        if let Some(refusal) = Refusal::of(cx, &inventory).await? {
            return Ok(Downed::Refused(refusal));
        }
    }
    let cx = &*cx;
    let mut all = plan_down(&cx.stack, &inventory, &session.times);
    all.changes.retain(|change| change.address != bucket::STACK);
    // From here on what is missing was deleted by us.
    let bucket = cx.stack.bucket_name(bucket::STACK);
    applied::forget(&cx.aws.s3, &bucket).await.map_err(DownError::Record)?;
    session.phase("deleting");
    let outcome = apply(&session.run(cx, Some(&recording)), &all, &Desired::default(), &inventory).await;
    let left = sweep_at_last(cx, session).await?;
    let complete = left.is_empty() && !outcome.interrupted;
    recording.close(!complete).await;
    if complete {
        last_bucket(session, cx, lease).await?;
    }
    Ok(Downed::Done { outcome, left, kept: kept(cx) })
}

fn kept(cx: &Cx) -> Vec<Kept> {
    cx.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

/// Marks the final snapshots that an earlier run did not come to mark, then looks what is left.
async fn sweep_at_last(cx: &Cx, session: &Session) -> Result<Vec<Leftover>, DownError> {
    session.phase("sweeping");
    if !cx.options.allow_data_loss {
        kinds::db_instance::keep_snapshots(cx).await.map_err(DownError::Kept)?;
    }
    settled_sweep(cx, session).await
}

/// What lost its tags is nobody's to delete, and would stay behind unseen.
fn untagged(inventory: &Inventory) -> Vec<(String, String)> {
    let id = |address: &String| inventory.live.get(address).map_or("", |live| live.id.as_str());
    let reason = |address: &String| {
        let id = id(address);
        let fix = format!("give them back with `provision adopt {address} {id}`, or delete it by hand");
        (address.clone(), format!("{id} lost the stack's tags: {fix}"))
    };
    inventory.untagged.iter().map(reason).collect()
}

async fn guards(cx: &Cx, inventory: &Inventory) -> Result<Vec<(String, String)>, DownError> {
    let mut guarded = Vec::new();
    for live in inventory.all() {
        let Some(kind) = kinds::named(live.kind) else { continue };
        let reason = kind
            .guarded(cx, live)
            .await
            .map_err(|source| DownError::Guarded { address: live.address.clone(), source })?;
        guarded.extend(reason.map(|reason| (live.address.clone(), reason)));
    }
    Ok(guarded)
}

/// Listings lag behind deletes: a leftover counts when it is still there after a while.
async fn settled_sweep(cx: &Cx, session: &Session) -> Result<Vec<Leftover>, DownError> {
    let mut left = sweep(cx, &["bucket"]).await?;
    for _ in 0..5 {
        if left.is_empty() || session.stopped() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        left = sweep(cx, &["bucket"]).await?;
    }
    let buckets = super::observed::observe_kinds(cx, std::iter::once("bucket")).await?;
    left.extend(buckets.all().filter(|o| o.address != bucket::STACK).map(|o| Leftover {
        kind: o.kind.to_owned(),
        address: o.address.clone(),
        id: o.id.clone(),
    }));
    Ok(left)
}

/// All but the lease, then the lease's versions, then the bucket itself.
async fn last_bucket(session: &Session, cx: &Cx, lease: &mut Option<Lease>) -> Result<(), DownError> {
    session.phase("deleting the stack bucket");
    let name = cx.stack.bucket_name(bucket::STACK);
    bucket::empty(cx, &name, &[super::lease::LEASE_KEY]).await.map_err(DownError::LastBucket)?;
    if let Some(lease) = lease.take() {
        lease.abandon();
    }
    bucket::empty(cx, &name, &[]).await.map_err(DownError::LastBucket)?;
    match cx
        .aws
        .s3
        .delete_bucket()
        .bucket(&name)
        .expected_bucket_owner(&cx.stack.account)
        .send()
        .await
        .map_err(crate::aws::error::CallError::from)
    {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) if error.is(&["BucketNotEmpty"]) => Err(DownError::SomebodyCame),
        Err(error) => Err(DownError::LastBucket(error.into())),
    }
}
