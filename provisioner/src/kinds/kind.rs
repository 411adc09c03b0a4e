//! The trait of a resource kind. Adding a kind is one new file and one line in the registry.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::{Cx, Place};
use super::error::Result;
use super::spec::Attrs;
use super::tagging::Tagged;
use crate::blueprint::Blueprint;

/// What a change does to those who use the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Nobody notices.
    None,
    /// Changed in place, without an interruption.
    InPlace,
    /// Members are exchanged one after another.
    Rolling,
    /// A short interruption while a standby takes over.
    Failover,
    /// It is restarted and nothing stands in for it: minutes without it.
    Outage,
    /// Deleted and made again; it holds nothing that is not made again.
    Replacement,
    /// Deleted and made again; what it holds is lost.
    ReplacementDataLost,
    /// Deleted; it holds nothing.
    Deleted,
    /// Deleted with what it holds.
    DataLost,
}

/// What a change means to those who play, and when it takes effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What players notice, in words.
    pub players: String,
    /// The maintenance window that it waits for, in UTC; `None`: it takes effect at once.
    pub window: Option<String>,
}

/// What happens when a field differs.
#[derive(Debug, Clone, Copy)]
pub enum OnChange<Op> {
    /// Not ours to decide: never a change.
    Ignore,
    /// The resource cannot be changed so: it is replaced.
    Replace,
    /// `Kind::update` is called with this operation (once for all fields that share it).
    Update(Op, Impact),
}

/// One field of a spec, by its serialised name.
#[derive(Debug, Clone, Copy)]
pub struct Field<Op> {
    /// The serialised name in the spec.
    pub name: &'static str,
    /// What a difference leads to.
    pub on: OnChange<Op>,
}

impl<Op> Field<Op> {
    /// A field whose change replaces the resource.
    pub const fn replace(name: &'static str) -> Self {
        Self { name, on: OnChange::Replace }
    }
    /// A field whose difference is not ours to decide.
    pub const fn ignore(name: &'static str) -> Self {
        Self { name, on: OnChange::Ignore }
    }
    /// A field that `op` changes in the live resource.
    pub const fn update(name: &'static str, op: Op, impact: Impact) -> Self {
        Self { name, on: OnChange::Update(op, impact) }
    }
}

/// A node that the blueprint asks for.
#[derive(Debug, Clone)]
pub struct Want<S> {
    /// Its address, for example `subnet/app-1`; unique in the stack.
    pub address: String,
    /// What it shall be. References in it are its dependencies.
    pub spec: S,
    /// Nodes it depends on without referring to them.
    pub after: Vec<String>,
}

impl<S> Want<S> {
    /// A node at `address`.
    pub fn new(address: impl Into<String>, spec: S) -> Self {
        Self { address: address.into(), spec, after: Vec::new() }
    }
    /// Adds a dependency that the spec does not show.
    pub fn after(mut self, address: impl Into<String>) -> Self {
        self.after.push(address.into());
        self
    }
    /// As [`Want::after`], where there is such a node.
    pub fn after_any(mut self, address: Option<String>) -> Self {
        self.after.extend(address);
        self
    }
}

/// Where a live resource is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Usable by its dependants.
    Ready,
    /// On its way (`creating`, `modifying`, ...): awaited, never created again.
    Pending(String),
    /// Going away.
    Deleting,
    /// It will not become usable by itself; why.
    Failed(String),
}

/// A resource that AWS holds for this stack.
#[derive(Debug, Clone)]
pub struct Live<S> {
    /// The address in its node tag (or that its parent implies).
    pub address: String,
    /// The id that AWS's calls take.
    pub id: String,
    /// What it is; every reference in it is a value.
    pub spec: S,
    /// Its outputs, for the nodes that refer to it. `id` is added by the engine.
    pub attrs: Attrs,
    /// Where it is in its life.
    pub state: State,
}

/// What a create call left behind.
#[derive(Debug, Clone)]
pub struct Created {
    /// The id that AWS's calls take.
    pub id: String,
    /// The outputs known so far; those of [`Kind::ready`] are added.
    pub attrs: Attrs,
}

/// One look at something that takes time.
#[derive(Debug, Clone)]
pub enum Progress {
    /// Done, with the outputs known now.
    Ready(Attrs),
    /// Not yet; the state that AWS names.
    Pending(String),
}

/// A change of a live resource.
#[derive(Debug)]
pub struct Change<'a, S> {
    /// What it is.
    pub live: &'a Live<S>,
    /// What it shall be; every reference is a value.
    pub want: &'a S,
    /// The fields that differ and belong to the operation.
    pub fields: &'a [String],
}

/// Which half of a replacement comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaceOrder {
    /// The old one goes before the new one is made (its name is taken until then).
    DeleteFirst,
    /// The new one is made, dependants move over, the old one goes.
    CreateFirst,
}

/// What is about to happen, for [`Kind::expected`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the create call until usable.
    Create,
    /// From the update call until usable again.
    Update,
    /// From the delete call until gone.
    Delete,
}

