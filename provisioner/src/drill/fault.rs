//! The call that breaks something, and how AWS shows that it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_autoscaling::types::LifecycleState;
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum::Healthy;
use tokio::time::Instant;

use super::DrillError;
use super::load::Load;
use super::target::{Fault, Target};
use crate::aws::error::CallError;
use crate::engine::events::Event;
use crate::engine::session::Session;
use crate::kinds::Cx;

/// What AWS takes for any of these, at most.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// What AWS usually takes: the time between two looks follows from it.
const EXPECTED: Duration = Duration::from_secs(60);
/// A status follows the call only after a while. One that has not moved by then is not going to.
const SHOWS_WITHIN: Duration = Duration::from_secs(120);

/// What was there before the fault, to see what has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    /// The database's zone.
    Database(String),
    /// The cache's primary.
    Cache(String),
    /// The lost instances, and how many served.
    Instances(BTreeSet<String>, usize),
}

fn failed<E: Into<CallError>>(what: &'static str) -> impl FnOnce(E) -> DrillError {
    move |source| DrillError::Call { what, source: source.into() }
}

/// Makes the fault.
pub(super) async fn make(cx: &Cx, target: &Target) -> Result<Made, DrillError> {
    let resource = &target.resource;
    match target.fault {
        Fault::DatabaseFailover => {
            let (_, zone) = database(cx, resource).await?;
            let reboot = cx.aws.rds.reboot_db_instance().db_instance_identifier(resource);
            let reboot = reboot.force_failover(target.redundant).send().await;
            reboot.map_err(failed("cannot reboot the database"))?;
            Ok(Made::Database(zone))
        }
        Fault::CacheFailover => {
            let seen = cache(cx, resource).await?;
            let test = cx.aws.elasticache.test_failover().replication_group_id(resource).node_group_id(seen.shard);
            test.send().await.map_err(failed("cannot fail the cache over"))?;
            Ok(Made::Cache(seen.primary))
        }
        Fault::InstanceLoss => {
            let serving = in_service(cx, resource).await?;
            let lost: BTreeSet<String> = serving.iter().take(target.instances).cloned().collect();
            let terminate = cx.aws.ec2.terminate_instances().set_instance_ids(Some(lost.iter().cloned().collect()));
            terminate.send().await.map_err(failed("cannot terminate instances"))?;
            Ok(Made::Instances(lost, serving.len()))
        }
    }
}

/// One look: how it went, once it is over; until then the state that AWS names.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Over(String),
    Pending(String),
    /// As if nothing had happened.
    Untouched,
}

/// Waits until AWS says that it is over, and answers how it went. `None`: the run is to stop, or AWS did not say so in
/// time.
pub(super) async fn await_end(
    session: &Session,
    cx: &Cx,
    target: &Target,
    made: Made,
    load: &Load,
) -> Result<Option<String>, DrillError> {
    let since = Instant::now();
    let limit = session.pace.deadline(LIMIT);
    let shows_within = session.pace.here(SHOWS_WITHIN).max(Duration::from_secs(20));
    let mut moved = false;
    let mut last = String::new();
    while since.elapsed() < limit {
        match look(cx, target, &made, moved).await? {
            Look::Over(outcome) => return Ok(Some(outcome)),
            Look::Pending(state) => {
                moved = true;
                if state != last {
                    let text = format!("  {:>5.0} s  {}: {state}", load.elapsed(), target.resource);
                    (session.listener)(Event::Note { text });
                    last = state;
                }
            }
            Look::Untouched if since.elapsed() > shows_within => {
                return Ok(Some("AWS never showed that anything had happened".to_owned()));
            }
            Look::Untouched => {}
        }
        if !load.play_for(session, session.pace.interval(EXPECTED)).await {
            return Ok(None);
        }
    }
    let text = format!("AWS did not say within {} s that it is over", limit.as_secs());
    (session.listener)(Event::Note { text });
    Ok(None)
}

async fn look(cx: &Cx, target: &Target, made: &Made, moved: bool) -> Result<Look, DrillError> {
    Ok(match made {
        Made::Database(before) => {
            let (status, zone) = database(cx, &target.resource).await?;
            at_rest(&status, &zone, before, moved)
        }
        Made::Cache(before) => {
            let seen = cache(cx, &target.resource).await?;
            at_rest(&seen.status, &seen.primary, before, moved)
        }
        Made::Instances(lost, serving) => instances(cx, &target.resource, lost, *serving).await?,
    })
}

