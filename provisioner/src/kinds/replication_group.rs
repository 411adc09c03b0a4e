//! The cache: an ElastiCache replication group of one shard.

mod modify;
mod read;
mod upgrade;

pub use read::{describe, waiting};

use std::time::Duration;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Notice, Phase, Place, Progress, Ref, Result, State, Want,
    cache_parameter_group, cache_subnet_group, secret, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{NameRule, Stack};
use crate::blueprint::{Apply, Blueprint};

/// Its address.
pub const ADDRESS: &str = "cache";

/// A replication group. Not data: ranks are rebuilt from the database.
pub struct ReplicationGroup;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its id.
    pub name: String,
    /// `redis` or `valkey`.
    pub engine: String,
    /// The version, at least: later minor ones follow by themselves.
    pub engine_version: String,
    /// Type of every node.
    pub node_type: String,
    /// Replicas beside the primary.
    pub replicas: u8,
    /// A replica takes over by itself.
    pub automatic_failover: bool,
    /// The nodes are spread over zones.
    pub multi_az: bool,
    /// Connections are encrypted.
    pub tls: bool,
    /// Storage is encrypted.
    pub at_rest_encryption: bool,
    /// Name of the secret that holds the AUTH token; empty: no AUTH.
    pub secret: Ref,
    /// Name of the subnet group.
    pub subnet_group: Ref,
    /// Name of the parameter group.
    pub parameter_group: Ref,
    /// Ids of its security groups.
    pub security_groups: Vec<Ref>,
    /// The port.
    pub port: i32,
    /// When ElastiCache makes what waits; ElastiCache chooses it.
    pub maintenance_window: String,
    /// Fields whose values wait for the maintenance window. They count as the live ones.
    pub waiting: Vec<String>,
    /// When changes take effect; of a live one, the default.
    pub apply: Apply,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// Engine, version and parameter group, which go together.
    Engine,
    /// The node type.
    NodeType,
    /// Replicas, failover and zones, which depend on each other.
    Replicas,
    /// The security groups.
    SecurityGroups,
    /// What waits is made now.
    Waiting,
}

/// The replication group's id; its members are `<id>-001`, `<id>-002`, ...
pub fn identifier(stack: &Stack) -> String {
    stack.name_for(ADDRESS, NameRule::lower(40))
}

/// The id of a member, from 1.
pub fn member(stack: &Stack, number: u8) -> String {
    format!("{}-{number:03}", identifier(stack))
}

