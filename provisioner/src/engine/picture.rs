//! What AWS holds beside what the last run left behind: the two that drift lies between.

use super::applied::{self, Applied};
use super::observed::{Inventory, ObserveError, observe};
use crate::kinds::{self, Claim, Cx, bucket};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The live resources could not be listed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The record could not be read.
    #[error("cannot read what the last run left behind")]
    Applied(#[source] kinds::Error),
}

/// What AWS holds, and what the last run left behind.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// What AWS holds, including what lost its tags.
    pub inventory: Inventory,
    /// What the last run left behind; none for a stack that never was complete.
    pub applied: Option<Applied>,
}

/// Looks at both. What the last run made and no tag shows any more is looked for by its id.
pub async fn picture(cx: &mut Cx) -> Result<Picture, PictureError> {
    let bucket = cx.stack.bucket_name(bucket::STACK);
    let record = async { applied::read(&cx.aws.s3, &bucket).await.map_err(PictureError::Applied) };
    let seen = async { Ok::<_, PictureError>(observe(cx).await?) };
    let (mut inventory, applied) = futures::try_join!(seen, record)?;
    cx.claims = applied.as_ref().map(|applied| missing(applied, &inventory)).unwrap_or_default();
    if !cx.claims.is_empty() {
        let again = observe(cx).await;
        let claims = std::mem::take(&mut cx.claims);
        inventory = again?;
        let found = |claim: &Claim| inventory.live.get(&claim.address).is_some_and(|live| live.id == claim.id);
        inventory.untagged = claims.into_iter().filter(|c| found(c)).map(|claim| claim.address).collect();
    }
    Ok(Picture { inventory, applied })
}

/// The nodes that the last run left, that tags ought to show, and that no tag shows.
fn missing(applied: &Applied, inventory: &Inventory) -> Vec<Claim> {
    let claim = |address: &String| {
        let left = applied.settled(address).filter(|_| !inventory.live.contains_key(address))?;
        let kind = kinds::named(&left.kind).filter(|kind| kind.tagged().says_whose())?;
        Some(Claim { kind: kind.name(), id: left.id.clone(), address: address.clone() })
    };
    applied.nodes.keys().filter_map(claim).collect()
}
