//! What the caller may do, beside what the stack needs: asked of IAM's policy simulator, statement by statement.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use futures::stream::{FuturesUnordered, StreamExt};

use crate::aws::error::{CallError, GoneOk};
use crate::aws::policy::{Question, Scope, questions};
use crate::blueprint::Blueprint;
use crate::kinds::Cx;

/// What the check came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// What the caller may not do, if anything.
    pub finding: Option<String>,
    /// Why not all could be checked, if so.
    pub warning: Option<String>,
}

/// Asks for every statement of the policy that the blueprint needs.
pub async fn check(cx: &Cx, blueprint: &Blueprint) -> Checked {
    let principal = match principal(cx).await {
        Ok(Some(principal)) => principal,
        // The root user may do everything; what a federated one may, the simulator cannot say.
        Ok(None) => return Checked::default(),
        Err(error) => return not_checked(&error),
    };
    let scope = Scope {
        stack: Some(cx.stack.name.clone()),
        region: Some(cx.stack.home.clone()),
        account: Some(cx.stack.account.clone()),
        vpc: blueprint.network.as_ref().and_then(|network| network.vpc.clone()),
        zones: blueprint.domain.iter().map(|domain| domain.zone.clone()).collect(),
    };
    let mut asked: FuturesUnordered<_> = questions(&scope)
        .into_iter()
        .filter(|question| is_needed(question.sid, blueprint))
        .map(|question| denied(cx, &principal, question))
        .collect();
    let (mut denied, mut failed) = (Vec::new(), None);
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(actions) => denied.extend(actions),
            Err(error) => failed = Some(error),
        }
    }
    denied.sort();
    denied.dedup();
    let finding = (!denied.is_empty()).then(|| {
        format!(
            "{principal} may not: {}. Grant it what `provision policy` prints for this blueprint, or pass \
             --skip-preflight where the simulator is known to be wrong",
            denied.join(", ")
        )
    });
    Checked { finding, warning: failed.and_then(|error| not_checked(&error).warning) }
}

fn not_checked(error: &CallError) -> Checked {
    // An endpoint without the simulator is no AWS: it asks for no permissions.
    let warning = error.lacking().is_none().then(|| format!("the permissions were not all checked: {error}"));
    Checked { finding: None, warning }
}

/// The IAM user or role behind the credentials; `None` for others.
async fn principal(cx: &Cx) -> Result<Option<String>, CallError> {
    let resource = cx.caller.splitn(6, ':').nth(5).unwrap_or_default();
    let (partition, account) = (cx.stack.partition(), &cx.stack.account);
    Ok(match resource.split('/').collect::<Vec<_>>()[..] {
        ["user", ..] => Some(format!("arn:{partition}:iam::{account}:{resource}")),
        ["assumed-role", role, ..] => {
            // The session's ARN lacks the role's path.
            let found = cx.aws.iam.get_role().role_name(role).send().await.gone_ok()?;
            let found = found.and_then(|answer| Some(answer.role?.arn));
            Some(found.unwrap_or_else(|| format!("arn:{partition}:iam::{account}:role/{role}")))
        }
        _ => None,
    })
}

/// Whether the blueprint leads to what the statement is about. Lists are asked for of every service.
fn is_needed(sid: &str, blueprint: &Blueprint) -> bool {
    match sid {
        "Databases" => blueprint.database.is_some(),
        "Caches" => blueprint.cache.is_some(),
        "Tables" => blueprint.log.is_some() || blueprint.servers.is_some(),
        "NetworkMake" | "NetworkChange" => blueprint.network.is_some(),
        "Launch" | "Image" | "Groups" | "Balancers" | "Roles" | "SessionManager" | "HandOn" => {
            blueprint.servers.is_some()
        }
        // Asked for once an account, if at all.
        "ServiceRoles" => false,
        "Alarms" | "Topics" => blueprint.alarms.is_some(),
        "Untagged" | "EdgeMake" | "EdgeChange" | "EdgeLook" => blueprint.assets.is_some() || blueprint.domain.is_some(),
        "Records" | "Zones" => blueprint.domain.is_some(),
        _ => true,
    }
}

/// The actions of a question that no resource of it is open for.
async fn denied(cx: &Cx, principal: &str, question: Question) -> Result<Vec<String>, CallError> {
    let context = question.context.into_iter().map(|(key, values)| {
        let one = values.len() == 1;
        let of = if one { ContextKeyTypeEnum::String } else { ContextKeyTypeEnum::StringList };
        ContextEntry::builder().context_key_name(key).context_key_type(of).set_context_key_values(Some(values)).build()
    });
    let resources = (!question.resources.is_empty()).then_some(question.resources);
    let call = cx.aws.iam.simulate_principal_policy().policy_source_arn(principal).set_resource_arns(resources);
    let call = call.set_action_names(Some(question.actions)).set_context_entries(Some(context.collect()));
    let results = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
    Ok(results.iter().filter(|result| !is_allowed(result)).map(|result| result.eval_action_name().to_owned()).collect())
}

fn is_allowed(result: &EvaluationResult) -> bool {
    let allowed = PolicyEvaluationDecisionType::Allowed;
    result.eval_decision() == &allowed
        || result.resource_specific_results().iter().any(|of| of.eval_resource_decision() == &allowed)
}