impl Kind for ReplicationGroup {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "replication_group";
    const TAGGED: Tagged = Tagged::ElastiCache("replicationgroup");
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::update("engine", Op::Engine, Impact::Failover),
        Field::update("engine_version", Op::Engine, Impact::Failover),
        Field::update("parameter_group", Op::Engine, Impact::InPlace),
        Field::update("node_type", Op::NodeType, Impact::Rolling),
        Field::update("replicas", Op::Replicas, Impact::InPlace),
        Field::update("automatic_failover", Op::Replicas, Impact::InPlace),
        Field::update("multi_az", Op::Replicas, Impact::InPlace),
        Field::replace("tls"),
        Field::replace("at_rest_encryption"),
        Field::ignore("secret"),
        Field::replace("subnet_group"),
        Field::update("security_groups", Op::SecurityGroups, Impact::InPlace),
        Field::replace("port"),
        Field::ignore("maintenance_window"),
        Field::update("waiting", Op::Waiting, Impact::Failover),
        Field::ignore("apply"),
    ];
    const AFTER: &'static [&'static str] = &["cache_subnet_group", "cache_parameter_group", "security_group", "secret"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(cache) = &blueprint.cache else { return Vec::new() };
        let spec = Spec {
            name: identifier(&place.stack),
            engine: cache.engine.as_str().to_owned(),
            engine_version: cache.engine_version.clone(),
            node_type: cache.node_type.clone(),
            replicas: cache.replicas,
            automatic_failover: cache.automatic_failover(),
            multi_az: cache.automatic_failover(),
            tls: cache.tls,
            at_rest_encryption: true,
            secret: if cache.tls { Ref::to(secret::CACHE, "name") } else { Ref::from("") },
            subnet_group: Ref::to(cache_subnet_group::ADDRESS, "name"),
            parameter_group: Ref::to(cache_parameter_group::ADDRESS, "name"),
            security_groups: vec![Ref::to("security-group/cache", "id")],
            port: 6379,
            maintenance_window: String::new(),
            waiting: Vec::new(),
            apply: cache.apply,
        };
        vec![Want::new(ADDRESS, spec)]
    }

    fn expected(&self, phase: Phase, spec: &Spec) -> Duration {
        Duration::from_secs(match phase {
            Phase::Create => 360 + 60 * u64::from(spec.replicas),
            Phase::Update if spec.apply == Apply::MaintenanceWindow => 20,
            Phase::Update => 600,
            Phase::Delete => 300,
        })
    }

    fn class(&self, spec: &Spec) -> String {
        let later = if spec.apply == Apply::MaintenanceWindow { " later" } else { "" };
        format!("{} {} nodes{later}", spec.node_type, u16::from(spec.replicas) + 1)
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(2400)
    }

    fn impact(&self, field: &str, planned: Impact, live: &Spec) -> Impact {
        let alone = live.replicas == 0 && ["engine", "engine_version"].contains(&field);
        if alone { Impact::Outage } else { planned }
    }

    fn tolerates(&self, field: &str, live: &Spec, want: &Spec) -> bool {
        match field {
            "engine_version" => upgrade::is_within(live, want),
            "waiting" => want.apply == Apply::MaintenanceWindow,
            _ => false,
        }
    }

    fn moved_by_itself(&self, field: &str, was: &Spec, is: &Spec) -> bool {
        field == "waiting" || (field == "engine_version" && upgrade::is_within(is, was))
    }

    fn refused(&self, live: &Spec, want: &Spec) -> Option<String> {
        upgrade::refused(live, want)
    }

    fn notice(&self, fields: &[&str], live: &Spec, want: &Spec) -> Option<Notice> {
        Some(upgrade::notice(fields, live, want))
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        read::list(cx, Self::NAME).await
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let spec = &want.spec;
        let token = match spec.secret.get() {
            "" => None,
            id => Some(secret::read(cx, id, "auth_token").await?),
        };
        let groups = spec.security_groups.iter().map(|group| group.get().to_owned()).collect();
        let answer = cx
            .aws
            .elasticache
            .create_replication_group()
            .replication_group_id(&spec.name)
            .replication_group_description(format!("Ranks of stack {}", cx.stack.name))
            .engine(&spec.engine)
            .engine_version(&spec.engine_version)
            .cache_node_type(&spec.node_type)
            .num_cache_clusters(i32::from(spec.replicas) + 1)
            .automatic_failover_enabled(spec.automatic_failover)
            .multi_az_enabled(spec.multi_az)
            .cache_subnet_group_name(spec.subnet_group.get())
            .cache_parameter_group_name(spec.parameter_group.get())
            .set_security_group_ids(Some(groups))
            .at_rest_encryption_enabled(spec.at_rest_encryption)
            .transit_encryption_enabled(spec.tls)
            .set_auth_token(token.map(|token| token.expose_secret().to_owned()))
            .auto_minor_version_upgrade(true)
            .port(spec.port)
            .set_tags(Some(cx.tags(&want.address).elasticache()))
            .send()
            .await;
        match answer.map_err(CallError::from) {
            Ok(_) => {}
            Err(error) if error.is(&["ReplicationGroupAlreadyExists"]) => {
                if self.list(cx).await?.is_empty() {
                    return Err(Error::taken(format_args!("the replication group {}", spec.name)));
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Created { id: spec.name.clone(), attrs: Attrs::new() })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let Some(group) = read::describe(cx, id).await? else { return Ok(Progress::Pending("not visible yet".into())) };
        match read::state(&group) {
            State::Ready => Ok(Progress::Ready(read::outputs(&group))),
            State::Failed(reason) => Err(Error::Failed { resource: id.to_owned(), reason }),
            State::Pending(state) => Ok(Progress::Pending(state)),
            State::Deleting => Ok(Progress::Pending("deleting".into())),
        }
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        modify::update(cx, op, change).await
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        // A group that is changing refuses; the engine asks again until it has settled.
        let call = cx.aws.elasticache.delete_replication_group().replication_group_id(&live.id);
        match call.retain_primary_cluster(false).send().await.gone_ok() {
            Ok(_) => Ok(()),
            Err(_) if matches!(read::describe(cx, &live.id).await?, Some(g) if read::state(&g) == State::Deleting) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn gone(&self, cx: &Cx, live: &Live<Spec>) -> Result<Progress> {
        Ok(match read::describe(cx, &live.id).await? {
            None => Progress::Ready(Attrs::new()),
            Some(group) => Progress::Pending(group.status.unwrap_or_else(|| "deleting".into())),
        })
    }
}
