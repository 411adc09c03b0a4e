//! What a replication group looks like in AWS's answers.

use aws_sdk_elasticache::types::{
    AutomaticFailoverStatus, CacheCluster, MultiAzStatus, ReplicationGroup as Group,
};

use super::{Spec, identifier};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::Apply;
use crate::kinds::{Attrs, Cx, Live, Ref, Result, State, attrs};

/// The group; `None` where there is none.
pub async fn describe(cx: &Cx, id: &str) -> Result<Option<Group>> {
    let call = cx.aws.elasticache.describe_replication_groups().replication_group_id(id);
    let answer = call.send().await.gone_ok()?;
    Ok(answer.and_then(|answer| answer.replication_groups?.into_iter().next()))
}

pub(super) async fn list(cx: &Cx, kind: &str) -> Result<Vec<Live<Spec>>> {
    let id = identifier(&cx.stack);
    let Some(group) = describe(cx, &id).await? else { return Ok(Vec::new()) };
    let (tags, member) = futures::try_join!(
        async {
            let call = cx.aws.elasticache.list_tags_for_resource().resource_name(group.arn().unwrap_or_default());
            Ok(call.send().await.gone_ok()?)
        },
        first_member(cx, &group)
    )?;
    let Some(address) = tags.and_then(|tags| cx.node_of(kind, &id, pairs(tags.tag_list()))) else { return Ok(Vec::new()) };
    let spec = spec_of(&id, &group, member.as_ref());
    Ok(vec![Live { address, id, spec, attrs: outputs(&group), state: state(&group) }])
}

/// Network and version are shown by the members alone, which are all alike.
async fn first_member(cx: &Cx, group: &Group) -> Result<Option<CacheCluster>> {
    let Some(id) = group.member_clusters().first() else { return Ok(None) };
    let answer = cx.aws.elasticache.describe_cache_clusters().cache_cluster_id(id).send().await.gone_ok()?;
    Ok(answer.and_then(|answer| answer.cache_clusters?.into_iter().next()))
}

fn spec_of(id: &str, group: &Group, member: Option<&CacheCluster>) -> Spec {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let waiting = member.map(waiting).unwrap_or_default();
    let waits = |field: &str| waiting.iter().find(|(name, _)| *name == field).map(|(_, value)| value.clone());
    let parameter_group =
        member.and_then(|m| m.cache_parameter_group()).and_then(|group| group.cache_parameter_group_name());
    let node_port = group.node_groups().first().and_then(|n| n.primary_endpoint()).and_then(|e| e.port());
    let security_groups = member.map(CacheCluster::security_groups).unwrap_or_default();
    Spec {
        name: id.to_owned(),
        engine: text(group.engine().or_else(|| member.and_then(CacheCluster::engine))),
        engine_version: waits("engine_version")
            .unwrap_or_else(|| text(member.and_then(CacheCluster::engine_version))),
        node_type: waits("node_type").unwrap_or_else(|| text(group.cache_node_type())),
        replicas: u8::try_from(group.member_clusters().len().saturating_sub(1)).unwrap_or(u8::MAX),
        automatic_failover: matches!(
            group.automatic_failover(),
            Some(AutomaticFailoverStatus::Enabled | AutomaticFailoverStatus::Enabling)
        ),
        multi_az: group.multi_az() == Some(&MultiAzStatus::Enabled),
        tls: group.transit_encryption_enabled().unwrap_or(false),
        at_rest_encryption: group.at_rest_encryption_enabled().unwrap_or(false),
        secret: Ref::from(""),
        subnet_group: Ref::from(text(member.and_then(CacheCluster::cache_subnet_group_name))),
        parameter_group: Ref::from(text(parameter_group)),
        security_groups: security_groups.iter().filter_map(|g| g.security_group_id()).map(Ref::from).collect(),
        port: node_port.unwrap_or(6379),
        maintenance_window: text(member.and_then(CacheCluster::preferred_maintenance_window)),
        // What is being changed is under way, and does not wait.
        waiting: match state(group) {
            State::Ready => waiting.iter().map(|(name, _)| (*name).to_owned()).collect(),
            _ => Vec::new(),
        },
        apply: Apply::Now,
    }
}

/// Changes that have been accepted and are not in effect yet: the field and its value. The nodes tell, the group does not.
pub fn waiting(member: &CacheCluster) -> Vec<(&'static str, String)> {
    let Some(pending) = member.pending_modified_values() else { return Vec::new() };
    let open = [("engine_version", pending.engine_version()), ("node_type", pending.cache_node_type())];
    open.into_iter().filter_map(|(field, value)| Some((field, value?.to_owned()))).collect()
}

pub(super) fn state(group: &Group) -> State {
    match group.status().unwrap_or("unknown") {
        "available" => State::Ready,
        "deleting" => State::Deleting,
        "create-failed" => State::Failed("ElastiCache says create-failed".into()),
        other => State::Pending(other.to_owned()),
    }
}

pub(super) fn outputs(group: &Group) -> Attrs {
    let mut outputs = attrs([
        ("name", group.replication_group_id().unwrap_or_default()),
        ("arn", group.arn().unwrap_or_default()),
    ]);
    let Some(node) = group.node_groups().first() else { return outputs };
    let primary = node.primary_endpoint();
    let pairs = [
        ("endpoint", primary.and_then(|e| e.address()).map(str::to_owned)),
        ("port", primary.and_then(|e| e.port()).map(|port| port.to_string())),
        ("reader_endpoint", node.reader_endpoint().or(primary).and_then(|e| e.address()).map(str::to_owned)),
    ];
    outputs.extend(pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    outputs
}
