//! Whether RDS and ElastiCache can get from what there is to what is wanted. (Whether a zone offers the database's class is
//! asked in `zones`.)

use super::offers::cache_version;
use crate::aws::error::CallError;
use crate::blueprint::Blueprint;
use crate::engine::plan::{Action, Plan, PlannedChange};
use crate::kinds::{Cx, db_instance, replication_group};

/// Upgrades in the plan that are not possible. Nothing is asked where the plan has none.
pub async fn impossible(cx: &Cx, blueprint: &Blueprint, plan: &Plan) -> Result<Vec<String>, CallError> {
    let updated =
        |address: &str| plan.changes.iter().find(|change| change.address == address && change.action == Action::Update);
    let mut findings = Vec::new();
    if let Some(change) = updated(db_instance::ADDRESS) {
        findings.extend(database(cx, change).await?);
    }
    if let (Some(change), Some(cache)) = (updated(replication_group::ADDRESS), &blueprint.cache) {
        if values(change, "engine").or(values(change, "engine_version")).is_some() {
            findings.extend(cache_version(cx, cache.engine.as_str(), &cache.engine_version).await?);
        }
        findings.extend(node_type(cx, change).await?);
    }
    Ok(findings)
}

/// What a field is and what it is to be.
fn values<'a>(change: &'a PlannedChange, field: &str) -> Option<(&'a str, &'a str)> {
    let field = change.fields.iter().find(|changed| changed.name == field)?;
    Some((field.before.as_ref()?.as_str()?, field.after.as_ref()?.as_str()?))
}

/// RDS upgrades from each version to some others only.
async fn database(cx: &Cx, change: &PlannedChange) -> Result<Option<String>, CallError> {
    let Some((from, to)) = values(change, "engine_version") else { return Ok(None) };
    let answer = cx.aws.rds.describe_db_engine_versions().engine("mysql").engine_version(from).send().await;
    let answer = match answer.map_err(CallError::from) {
        Err(error) if error.lacking().is_some() => return Ok(None),
        answer => answer?,
    };
    let versions = answer.db_engine_versions();
    let targets: Vec<&str> =
        versions.iter().flat_map(|v| v.valid_upgrade_target()).filter_map(|target| target.engine_version()).collect();
    let is_target = targets.iter().any(|target| *target == to || target.starts_with(&format!("{to}.")));
    // Of a version that RDS no longer lists it says nothing: the call itself will.
    Ok((!versions.is_empty() && !is_target).then(|| {
        let list = if targets.is_empty() { "no other".to_owned() } else { targets.join(", ") };
        format!("{}: RDS does not upgrade MySQL {from} to {to}; from there it goes to {list}", change.address)
    }))
}

/// A group can be scaled to some node types only.
async fn node_type(cx: &Cx, change: &PlannedChange) -> Result<Option<String>, CallError> {
    let (Some((from, to)), Some(id)) = (values(change, "node_type"), &change.id) else { return Ok(None) };
    let answer = cx.aws.elasticache.list_allowed_node_type_modifications().replication_group_id(id).send().await;
    let answer = match answer.map_err(CallError::from) {
        // One that is changing just now cannot be asked; what is wrong shows when it is changed.
        Err(error) if error.lacking().is_some() || error.is(&["InvalidReplicationGroupState"]) => return Ok(None),
        answer => answer?,
    };
    let allowed = answer.scale_up_modifications().iter().chain(answer.scale_down_modifications());
    let is_allowed = allowed.into_iter().any(|node_type| node_type == to);
    if is_allowed || is_now(cx, id, to).await? {
        return Ok(None);
    }
    let (up, down) = (answer.scale_up_modifications().join(", "), answer.scale_down_modifications().join(", "));
    Ok(Some(format!("{}: ElastiCache does not scale {from} to {to}; up: {up}; down: {down}", change.address)))
}

/// Whether the group has this node type: then a change that waits for the window is taken back.
async fn is_now(cx: &Cx, id: &str, node_type: &str) -> Result<bool, CallError> {
    let answer = cx.aws.elasticache.describe_replication_groups().replication_group_id(id).send().await?;
    Ok(answer.replication_groups().iter().any(|group| group.cache_node_type() == Some(node_type)))
}
