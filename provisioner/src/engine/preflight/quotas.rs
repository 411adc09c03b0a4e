//! The account's quotas beside what it has and what the plan makes: only where the plan makes something of the kind.

use futures::stream::{FuturesUnordered, StreamExt};

use super::usage::{self, Used};
use crate::aws::error::CallError;
use crate::blueprint::Blueprint;
use crate::engine::plan::{Action, Plan};
use crate::kinds::Cx;

/// One quota of AWS's.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// What the plan may make of it, and what counts towards it.
    pub used: Used,
    /// Service Quotas' name of the service.
    pub service: &'static str,
    /// Service Quotas' code of the quota.
    pub code: &'static str,
    /// What is counted, in AWS's words.
    pub name: &'static str,
}

const fn quota(used: Used, service: &'static str, code: &'static str, name: &'static str) -> Quota {
    Quota { used, service, code, name }
}

/// Every quota that a stack can meet. What AWS counts in thousands (topics, alarms, log groups) is left out.
#[rustfmt::skip]
const QUOTAS: &[Quota] = &[
    quota(Used::Vpcs, "vpc", "L-F678F1CE", "VPCs per Region"),
    quota(Used::InternetGateways, "vpc", "L-A4707A72", "Internet gateways per Region"),
    quota(Used::Addresses, "ec2", "L-0263D0A3", "EC2-VPC Elastic IPs"),
    quota(Used::Vcpus, "ec2", "L-1216C47A", "Running On-Demand Standard instances (vCPUs)"),
    quota(Used::Databases, "rds", "L-7B6409FD", "DB instances"),
    quota(Used::CacheNodes, "elasticache", "L-DFE45DF3", "Nodes per Region"),
    quota(Used::LoadBalancers, "elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region"),
    quota(Used::Groups, "autoscaling", "L-CDE20ADC", "Auto Scaling groups per Region"),
    quota(Used::Buckets, "s3", "L-DC2B2D3D", "General purpose buckets"),
    quota(Used::Distributions, "cloudfront", "L-24B04930", "Web distributions per AWS account"),
    quota(Used::HostedZones, "route53", "L-4EA4796A", "Hosted zones"),
    quota(Used::Certificates, "acm", "L-F141DD1D", "ACM certificates"),
    quota(Used::Roles, "iam", "L-FE177D64", "Roles per account"),
];

/// What the check came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// Quotas that the plan would exceed.
    pub findings: Vec<String>,
    /// Quotas that it may exceed later, and those that could not be read.
    pub warnings: Vec<String>,
}

/// Compares every quota that the plan touches, all at once.
pub async fn check(cx: &Cx, blueprint: &Blueprint, plan: &Plan) -> Checked {
    let mut asked: FuturesUnordered<_> = QUOTAS
        .iter()
        .filter_map(|quota| Some((quota, need(quota.used, blueprint, plan)?)))
        .map(|(quota, need)| async move { (quota, need, ask(cx, quota, blueprint).await) })
        .collect();
    let mut checked = Checked::default();
    let mut unread: Vec<&str> = Vec::new();
    while let Some((quota, need, answer)) = asked.next().await {
        match answer {
            Ok(Some((limit, used, each))) => judge(quota, need, limit, used, each, &mut checked),
            Ok(None) => {}
            // An endpoint without Service Quotas has none to exceed.
            Err(error) if error.lacking().is_some() => {}
            Err(_) => unread.push(quota.name),
        }
    }
    unread.sort_unstable();
    if !unread.is_empty() {
        checked.warnings.push(format!("these quotas could not be read and were not checked: {}", unread.join(", ")));
    }
    checked.findings.sort();
    checked
}

/// How much the plan needs at once, and at most.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Need {
    now: u64,
    at_most: u64,
}

