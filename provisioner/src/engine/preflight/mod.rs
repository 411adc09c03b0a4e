//! What would fail an hour in is found before the first mutation, all of it at once.

mod offers;
mod permissions;
mod quotas;
mod standing;
mod upgrades;
mod usage;

use std::collections::BTreeSet;

use super::desired::Desired;
use super::observed::Inventory;
use super::plan::{Action, Plan};
use super::up::UpError;
use crate::blueprint::Blueprint;
use crate::kinds::{Cx, Place};

/// Adds to `plan` what stands against applying it. A check that cannot be made is a warning, no error.
pub async fn check(
    cx: &Cx,
    blueprint: &Blueprint,
    place: &Place,
    inventory: &Inventory,
    plan: &mut Plan,
) -> Result<(), UpError> {
    if blueprint.servers.is_some() && blueprint.domain.is_none() {
        plan.warnings.push("without [domain] there is no certificate: the players' tokens travel in clear".into());
    }
    plan.findings.extend(standing::lost_secrets(plan));
    if !cx.options.allow_data_loss {
        plan.findings.extend(standing::guards(cx, inventory, plan).await?);
    }
    if cx.options.skip_preflight {
        return Ok(());
    }
    if plan.findings.is_empty() {
        match upgrades::impossible(cx, blueprint, plan).await {
            Ok(findings) => plan.findings.extend(findings),
            Err(error) => plan.warnings.push(format!("whether upgrades are possible was not checked: {error}")),
        }
    }
    // What is there was made by somebody who could.
    if !plan.changes.iter().any(|change| change.action == Action::Create) {
        return Ok(());
    }
    let (quotas, offers, permissions) = futures::join!(
        quotas::check(cx, blueprint, plan),
        offers::lacking(cx, blueprint, place.zone_id.as_deref(), plan),
        permissions::check(cx, blueprint)
    );
    plan.findings.extend(permissions.finding);
    plan.warnings.extend(permissions.warning);
    plan.findings.extend(quotas.findings);
    plan.warnings.extend(quotas.warnings);
    match offers {
        Ok(findings) => plan.findings.extend(findings),
        Err(error) => plan.warnings.push(format!("what the region offers was not checked: {error}")),
    }
    Ok(())
}

/// The error where the endpoint lacks a service that the blueprint needs: before anything is made.
pub fn lacking(desired: &Desired, inventory: &Inventory) -> Option<UpError> {
    let services: BTreeSet<&str> =
        desired.nodes.values().filter_map(|node| inventory.absent.get(node.kind)).map(String::as_str).collect();
    let sections: BTreeSet<&str> = services.iter().map(|service| section_of(service)).collect();
    (!services.is_empty()).then(|| UpError::Lacking { services: joined(&services), sections: joined(&sections) })
}

fn joined(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The section of the blueprint that cannot do without a service.
fn section_of(service: &str) -> &'static str {
    match service {
        "rds" => "[database]",
        "elasticache" => "[cache]",
        "dynamodb" => "[log]",
        "autoscaling" | "elasticloadbalancingv2" => "[servers]",
        "cloudfront" => "[assets]",
        "route53" | "acm" => "[domain]",
        "cloudwatch" | "sns" => "[alarms]",
        _ => "[network] and [stack]",
    }
}
