//! How a stack is right now: its resources, and what changes by itself (servers, database, cache, alarms, lease).

mod changes;
mod servers;
mod stores;
mod watch;

pub use changes::{Change, Part, changes, short};
pub use watch::Watcher;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::coming::ready_in;
use super::lease;
use super::observed::{Inventory, ObserveError, observe};
use super::session::Session;
use crate::aws::error::CallError;
use crate::aws::stack::Stack;
use crate::kinds::{self, Cx, Observed, Options, State, bucket};

/// Why the status cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// A kind could not be listed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Another call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What a kind asked failed.
    #[error(transparent)]
    Kind(#[from] kinds::Error),
}

impl StatusError {
    /// Whether asking again may help: no answer came, or a server fault did.
    pub fn may_pass(&self) -> bool {
        let call = match self {
            Self::Call(call)
            | Self::Kind(kinds::Error::Call(call))
            | Self::Observe(ObserveError { source: kinds::Error::Call(call), .. }) => call,
            _ => return false,
        };
        call.is_ambiguous()
    }
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resource {
    /// Its address.
    pub address: String,
    /// Its kind.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// `ready`, `deleting`, `failed: <why>`, or the state that AWS names.
    pub state: String,
    /// When it will be ready at this endpoint, where a journal tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_in_seconds: Option<u64>,
}

/// An instance of the servers' group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// Its type.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// Where it is in the group's life cycle: `Pending`, `InService`, `Terminating`, ...
    pub lifecycle: String,
    /// What the load balancer says: `initial`, `healthy`, `unhealthy`, `draining`, ...; `None`: it does not know it.
    pub health: Option<String>,
    /// Why it is not healthy.
    pub reason: Option<String>,
    /// SHA-256 of the release that it booted, by the version of the launch template that it was made from.
    pub release: Option<String>,
    /// That version.
    pub template_version: Option<String>,
}

/// A database instance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatabaseInstance {
    /// Its id.
    pub id: String,
    /// `primary` or `replica`.
    pub role: &'static str,
    /// The zone that it runs in.
    pub zone: String,
    /// The zone of its standby.
    pub standby_zone: Option<String>,
    /// What RDS says: `available`, `modifying`, `rebooting`, ...
    pub status: String,
    /// Its class.
    pub class: String,
    /// The engine's version.
    pub engine_version: String,
    /// What was accepted and waits for the maintenance window: `instance_class: db.m7g.large`.
    pub waiting: Vec<String>,
}

/// A node of the cache.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CacheNode {
    /// The id of its cache cluster.
    pub id: String,
    /// `primary` or `replica`; `None`: ElastiCache does not say yet.
    pub role: Option<String>,
    /// Its zone.
    pub zone: String,
    /// What ElastiCache says: `available`, `modifying`, ...
    pub status: String,
    /// Its type.
    #[serde(rename = "type")]
    pub node_type: String,
    /// The engine's version.
    pub engine_version: String,
    /// What was accepted and waits for the maintenance window.
    pub waiting: Vec<String>,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Who works on the stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lease {
    /// `user@host, process 123`.
    pub who: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends unless renewed.
    pub until: Timestamp,
}

/// A stack at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// The stack's name.
    pub stack: String,
    /// What it has.
    pub resources: Vec<Resource>,
    /// How many of them are on their way.
    pub coming: usize,
    /// When the last of those will be ready.
    pub ready_in_seconds: Option<u64>,
    /// Who works on it.
    pub lease: Option<Lease>,
    /// The servers' instances.
    pub instances: Vec<Instance>,
    /// The database's instances, the primary first.
    pub database: Vec<DatabaseInstance>,
    /// The cache's nodes.
    pub cache: Vec<CacheNode>,
    /// The alarms.
    pub alarms: Vec<Alarm>,
}

/// What the stack has, by asking every kind, and the parts that change by themselves.
pub async fn snapshot(session: &Session, stack: &Stack) -> Result<Snapshot, StatusError> {
    Watcher::new(session, stack.clone()).look().await
}

/// Every resource: as many calls as a plan takes.
async fn resources(session: &Session, cx: &Cx) -> Result<(Inventory, Vec<Resource>), StatusError> {
    let inventory = observe(cx).await?;
    let coming = ready_in(session, &cx.stack, &inventory, Timestamp::now()).await?;
    let resources = inventory.all().map(|o| resource(o, &coming)).collect();
    Ok((inventory, resources))
}

fn resource(observed: &Observed, coming: &BTreeMap<String, u64>) -> Resource {
    Resource {
        address: observed.address.clone(),
        kind: observed.kind,
        id: observed.id.clone(),
        state: match &observed.state {
            State::Ready => "ready".to_owned(),
            State::Pending(what) => what.clone(),
            State::Deleting => "deleting".to_owned(),
            State::Failed(why) => format!("failed: {why}"),
        },
        ready_in_seconds: coming.get(&observed.address).copied(),
    }
}

async fn holder(cx: &Cx) -> Result<Option<Lease>, CallError> {
    match lease::holder(&cx.aws.s3, &cx.stack.bucket_name(bucket::STACK)).await {
        Ok(holder) => Ok(holder.map(|h| Lease { who: h.who, since: h.since, until: h.until })),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn context(session: &Session, stack: Stack) -> Cx {
    session.context(stack, BTreeMap::new(), Options::default())
}
