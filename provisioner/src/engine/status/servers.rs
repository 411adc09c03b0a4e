//! The servers' instances: the group's view, the load balancer's, and the release of each.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::AutoScalingGroup;

use super::Instance;
use crate::aws::error::GoneOk;
use crate::kinds::{Cx, Result, fleet, launch_template};

/// What the load balancer says of a target.
struct Health {
    state: String,
    reason: Option<String>,
}

/// Releases by launch template and numbered version: a version never changes, so each is asked for once.
pub type Releases = BTreeMap<(String, String), String>;

/// Every instance of the group. Two calls, and one more where versions are new to `known`.
pub async fn instances(cx: &Cx, known: &mut Releases) -> Result<Vec<Instance>> {
    let Some(group) = fleet::find(cx).await? else {
        return Ok(Vec::new());
    };
    let ((), health) = futures::try_join!(learn(cx, &group, known), health(cx, &group))?;
    let mut instances: Vec<Instance> = group.instances().iter().map(|i| instance(i, &health, known)).collect();
    instances.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(instances)
}

fn instance(
    of_group: &aws_sdk_autoscaling::types::Instance,
    health: &BTreeMap<String, Health>,
    known: &Releases,
) -> Instance {
    let id = of_group.instance_id().unwrap_or_default();
    let template = of_group.launch_template();
    let version = template.and_then(|t| t.version());
    let key = template.and_then(|t| Some((t.launch_template_id()?.to_owned(), t.version()?.to_owned())));
    let told = health.get(id);
    Instance {
        id: id.to_owned(),
        zone: of_group.availability_zone().unwrap_or_default().to_owned(),
        instance_type: of_group.instance_type().unwrap_or_default().to_owned(),
        lifecycle: of_group.lifecycle_state().map(|state| state.as_str()).unwrap_or_default().to_owned(),
        health: told.map(|health| health.state.clone()),
        reason: told.and_then(|health| health.reason.clone()),
        release: key.and_then(|key| known.get(&key).cloned()),
        template_version: version.map(str::to_owned),
    }
}

async fn health(cx: &Cx, group: &AutoScalingGroup) -> Result<BTreeMap<String, Health>> {
    let Some(arn) = group.target_group_arns().first() else { return Ok(BTreeMap::new()) };
    // It goes before the group where a stack is taken down.
    let answer = cx.aws.elbv2.describe_target_health().target_group_arn(arn).send().await.gone_ok()?;
    let Some(answer) = answer else { return Ok(BTreeMap::new()) };
    let told = |target: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
        let health = target.target_health()?;
        let state = health.state()?.as_str().to_owned();
        let reason = health.description().or(health.reason().map(|reason| reason.as_str())).map(str::to_owned);
        Some((target.target()?.id()?.to_owned(), Health { reason: reason.filter(|_| state != "healthy"), state }))
    };
    Ok(answer.target_health_descriptions().iter().filter_map(told).collect())
}

async fn learn(cx: &Cx, group: &AutoScalingGroup, known: &mut Releases) -> Result<()> {
    let mut new: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for template in group.instances().iter().filter_map(|instance| instance.launch_template()) {
        let (Some(id), Some(version)) = (template.launch_template_id(), template.version()) else { continue };
        let versions = new.entry(id.to_owned()).or_default();
        if !known.contains_key(&(id.to_owned(), version.to_owned())) && !versions.iter().any(|v| v == version) {
            versions.push(version.to_owned());
        }
    }
    for (id, versions) in new.into_iter().filter(|(_, versions)| !versions.is_empty()) {
        for (version, release) in launch_template::releases(cx, &id, versions).await? {
            known.insert((id.clone(), version), release);
        }
    }
    Ok(())
}
