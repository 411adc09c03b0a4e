//! CloudWatch log groups: the servers' own, and those that RDS writes to.
//!
//! RDS makes its groups by itself, without retention, and leaves them behind; so they are made first, with retention and
//! tags, and go after the instance.

use futures::stream::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::{Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Result, State, Want, attrs, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{NameRule, Stack};
use crate::blueprint::Blueprint;

/// The log group of the servers.
pub const SERVERS: &str = "log-group/servers";
/// The logs that every database instance exports.
pub const DATABASE_LOGS: [&str; 2] = ["error", "slowquery"];
/// RDS allows so many replicas of one source.
const MAX_REPLICAS: u8 = 15;
/// The days that CloudWatch Logs takes.
const RETENTIONS: [u16; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// A log group.
pub struct LogGroup;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Events expire after so many days.
    pub retention_days: u16,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `PutRetentionPolicy`.
    Retention,
}

/// The identifier of the DB instance at `address` (`database`, `database-replica/1`).
pub fn database_identifier(stack: &Stack, address: &str) -> String {
    stack.name_for(address, NameRule::lower(63))
}

/// The ARN of the DB instance at `address`, which need not be there yet.
pub fn database_arn(stack: &Stack, address: &str) -> String {
    let (partition, identifier) = (stack.partition(), database_identifier(stack, address));
    format!("arn:{partition}:rds:{}:{}:db:{identifier}", stack.home, stack.account)
}

/// The address of the log group for `log` of the DB instance at `database`.
pub fn database_log_address(database: &str, log: &str) -> String {
    format!("log-group/{}-{log}", database.replace('/', "-"))
}

fn database_log_name(stack: &Stack, database: &str, log: &str) -> String {
    format!("/aws/rds/instance/{}/{log}", database_identifier(stack, database))
}

/// The name of the servers' log group; each instance writes to a stream of its id.
pub fn servers_name(stack: &Stack) -> String {
    format!("/provision/{}/servers", stack.name)
}

/// The addresses of the DB instances: the primary and `replicas` replicas.
pub(super) fn database_addresses(replicas: u8) -> impl Iterator<Item = String> {
    std::iter::once("database".to_owned()).chain((1..=replicas).map(|n| format!("database-replica/{n}")))
}

fn database_groups(stack: &Stack, replicas: u8) -> Vec<(String, String)> {
    database_addresses(replicas)
        .flat_map(|database| DATABASE_LOGS.map(|log| (database.clone(), log)))
        .map(|(database, log)| (database_log_address(&database, log), database_log_name(stack, &database, log)))
        .collect()
}

impl Kind for LogGroup {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "log_group";
    const TAGGED: Tagged = Tagged::LogGroup;
    const FIELDS: &'static [Field<Op>] =
        &[Field::replace("name"), Field::update("retention_days", Op::Retention, Impact::InPlace)];
    const AFTER: &'static [&'static str] = &[];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let mut groups = Vec::new();
        if blueprint.servers.is_some() {
            groups.push((SERVERS.to_owned(), servers_name(&place.stack)));
        }
        if let Some(database) = &blueprint.database {
            groups.extend(database_groups(&place.stack, database.read_replicas));
        }
        let wish = blueprint.log_retention_days();
        let retention_days = RETENTIONS.into_iter().find(|days| *days >= wish).unwrap_or(RETENTIONS[21]);
        groups.into_iter().map(|(address, name)| Want::new(address, Spec { name, retention_days })).collect()
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        // The names are deterministic; of the groups that have one, the tags say whose they are.
        let mut names = database_groups(&cx.stack, MAX_REPLICAS);
        names.push((SERVERS.to_owned(), servers_name(&cx.stack)));
        // What every instance's identifier begins with, cut or not.
        let identifier = database_identifier(&cx.stack, "database");
        let common = &identifier[..identifier.len().min(cx.stack.name.len()).min(20)];
        let prefixes = [servers_name(&cx.stack), format!("/aws/rds/instance/{common}")];
        let (servers, databases) = futures::try_join!(with_prefix(cx, &prefixes[0]), with_prefix(cx, &prefixes[1]))?;
        let candidates = servers.into_iter().chain(databases).filter(|(name, _, _)| names.iter().any(|n| n.1 == *name));
        let live = candidates.map(|(name, arn, retention_days)| async move {
            let owned = owner(cx, &name, &arn).await?;
            let attrs = outputs(&name, &arn);
            Ok::<_, Error>(owned.flatten().map(|address| Live {
                address,
                id: name.clone(),
                spec: Spec { name, retention_days },
                attrs,
                state: State::Ready,
            }))
        });
        let found: Vec<_> = futures::stream::iter(live).buffer_unordered(5).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        let arn = arn_of(cx, name);
        let answer =
            cx.aws.logs.create_log_group().log_group_name(name).set_tags(Some(cx.tags(&want.address).map())).send().await;
        match answer.map_err(CallError::from) {
            Ok(_) => {}
            Err(error) if error.is(&["ResourceAlreadyExistsException"]) => claim(cx, want, &arn).await?,
            Err(error) => return Err(error.into()),
        }
        // Killed before this call, the next run finds another retention and puts it.
        put_retention(cx, name, want.spec.retention_days).await?;
        Ok(Created { id: name.clone(), attrs: outputs(name, &arn) })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Retention => put_retention(cx, &change.live.id, change.want.retention_days).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.logs.delete_log_group().log_group_name(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// Name, ARN and retention of every group whose name starts with `prefix`.
async fn with_prefix(cx: &Cx, prefix: &str) -> Result<Vec<(String, String, u16)>> {
    let groups = cx
        .aws
        .logs
        .describe_log_groups()
        .log_group_name_prefix(prefix)
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await?;
    let parts = |group: aws_sdk_cloudwatchlogs::types::LogGroup| {
        let name = group.log_group_name?;
        let arn = group.arn.map_or_else(|| arn_of(cx, &name), |arn| arn.trim_end_matches(":*").to_owned());
        Some((name, arn, group.retention_in_days.and_then(|days| u16::try_from(days).ok()).unwrap_or(0)))
    };
    Ok(groups.into_iter().filter_map(parts).collect())
}

/// `None`: no such group; `Some(None)`: not this stack's.
async fn owner(cx: &Cx, name: &str, arn: &str) -> Result<Option<Option<String>>> {
    let answer = cx.aws.logs.list_tags_for_resource().resource_arn(arn).send().await.gone_ok()?;
    Ok(answer.map(|answer| {
        let tags = answer.tags.unwrap_or_default();
        let pairs: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        cx.node_of(LogGroup::NAME, name, pairs)
    }))
}

/// The group exists: ours already, or one that RDS made for the stack's own instance before. Any other is refused.
async fn claim(cx: &Cx, want: &Want<Spec>, arn: &str) -> Result<()> {
    let answer = cx.aws.logs.list_tags_for_resource().resource_arn(arn).send().await?;
    let tags = answer.tags.unwrap_or_default();
    let pairs: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    if cx.stack.node_of(pairs).as_deref() == Some(want.address.as_str()) {
        return Ok(());
    }
    if !tags.is_empty() || want.address == SERVERS {
        return Err(Error::taken(format_args!("the log group {}", want.spec.name)));
    }
    cx.aws.logs.tag_resource().resource_arn(arn).set_tags(Some(cx.tags(&want.address).map())).send().await?;
    Ok(())
}

async fn put_retention(cx: &Cx, name: &str, days: u16) -> Result<()> {
    cx.aws.logs.put_retention_policy().log_group_name(name).retention_in_days(i32::from(days)).send().await?;
    Ok(())
}

fn arn_of(cx: &Cx, name: &str) -> String {
    format!("arn:{}:logs:{}:{}:log-group:{name}", cx.stack.partition(), cx.stack.home, cx.stack.account)
}

fn outputs(name: &str, arn: &str) -> Attrs {
    attrs([("name", name), ("arn", arn)])
}