/// One kind of AWS resource.
///
/// Rules: tags go into the create call; `create` may be called again after an answer was lost, so it takes an
/// idempotency token ([`Cx::token`]) or a deterministic name, or looks for its own tags first; `delete` of something
/// gone is success. Codes that mean "not visible yet" or "still in use" are retried by the engine.
pub trait Kind: Send + Sync + 'static {
    /// What a node of this kind can be told to be. Serialised field by field; arrays compare as sets.
    type Spec: Serialize + DeserializeOwned + Clone + Debug + Send + Sync;
    /// The ways in which a live resource can be changed; `std::convert::Infallible` where there are none.
    type Op: Copy + Debug + PartialEq + Send + Sync + 'static;

    /// The kind's name, for example `security_group`.
    const NAME: &'static str;
    /// The call that tags its resources.
    const TAGGED: Tagged;
    /// Every field of the spec, and what a difference leads to. A test compares it with the spec.
    const FIELDS: &'static [Field<Self::Op>];
    /// Kinds whose resources this kind's depend on: those go only after this kind's are gone.
    const AFTER: &'static [&'static str];
    /// What it holds that cannot be made again, in words (`the players' database`).
    const DATA: Option<&'static str> = None;
    /// Attributes that an update changes (a launch template's `version`): whoever refers to them is updated too.
    const CHANGED_BY_UPDATE: &'static [&'static str] = &[];
    /// Fields that are changed here before they are changed in what this refers to, where both are.
    const UPDATED_FIRST: &'static [&'static str] = &[];
    /// Which half of a replacement comes first.
    const REPLACE: ReplaceOrder = ReplaceOrder::DeleteFirst;

    /// The nodes of this kind that the blueprint asks for. Pure.
    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Self::Spec>>;

    /// How long a phase takes on AWS.
    fn expected(&self, phase: Phase, spec: &Self::Spec) -> Duration {
        let _ = (phase, spec);
        Duration::from_secs(2)
    }

    /// What decides how long a phase takes besides the kind (an instance class, say): durations are learned per class.
    fn class(&self, spec: &Self::Spec) -> String {
        let _ = spec;
        String::new()
    }

    /// How long a phase may take before it is given up: longer than AWS was ever seen to need.
    fn limit(&self, phase: Phase) -> Duration {
        let _ = phase;
        Duration::from_secs(600)
    }

    /// What a change of `field` does to this resource, where that depends on what it is.
    fn impact(&self, field: &str, planned: Impact, live: &Self::Spec) -> Impact {
        let _ = (field, live);
        planned
    }

    /// Whether a difference of `field` is none to mend: what is there is within what is wanted.
    fn tolerates(&self, field: &str, live: &Self::Spec, want: &Self::Spec) -> bool {
        let _ = (field, live, want);
        false
    }

    /// Whether AWS itself, and nobody else, changed `field` since the last run: that is no drift.
    fn moved_by_itself(&self, field: &str, was: &Self::Spec, is: &Self::Spec) -> bool {
        let _ = (field, was, is);
        false
    }

    /// Why AWS cannot make `want` out of `live`, and the way out: found before anything is changed.
    fn refused(&self, live: &Self::Spec, want: &Self::Spec) -> Option<String> {
        let _ = (live, want);
        None
    }

    /// What an update of `fields` means to players, where the kind knows.
    fn notice(&self, fields: &[&str], live: &Self::Spec, want: &Self::Spec) -> Option<Notice> {
        let _ = (fields, live, want);
        None
    }

    /// Everything of this kind that carries the stack's tags, in as few calls as the service allows.
    fn list(&self, cx: &Cx) -> impl Future<Output = Result<Vec<Live<Self::Spec>>>> + Send;

    /// Starts to make the node; tags are in the call.
    fn create(&self, cx: &Cx, want: &Want<Self::Spec>) -> impl Future<Output = Result<Created>> + Send;

    /// Looks once whether dependants can use it. Called after `create` and `update`, and for what is pending.
    fn ready(&self, cx: &Cx, address: &str, id: &str) -> impl Future<Output = Result<Progress>> + Send {
        let _ = (cx, address, id);
        async { Ok(Progress::Ready(Attrs::new())) }
    }

    /// Changes the live resource.
    fn update(&self, cx: &Cx, op: Self::Op, change: &Change<'_, Self::Spec>)
    -> impl Future<Output = Result<()>> + Send;

    /// Why it must not be deleted, where something guards it (deletion protection, contents).
    fn guarded(&self, cx: &Cx, live: &Live<Self::Spec>) -> impl Future<Output = Result<Option<String>>> + Send {
        let _ = (cx, live);
        async { Ok(None) }
    }

    /// Starts to delete it.
    fn delete(&self, cx: &Cx, live: &Live<Self::Spec>) -> impl Future<Output = Result<()>> + Send;

    /// Looks once whether it is gone, with all that it held on to (network interfaces).
    fn gone(&self, cx: &Cx, live: &Live<Self::Spec>) -> impl Future<Output = Result<Progress>> + Send {
        let _ = (cx, live);
        async { Ok(Progress::Ready(Attrs::new())) }
    }
}
