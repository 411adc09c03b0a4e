//! What the region offers, beside what the blueprint asks for. (Zones that offer the instance and database classes are
//! chosen in `zones`.)

use crate::aws::error::CallError;
use crate::blueprint::Blueprint;
use crate::engine::events::chain;
use crate::engine::plan::{Action, Plan};
use crate::kinds::{Cx, record};

/// What the plan makes and the region, or the public DNS, does not have. `zone_id`: the existing zone that is used.
pub async fn lacking(
    cx: &Cx,
    blueprint: &Blueprint,
    zone_id: Option<&str>,
    plan: &Plan,
) -> Result<Vec<String>, CallError> {
    let makes = |kind: &str| {
        plan.changes.iter().any(|c| c.kind == kind && matches!(c.action, Action::Create | Action::Replace))
    };
    let mut findings = Vec::new();
    if let Some(cache) = blueprint.cache.as_ref().filter(|_| makes("replication_group")) {
        let (version, node) = futures::try_join!(
            cache_version(cx, cache.engine.as_str(), &cache.engine_version),
            cache_node(cx, &cache.node_type)
        )?;
        findings.extend(version);
        findings.extend(node);
    }
    if let (Some(domain), Some(zone)) = (&blueprint.domain, zone_id)
        && makes("certificate")
    {
        let answer = cx.aws.route53.get_hosted_zone().id(zone).send().await?;
        let servers = answer.delegation_set().map(|set| set.name_servers().join(",")).unwrap_or_default();
        if let Err(error) = record::must_be_delegated(cx, &domain.zone, &servers).await {
            findings.push(chain(&error));
        }
    }
    Ok(findings)
}

pub(super) async fn cache_version(cx: &Cx, engine: &str, version: &str) -> Result<Option<String>, CallError> {
    let all = cx.aws.elasticache.describe_cache_engine_versions().engine(engine).into_paginator().items().send();
    let all = match all.collect::<Result<Vec<_>, _>>().await.map_err(CallError::from) {
        Err(error) if error.lacking().is_some() => return Ok(None),
        all => all?,
    };
    let offered: Vec<&str> = all.iter().filter_map(|offer| offer.engine_version()).collect();
    let is_offered = offered.iter().any(|offered| *offered == version || offered.starts_with(&format!("{version}.")));
    Ok((!is_offered).then(|| {
        format!("ElastiCache offers no {engine} {version} in {}; it offers {}", cx.stack.home, offered.join(", "))
    }))
}

/// ElastiCache lists no node types; what can be reserved in a region is offered there.
async fn cache_node(cx: &Cx, node_type: &str) -> Result<Option<String>, CallError> {
    let call = cx.aws.elasticache.describe_reserved_cache_nodes_offerings().cache_node_type(node_type).max_records(20);
    let offered = match call.send().await.map_err(CallError::from) {
        Ok(answer) => !answer.reserved_cache_nodes_offerings().is_empty(),
        Err(error) if error.is(&["InvalidParameterValue", "ReservedCacheNodesOfferingNotFound"]) => false,
        Err(error) if error.lacking().is_some() => true,
        Err(error) => return Err(error),
    };
    Ok((!offered).then(|| format!("ElastiCache offers no {node_type} in {}", cx.stack.home)))
}
