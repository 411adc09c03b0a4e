//! `adopt`: takes an existing resource into the stack by tagging it, after showing what would change.

use std::path::Path;

use super::applied;
use super::lease::LeaseError;
use super::observed::{ObserveError, observe};
use super::plan::{Plan, plan};
use super::session::Session;
use super::up::{Planned, UpError, look, make_bucket};
use crate::aws::error::CallError;
use crate::blueprint::{Blueprint, suggest};
use crate::kinds::{self, AnyKind, Claim, Error, Observed, Options, bucket};

/// Why nothing was adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The stack could not be looked at.
    #[error(transparent)]
    Up(Box<UpError>),
    /// Somebody else works on the stack.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The blueprint has no such node.
    #[error("the blueprint asks for no {address}{hint}")]
    Unwanted {
        /// What was asked for.
        address: String,
        /// What may have been meant.
        hint: String,
    },
    /// The address is taken.
    #[error("the stack has {address} already: {id}")]
    Taken {
        /// The address.
        address: String,
        /// What is there.
        id: String,
    },
    /// The kind's resources are not known by tags.
    #[error("a {kind} carries no tags and cannot be adopted{hint}")]
    Untaggable {
        /// The kind.
        kind: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// There is no such resource.
    #[error(
        "there is no {kind} {id} that could be adopted as {address}: it does not exist in this account and region, it \
         is another stack's, or it has another name than {address} must have"
    )]
    Missing {
        /// The kind.
        kind: &'static str,
        /// The id.
        id: String,
        /// The address.
        address: String,
    },
    /// The live resources could not be listed.
    #[error(transparent)]
    Observe(Box<ObserveError>),
    /// The tags could not be put.
    #[error("cannot put the stack's tags on it")]
    Tag(#[source] Error),
    /// The record of the last run cannot be written.
    #[error("cannot write the adoption down in the stack's bucket")]
    Record(#[source] CallError),
}

impl From<UpError> for AdoptError {
    fn from(error: UpError) -> Self {
        Self::Up(Box::new(error))
    }
}

/// Adopts `id` as the node at `address`. `confirm` sees what the next `up` would change of it. False: it said no.
pub async fn adopt(
    session: &Session,
    blueprint: &Blueprint,
    directory: &Path,
    address: &str,
    id: &str,
    confirm: impl AsyncFnOnce(&Plan) -> bool,
) -> Result<bool, AdoptError> {
    let stack = session.stack(&blueprint.stack_name());
    let seen = session.free(&stack).await?;
    let wanted = Wanted { session, blueprint, directory, address, id };
    let found = wanted.find().await?;
    let planned = &found.planned;
    let mut shown = plan(&stack, &planned.desired, &planned.inventory, &session.times);
    shown.changes.retain(|change| change.address == address);
    (shown.critical_path, shown.critical_path_seconds) =
        (Vec::new(), shown.changes.iter().map(|c| c.expected_seconds).sum());
    if !confirm(&shown).await {
        return Ok(false);
    }
    let lease = match session.lease(&stack, seen).await? {
        Some(lease) => lease,
        None => {
            make_bucket(session, &planned.cx, &planned.desired).await?;
            session.first_lease(&stack).await?
        }
    };
    let result = if lease.undisturbed {
        take_in(&found).await
    } else {
        // Somebody else may have changed the stack since.
        match wanted.find().await {
            Ok(found) => take_in(&found).await,
            Err(error) => Err(error),
        }
    };
    lease.release().await;
    result.map(|()| true)
}

/// What is to be adopted, as what.
struct Wanted<'a> {
    session: &'a Session,
    blueprint: &'a Blueprint,
    directory: &'a Path,
    address: &'a str,
    id: &'a str,
}

/// The resource, and the stack as if it were part of it.
struct Found {
    planned: Planned,
    kind: &'static dyn AnyKind,
    live: Observed,
}

impl Wanted<'_> {
    async fn find(&self) -> Result<Found, AdoptError> {
        let mut planned = look(self.session, self.blueprint, self.directory, Options::default()).await?;
        let kind = adoptable(&planned, self.address, self.id)?;
        let live = claimed(&mut planned, kind, self.address, self.id).await?;
        Ok(Found { planned, kind, live })
    }
}

async fn take_in(found: &Found) -> Result<(), AdoptError> {
    let Found { planned, kind, live } = found;
    let cx = &planned.cx;
    // Until an `up` has ended, how it is to look is open: it is no drift.
    let applied = planned.applied.clone().unwrap_or_default().changing([live.address.clone()], cx.now());
    let bucket = cx.stack.bucket_name(bucket::STACK);
    applied::write(&cx.aws.s3, &bucket, &applied).await.map_err(AdoptError::Record)?;
    let tag = crate::aws::intercept::NODE.scope(live.address.clone(), kinds::tag(cx, kind.tagged(), live));
    tag.await.map_err(AdoptError::Tag)
}

fn adoptable(planned: &Planned, address: &str, id: &str) -> Result<&'static dyn AnyKind, AdoptError> {
    let Some(node) = planned.desired.nodes.get(address) else {
        let near = suggest::closest(address, planned.desired.nodes.keys().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(AdoptError::Unwanted { address: address.to_owned(), hint });
    };
    let kind = kinds::named(node.kind).filter(|kind| kind.tagged().says_whose());
    let Some(kind) = kind else {
        let hint = match node.kind {
            "hosted_zone" => ": set create_zone = false in [domain] to use the zone as it is",
            _ => "; `provision up` makes its own",
        };
        return Err(AdoptError::Untaggable { kind: node.kind, hint });
    };
    match planned.inventory.live.get(address) {
        // What lost its tags may be adopted anew.
        Some(live) if live.id != id || !planned.inventory.untagged.contains(address) => {
            Err(AdoptError::Taken { address: address.to_owned(), id: live.id.clone() })
        }
        _ => Ok(kind),
    }
}

/// Looks at the stack as if the resource were part of it.
async fn claimed(
    planned: &mut Planned,
    kind: &'static dyn AnyKind,
    address: &str,
    id: &str,
) -> Result<Observed, AdoptError> {
    planned.cx.claims = vec![Claim { kind: kind.name(), id: id.to_owned(), address: address.to_owned() }];
    let seen = observe(&planned.cx).await;
    planned.cx.claims.clear();
    planned.inventory = seen.map_err(|error| AdoptError::Observe(Box::new(error)))?;
    planned.inventory.untagged.insert(address.to_owned());
    let live = planned.inventory.live.get(address).filter(|live| live.id == id).cloned();
    live.ok_or_else(|| AdoptError::Missing { kind: kind.name(), id: id.to_owned(), address: address.to_owned() })
}
