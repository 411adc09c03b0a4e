//! Changes of a live replication group. Each begins when the last one has settled: AWS takes one at a time.

use std::time::Duration;

use super::read::{describe, state};
use super::{Op, Spec};
use crate::blueprint::Apply;
use crate::kinds::settle::settle;
use crate::kinds::{Change, Cx, Result, State};

const SETTLES_WITHIN: Duration = Duration::from_secs(40 * 60);

pub(super) async fn update(cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
    let (id, want) = (change.live.id.as_str(), change.want);
    settled(cx, id).await?;
    // What is made at once takes along all that waits.
    let now = want.apply == Apply::Now;
    let modify = || cx.aws.elasticache.modify_replication_group().replication_group_id(id).apply_immediately(now);
    match op {
        Op::Engine => {
            let engine = changed(change, "engine").then(|| want.engine.clone());
            let version = (engine.is_some() || changed(change, "engine_version")).then(|| want.engine_version.clone());
            let group = want.parameter_group.get();
            let call = modify().set_engine(engine).set_engine_version(version);
            call.cache_parameter_group_name(group).send().await?;
            Ok(())
        }
        Op::Waiting => {
            let waits = |field: &str| change.live.spec.waiting.iter().any(|name| name == field);
            let version = waits("engine_version").then(|| want.engine_version.clone());
            let node_type = waits("node_type").then(|| want.node_type.clone());
            modify().set_engine_version(version).set_cache_node_type(node_type).send().await?;
            Ok(())
        }
        Op::NodeType => {
            modify().cache_node_type(&want.node_type).send().await?;
            Ok(())
        }
        Op::SecurityGroups => {
            let groups = want.security_groups.iter().map(|group| group.get().to_owned()).collect();
            modify().set_security_group_ids(Some(groups)).send().await?;
            Ok(())
        }
        Op::Replicas => replicas(cx, id, change).await,
    }
}

/// Failover needs a replica: it is switched off before the last one goes, and on after the first one has come.
async fn replicas(cx: &Cx, id: &str, change: &Change<'_, Spec>) -> Result<()> {
    let want = change.want;
    let flags = changed(change, "automatic_failover") || changed(change, "multi_az");
    if flags && !want.automatic_failover {
        failover(cx, id, want).await?;
        settled(cx, id).await?;
    }
    let count = i32::from(want.replicas);
    if want.replicas > change.live.spec.replicas {
        let call = cx.aws.elasticache.increase_replica_count().replication_group_id(id);
        call.new_replica_count(count).apply_immediately(true).send().await?;
    } else if want.replicas < change.live.spec.replicas {
        let call = cx.aws.elasticache.decrease_replica_count().replication_group_id(id);
        call.new_replica_count(count).apply_immediately(true).send().await?;
    }
    if flags && want.automatic_failover {
        settled(cx, id).await?;
        failover(cx, id, want).await?;
    }
    Ok(())
}

async fn failover(cx: &Cx, id: &str, want: &Spec) -> Result<()> {
    cx.aws
        .elasticache
        .modify_replication_group()
        .replication_group_id(id)
        .apply_immediately(true)
        .automatic_failover_enabled(want.automatic_failover)
        .multi_az_enabled(want.multi_az)
        .send()
        .await?;
    Ok(())
}

fn changed(change: &Change<'_, Spec>, field: &str) -> bool {
    change.fields.iter().any(|name| name == field)
}

async fn settled(cx: &Cx, id: &str) -> Result<()> {
    settle(id, SETTLES_WITHIN, || async {
        Ok(describe(cx, id).await?.and_then(|group| match state(&group) {
            State::Pending(state) => Some(state),
            _ => None,
        }))
    })
    .await
}
