//! The database's instances, the cache's nodes and the alarms, each in one listing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Alarm, CacheNode, DatabaseInstance};
use crate::kinds::{Cx, Kind, Result, alarm, db_instance, replication_group};

fn told(waiting: Vec<(&str, String)>) -> Vec<String> {
    waiting.into_iter().map(|(field, value)| format!("{field}: {value}")).collect()
}

/// The primary and its replicas. One call for every hundred instances of the account.
pub async fn database(cx: &Cx) -> Result<Vec<DatabaseInstance>> {
    let mut all = db_instance::all(cx, db_instance::DbInstance::NAME, |_| true).await?;
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let instance = |db: &aws_sdk_rds::types::DbInstance| {
        let source = db.read_replica_source_db_instance_identifier().filter(|source| !source.is_empty());
        DatabaseInstance {
            id: text(db.db_instance_identifier()),
            role: if source.is_some() { "replica" } else { "primary" },
            zone: text(db.availability_zone()),
            standby_zone: db.secondary_availability_zone().filter(|_| db.multi_az() == Some(true)).map(str::to_owned),
            status: text(db.db_instance_status()),
            class: text(db.db_instance_class()),
            engine_version: text(db.engine_version()),
            waiting: told(db_instance::waiting(db)),
        }
    };
    Ok(all.iter().map(|(_, db)| instance(db)).collect())
}

/// The nodes of the replication group. Two calls, one of them for every hundred cache clusters of the account.
pub async fn cache(cx: &Cx) -> Result<Vec<CacheNode>> {
    let id = replication_group::identifier(&cx.stack);
    let clusters = cx.aws.elasticache.describe_cache_clusters().into_paginator().items().send();
    let (group, clusters) = futures::try_join!(replication_group::describe(cx, &id), async {
        Ok(clusters.collect::<std::result::Result<Vec<_>, _>>().await?)
    })?;
    let roles: BTreeMap<&str, &str> = group
        .iter()
        .flat_map(|group| group.node_groups())
        .flat_map(|shard| shard.node_group_members())
        .filter_map(|member| Some((member.cache_cluster_id()?, member.current_role()?)))
        .collect();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let node = |cluster: &aws_sdk_elasticache::types::CacheCluster| CacheNode {
        id: text(cluster.cache_cluster_id()),
        role: cluster.cache_cluster_id().and_then(|id| roles.get(id)).map(|role| (*role).to_owned()),
        zone: text(cluster.preferred_availability_zone()),
        status: text(cluster.cache_cluster_status()),
        node_type: text(cluster.cache_node_type()),
        engine_version: text(cluster.engine_version()),
        waiting: told(replication_group::waiting(cluster)),
    };
    let ours = clusters.iter().filter(|cluster| cluster.replication_group_id() == Some(id.as_str()));
    let mut nodes: Vec<CacheNode> = ours.map(node).collect();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(nodes)
}

/// The stack's alarms. One call for every hundred.
pub async fn alarms(cx: &Cx) -> Result<Vec<Alarm>> {
    let alarms = alarm::all(cx).await?;
    let alarm = |(_, alarm): (String, aws_sdk_cloudwatch::types::MetricAlarm)| Alarm {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        state: alarm.state_value().map(|state| state.as_str()).unwrap_or_default().to_owned(),
        since: alarm.state_updated_timestamp().and_then(|at| Timestamp::from_millisecond(at.to_millis().ok()?).ok()),
    };
    Ok(alarms.into_iter().map(alarm).collect())
}