fn need(used: Used, blueprint: &Blueprint, plan: &Plan) -> Option<Need> {
    let created =
        plan.changes.iter().filter(|change| change.action == Action::Create && used.kinds().contains(&change.kind));
    let created = u64::try_from(created.count()).unwrap_or(u64::MAX);
    if created == 0 {
        return None;
    }
    let of = |now: u16, at_most: u16| Need { now: now.into(), at_most: at_most.into() };
    Some(match used {
        Used::Vcpus => blueprint.servers.as_ref().map(|servers| of(servers.min, servers.max))?,
        Used::CacheNodes => blueprint.cache.as_ref().map(|cache| {
            let nodes = u16::from(cache.replicas) + 1;
            of(nodes, nodes)
        })?,
        _ => Need { now: created, at_most: created },
    })
}

/// The quota, what is used of it, and how much one of what is made takes. `None`: it does not apply.
async fn ask(cx: &Cx, quota: &Quota, blueprint: &Blueprint) -> Result<Option<(u64, u64, u64)>, CallError> {
    let each = match (quota.used, &blueprint.servers) {
        (Used::Vcpus, Some(servers)) => match usage::vcpus_of(cx, &servers.instance_type).await? {
            Some(each) => each,
            None => return Ok(None),
        },
        _ => 1,
    };
    let (limit, used) = futures::try_join!(limit(cx, quota), usage::of(cx, quota.used))?;
    Ok(limit.map(|limit| (limit, used, each)))
}

async fn limit(cx: &Cx, quota: &Quota) -> Result<Option<u64>, CallError> {
    let client = if quota.used.is_global() { &cx.aws.quotas_global } else { &cx.aws.quotas };
    let answer = client.get_service_quota().service_code(quota.service).quota_code(quota.code).send().await;
    let value = match answer.map_err(CallError::from) {
        Ok(answer) => answer.quota.and_then(|quota| quota.value),
        // The account never had it changed, in a service that keeps no applied value then.
        Err(error) if error.is(&["NoSuchResourceException"]) => {
            let call = client.get_aws_default_service_quota().service_code(quota.service).quota_code(quota.code);
            call.send().await.map_err(CallError::from)?.quota.and_then(|quota| quota.value)
        }
        Err(error) => return Err(error),
    };
    // Quotas are whole numbers of things, sent as doubles.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok(value.map(|value| value.max(0.0) as u64))
}

fn judge(quota: &Quota, need: Need, limit: u64, used: u64, each: u64, checked: &mut Checked) {
    let left = limit.saturating_sub(used);
    let ask = format!(
        "ask for more with `aws service-quotas request-service-quota-increase --service-code {} --quota-code {} \
         --desired-value N`",
        quota.service, quota.code
    );
    let state = format!("the quota \"{}\" is {limit} and {used} are in use", quota.name);
    if need.now * each > left {
        checked.findings.push(format!("{state}, and the plan needs {}: {ask}, or free some", need.now * each));
    } else if need.at_most * each > left {
        checked.warnings.push(format!("{state}: scaling out to {} needs {}; {ask}", need.at_most, need.at_most * each));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(need: Need, limit: u64, used: u64, each: u64) -> (usize, usize) {
        let mut checked = Checked::default();
        judge(&QUOTAS[0], need, limit, used, each, &mut checked);
        (checked.findings.len(), checked.warnings.len())
    }

    #[test]
    fn what_is_needed_at_once_is_a_finding_and_what_may_be_needed_a_warning() {
        let need = |now, at_most| Need { now, at_most };
        assert_eq!(judged(need(1, 1), 5, 4, 1), (0, 0));
        assert_eq!(judged(need(1, 1), 5, 5, 1), (1, 0));
        assert_eq!(judged(need(2, 10), 16, 4, 2), (0, 1));
        assert_eq!(judged(need(2, 6), 16, 4, 2), (0, 0));
        // More in use than the quota: it was lowered.
        assert_eq!(judged(need(1, 1), 5, 9, 1), (1, 0));
    }
}