/// What a status and a place (zone, primary) mean, in comparison to the place before.
fn at_rest(status: &str, place: &str, before: &str, moved: bool) -> Look {
    match (status, place == before) {
        ("available", false) => Look::Over(format!("{before} -> {place}")),
        ("available", true) if moved => Look::Over(format!("{before} as before")),
        ("available", true) => Look::Untouched,
        (other, _) => Look::Pending(other.to_owned()),
    }
}

/// Status and zone.
async fn database(cx: &Cx, id: &str) -> Result<(String, String), DrillError> {
    let answer = cx.aws.rds.describe_db_instances().db_instance_identifier(id).send().await;
    let answer = answer.map_err(failed("cannot look at the database"))?;
    let Some(db) = answer.db_instances().first() else { return Ok(("gone".into(), String::new())) };
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Ok((text(db.db_instance_status()), text(db.availability_zone())))
}

struct CacheSeen {
    status: String,
    shard: String,
    primary: String,
}

async fn cache(cx: &Cx, id: &str) -> Result<CacheSeen, DrillError> {
    let answer = cx.aws.elasticache.describe_replication_groups().replication_group_id(id).send().await;
    let answer = answer.map_err(failed("cannot look at the cache"))?;
    let group = answer.replication_groups().first();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let shard = group.and_then(|group| group.node_groups().first());
    let primary = shard
        .and_then(|shard| shard.node_group_members().iter().find(|member| member.current_role() == Some("primary")));
    Ok(CacheSeen {
        status: text(group.and_then(|group| group.status())),
        shard: text(shard.and_then(|shard| shard.node_group_id())),
        primary: text(primary.and_then(|member| member.cache_cluster_id())),
    })
}

/// Ids of the group's instances that are in service, in their order.
pub(super) async fn in_service(cx: &Cx, group: &str) -> Result<Vec<String>, DrillError> {
    let (_, _, serving) = group_of(cx, group).await?;
    Ok(serving)
}

/// The target group, all instances, and those in service.
async fn group_of(cx: &Cx, name: &str) -> Result<(Option<String>, Vec<String>, Vec<String>), DrillError> {
    let answer = cx.aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(name).send().await;
    let answer = answer.map_err(failed("cannot look at the group of servers"))?;
    let Some(group) = answer.auto_scaling_groups().first() else { return Ok((None, Vec::new(), Vec::new())) };
    let ids = |serving: bool| {
        let counts = |i: &&aws_sdk_autoscaling::types::Instance| {
            !serving || i.lifecycle_state() == Some(&LifecycleState::InService)
        };
        let mut ids: Vec<String> =
            group.instances().iter().filter(counts).filter_map(|i| i.instance_id()).map(str::to_owned).collect();
        ids.sort();
        ids
    };
    Ok((group.target_group_arns().first().cloned(), ids(false), ids(true)))
}

/// Over when the lost ones have left the group and as many as before serve, for the load balancer too.
async fn instances(cx: &Cx, name: &str, lost: &BTreeSet<String>, before: usize) -> Result<Look, DrillError> {
    let (targets, all, serving) = group_of(cx, name).await?;
    let leaving = all.iter().filter(|id| lost.contains(*id)).count();
    let mut healthy: Vec<&String> = serving.iter().filter(|id| !lost.contains(*id)).collect();
    if let Some(arn) = targets {
        let answer = cx.aws.elbv2.describe_target_health().target_group_arn(arn).send().await;
        let answer = answer.map_err(failed("cannot look at the load balancer's targets"))?;
        let well: BTreeSet<&str> = answer
            .target_health_descriptions()
            .iter()
            .filter(|target| target.target_health().and_then(|health| health.state()) == Some(&Healthy))
            .filter_map(|target| target.target()?.id())
            .collect();
        healthy.retain(|id| well.contains(id.as_str()));
    }
    if leaving == 0 && healthy.len() >= before {
        let gone = lost.iter().cloned().collect::<Vec<_>>().join(", ");
        return Ok(Look::Over(format!("{gone} gone, {} instances serve", healthy.len())));
    }
    Ok(Look::Pending(format!("{leaving} leaving, {} of {before} serving", healthy.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_when_it_rests_elsewhere_or_has_moved_and_rests_again() {
        assert_eq!(at_rest("available", "a", "a", false), Look::Untouched);
        assert_eq!(at_rest("rebooting", "a", "a", false), Look::Pending("rebooting".into()));
        assert_eq!(at_rest("rebooting", "b", "a", true), Look::Pending("rebooting".into()));
        assert_eq!(at_rest("available", "b", "a", false), Look::Over("a -> b".into()));
        assert_eq!(at_rest("available", "a", "a", true), Look::Over("a as before".into()));
    }
}
