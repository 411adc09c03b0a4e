//! What the stack has of what a drill needs, and whether the fault can be made there.

use serde::Serialize;
use serde_json::Value;

use super::{DrillError, Options};
use crate::engine::observed::{Inventory, observe_kinds};
use crate::engine::outputs::outputs;
use crate::kinds::{Cx, Observed, State, auto_scaling_group, bucket, db_instance, replication_group};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The database's host: its standby takes over
    DatabaseFailover,
    /// The cache's primary: a replica takes over
    CacheFailover,
    /// Servers: the group makes new ones
    InstanceLoss,
}

impl Fault {
    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::DatabaseFailover => "database-failover",
            Self::CacheFailover => "cache-failover",
            Self::InstanceLoss => "instance-loss",
        }
    }
}

/// A stack that a fault can be made in.
#[derive(Debug, Clone)]
pub struct Target {
    /// What is broken.
    pub fault: Fault,
    /// The stack's name.
    pub stack: String,
    /// Its home region.
    pub region: String,
    /// Where players play.
    pub api_url: String,
    /// SHA-256 of the release that the servers run.
    pub release: Option<String>,
    /// What is broken, as AWS names it: an instance, a replication group, a group.
    pub resource: String,
    /// Something takes over.
    pub redundant: bool,
    /// Instances to terminate.
    pub instances: usize,
}

/// The kinds that are looked at.
const KINDS: &[&str] = &[
    "bucket",
    "db_instance",
    "replication_group",
    "auto_scaling_group",
    "load_balancer",
    "listener",
    "record",
    "release",
];

/// Looks at the stack. Nothing has been changed when it refuses.
pub async fn find(cx: &Cx, options: &Options) -> Result<Target, DrillError> {
    let inventory = observe_kinds(cx, KINDS.iter().copied()).await?;
    let bucket =
        inventory.live.get(bucket::STACK).ok_or_else(|| unfit(format!("there is no stack {}", cx.stack.name)))?;
    if !bucket.props.get("drills").and_then(Value::as_bool).unwrap_or(true) {
        let by = "its last `provision up` was told [stack] drills = false (the tag provision:drills on its bucket)";
        return Err(DrillError::Forbidden { stack: cx.stack.name.clone(), by });
    }
    let outputs = outputs(&cx.stack.name, &inventory, cx.aws.endpoint_url.as_deref()).await;
    let api_url = outputs.api_url.ok_or_else(|| unfit("the stack has no servers, so nobody can play".into()))?;
    let mut target = Target {
        fault: options.fault,
        stack: cx.stack.name.clone(),
        region: cx.stack.home.clone(),
        api_url,
        release: outputs.release,
        resource: String::new(),
        redundant: true,
        instances: options.instances,
    };
    let (resource, redundant) = match options.fault {
        Fault::DatabaseFailover => database(&inventory, options)?,
        Fault::CacheFailover => (cache(&inventory)?, true),
        Fault::InstanceLoss => servers(cx, &inventory, options).await?,
    };
    (target.resource, target.redundant) = (resource, redundant);
    Ok(target)
}

/// Why not.
enum Refusal {
    /// It cannot be done.
    Unfit(String),
    /// It can, if somebody accepts an outage.
    Outage(String),
}

impl From<Refusal> for DrillError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unfit(why) => Self::Unfit(why),
            Refusal::Outage(why) => Self::Outage(why),
        }
    }
}

fn unfit(why: String) -> Refusal {
    Refusal::Unfit(why)
}

fn ready<'a>(inventory: &'a Inventory, address: &str, what: &str) -> Result<&'a Observed, Refusal> {
    let found = inventory.live.get(address).ok_or_else(|| unfit(format!("the stack has no {what}")))?;
    match &found.state {
        State::Ready => Ok(found),
        State::Pending(state) => Err(unfit(format!("the {what} is not at rest: {state}"))),
        State::Deleting => Err(unfit(format!("the {what} is being deleted"))),
        State::Failed(why) => Err(unfit(format!("the {what} has failed: {why}"))),
    }
}

fn database(inventory: &Inventory, options: &Options) -> Result<(String, bool), Refusal> {
    let database = ready(inventory, db_instance::ADDRESS, "database")?;
    let standby = database.props.get("multi_az").and_then(Value::as_bool).unwrap_or(false);
    if !standby && !options.allow_outage {
        return Err(Refusal::Outage(format!(
            "the database {} has no standby ([database] multi_az = false), so nothing would take over: it would be \
             rebooted, and nobody could play until it is back",
            database.id
        )));
    }
    Ok((database.id.clone(), standby))
}

fn cache(inventory: &Inventory) -> Result<String, Refusal> {
    let cache = ready(inventory, replication_group::ADDRESS, "cache")?;
    if !cache.props.get("automatic_failover").and_then(Value::as_bool).unwrap_or(false) {
        return Err(unfit(format!(
            "the cache {} has no replica ([cache] replicas = 0), so ElastiCache can fail over to nothing",
            cache.id
        )));
    }
    Ok(cache.id.clone())
}

async fn servers(cx: &Cx, inventory: &Inventory, options: &Options) -> Result<(String, bool), DrillError> {
    let group = ready(inventory, auto_scaling_group::ADDRESS, "group of servers")?;
    let serving = super::fault::in_service(cx, &group.id).await?.len();
    if options.instances > serving {
        return Err(unfit(format!("only {serving} instances serve, and {} are to be lost", options.instances)).into());
    }
    if options.instances == serving && !options.allow_outage {
        return Err(DrillError::Outage(format!(
            "all {serving} instances that serve would be lost at once: nobody could play until there are new ones"
        )));
    }
    Ok((group.id.clone(), options.instances < serving))
}

impl Target {
    /// What is done, in words.
    pub fn deed(&self) -> String {
        let (resource, count) = (&self.resource, self.instances);
        match self.fault {
            Fault::DatabaseFailover if self.redundant => format!("rebooting {resource} with failover to its standby"),
            Fault::DatabaseFailover => format!("rebooting {resource}"),
            Fault::CacheFailover => format!("failing the primary of {resource} over"),
            Fault::InstanceLoss if count == 1 => format!("terminating an instance of {resource}"),
            Fault::InstanceLoss => format!("terminating {count} instances of {resource}"),
        }
    }

    /// What those who really play will notice, for the question.
    pub fn consequences(&self) -> &'static str {
        match (self.fault, self.redundant) {
            (Fault::DatabaseFailover, true) => {
                "purchases and scores of everybody wait or fail until the standby has taken over, on AWS a minute or two; \
                 ranks are shown meanwhile"
            }
            (Fault::DatabaseFailover, false) => {
                "nobody can buy, score or sign in until the database is back, on AWS some minutes"
            }
            (Fault::CacheFailover, _) => {
                "ranks are read from the database, slower, until a replica has taken over; purchases and scores go on"
            }
            (Fault::InstanceLoss, true) => {
                "requests that the lost instances are answering fail, and the others carry all until new ones serve"
            }
            (Fault::InstanceLoss, false) => "nobody can play until new instances serve, on AWS some minutes",
        }
    }
}
