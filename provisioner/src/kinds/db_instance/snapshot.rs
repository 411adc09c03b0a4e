//! The final snapshot: the last thing that is left of a database.

use aws_sdk_rds::types::DbSnapshot;

use super::{Spec, delete};
use crate::aws::error::CallError;
use crate::aws::stack::{TAG_KEPT, TAG_NODE};
use crate::aws::tags::pairs;
use crate::kinds::{Cx, Error, Live, Result, State};

/// Starts to delete the instance, with a final snapshot unless its data may go.
pub async fn delete_with_snapshot(cx: &Cx, live: &Live<Spec>) -> Result<()> {
    let call = cx.aws.rds.delete_db_instance();
    if cx.options.allow_data_loss {
        return delete(cx, &live.id, call.skip_final_snapshot(true).delete_automated_backups(true)).await;
    }
    if matches!(live.state, State::Failed(_)) {
        // RDS makes no snapshot of one that failed.
        return Err(Error::Refused {
            what: format!("{} has failed, so RDS makes no final snapshot of it", live.id),
            help: "restore it from its backups by hand, or pass --allow-data-loss".into(),
        });
    }
    let name = name(&live.id, cx.now());
    delete(cx, &live.id, call.final_db_snapshot_identifier(name).delete_automated_backups(true)).await
}

/// A name must be new: a stack may be made and taken down more than once.
fn name(instance: &str, now: jiff::Timestamp) -> String {
    format!("{instance}-final-{}", now.strftime("%Y%m%d%H%M%S"))
}

/// Ids and ARNs of the snapshots that carry the stack's tags and are not marked as kept.
async fn unmarked(cx: &Cx) -> Result<Vec<DbSnapshot>> {
    let call = cx.aws.rds.describe_db_snapshots().snapshot_type("manual");
    let listed = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.map_err(CallError::from);
    let mut snapshots = match listed {
        Err(error) if error.lacking().is_some() && cx.aws.endpoint_url.is_some() => Vec::new(),
        listed => listed?,
    };
    snapshots.retain(|snapshot| {
        let tags = pairs(snapshot.tag_list());
        cx.stack.node_of(tags.iter().copied()).is_some() && tags.iter().all(|(key, _)| *key != TAG_KEPT)
    });
    Ok(snapshots)
}

/// What the sweep finds: snapshots that nobody meant to keep.
pub async fn left(cx: &Cx) -> Result<Vec<String>> {
    Ok(unmarked(cx).await?.into_iter().filter_map(|snapshot| snapshot.db_snapshot_identifier).collect())
}

/// Marks the stack's final snapshots as kept on purpose. They have the instance's tags, which would make them look left
/// over. A run that was killed before it came to this is made up for by the next.
pub async fn keep(cx: &Cx) -> Result<()> {
    let is_final = |id: &str| id.contains("-final-");
    for snapshot in unmarked(cx).await? {
        if !snapshot.db_snapshot_identifier().is_some_and(is_final) {
            continue;
        }
        let arn = snapshot.db_snapshot_arn().unwrap_or_default();
        let kept = aws_sdk_rds::types::Tag::builder().key(TAG_KEPT).value(&cx.stack.name).build();
        cx.aws.rds.add_tags_to_resource().resource_name(arn).tags(kept).send().await?;
        cx.aws.rds.remove_tags_from_resource().resource_name(arn).tag_keys(TAG_NODE).send().await?;
        let id = snapshot.db_snapshot_identifier().unwrap_or_default();
        cx.keep(
            format!("final snapshot {id} of the players' database"),
            format!("aws rds delete-db-snapshot --region {} --db-snapshot-identifier {id}", cx.stack.home),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_named_after_instance_and_second() {
        let now = jiff::Timestamp::from_second(1_700_000_000).expect("a time");
        assert_eq!(name("game-dev-database", now), "game-dev-database-final-20231114221320");
    }
}
