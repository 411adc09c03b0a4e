//! The last look of `down`: every kind again, and what AWS makes by itself.

use aws_sdk_ec2::types::Filter;
use serde::Serialize;

use super::observed::{ObserveError, observe_kinds};
use crate::aws::error::CallError;
use crate::aws::stack::TAG_KEPT;
use crate::aws::tags::pairs;
use crate::kinds::{self, Cx};

/// Something of the stack that is still there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Leftover {
    /// Its kind, in AWS's words.
    pub kind: String,
    /// Its address, where it has one.
    pub address: String,
    /// Its id.
    pub id: String,
}

/// Why the sweep could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A kind could not be listed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// What AWS makes by itself could not be listed.
    #[error("cannot list what AWS made for the stack")]
    Made(#[source] CallError),
    /// The database snapshots could not be listed.
    #[error("cannot list the stack's database snapshots")]
    Snapshots(#[source] kinds::Error),
}

/// Lists everything of the stack, except the kinds in `without`.
pub async fn sweep(cx: &Cx, without: &[&str]) -> Result<Vec<Leftover>, SweepError> {
    let names = kinds::all().iter().map(|kind| kind.name()).filter(|name| !without.contains(name));
    let (inventory, made, snapshots) =
        futures::join!(observe_kinds(cx, names), made_by_aws(cx), kinds::db_instance::left_snapshots(cx));
    let mut left = made.map_err(SweepError::Made)?;
    left.extend(snapshots.map_err(SweepError::Snapshots)?.into_iter().map(|id| Leftover {
        kind: "db_snapshot".into(),
        address: String::new(),
        id,
    }));
    left.extend(inventory?.all().map(|o| Leftover {
        kind: o.kind.to_owned(),
        address: o.address.clone(),
        id: o.id.clone(),
    }));
    left.sort();
    Ok(left)
}

/// Instances, volumes, interfaces and snapshots carry stack and home, but no node.
async fn made_by_aws(cx: &Cx) -> Result<Vec<Leftover>, CallError> {
    let ec2 = &cx.aws.ec2;
    let filters = cx.ec2_filters();
    let alive = Filter::builder()
        .name("instance-state-name")
        .set_values(Some(["pending", "running", "stopping", "stopped"].map(String::from).into()))
        .build();
    let (instances, volumes, interfaces, snapshots) = futures::join!(
        ec2.describe_instances().set_filters(Some(filters.clone())).filters(alive).send(),
        ec2.describe_volumes().set_filters(Some(filters.clone())).send(),
        ec2.describe_network_interfaces().set_filters(Some(filters.clone())).send(),
        ec2.describe_snapshots().owner_ids("self").set_filters(Some(filters)).send(),
    );
    let mut left = Vec::new();
    let mut add = |kind: &str, id: Option<&str>| {
        left.push(Leftover { kind: kind.into(), address: String::new(), id: id.unwrap_or_default().into() });
    };
    let kept = |tags: &[aws_sdk_ec2::types::Tag]| pairs(tags).iter().any(|(key, _)| *key == TAG_KEPT);
    let instances = instances?;
    for instance in instances.reservations().iter().flat_map(|r| r.instances()) {
        add("instance", instance.instance_id());
    }
    for volume in volumes?.volumes() {
        add("volume", volume.volume_id());
    }
    for interface in interfaces?.network_interfaces() {
        add("network_interface", interface.network_interface_id());
    }
    for snapshot in snapshots?.snapshots().iter().filter(|s| !kept(s.tags())) {
        add("snapshot", snapshot.snapshot_id());
    }
    Ok(left)
}
