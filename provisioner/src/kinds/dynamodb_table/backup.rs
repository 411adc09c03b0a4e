//! The last backup: what is left of a table.

use aws_sdk_dynamodb::types::{BackupStatus, BackupSummary};

use super::{SETTLES_WITHIN, describe, settle};
use crate::aws::error::GoneOk;
use crate::kinds::context::Kept;
use crate::kinds::{Cx, Result};

/// Takes the last backup, once a run: its name is the run's, so that one whose answer was lost is found. Backups carry no
/// tags; the name says whose it is. Those of this table that earlier runs took before they ended early are told too.
pub(super) async fn take(cx: &Cx, name: &str) -> Result<()> {
    let what = format!("backup of table {name}");
    let taken = |kept: &Kept| kept.what.starts_with(&what);
    if cx.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().any(taken) {
        return Ok(());
    }
    let backup_name = format!("{name}-{}", cx.begun.strftime("%Y%m%d-%H%M%S"));
    let keep = |backup_name: &str, arn: &str| {
        cx.keep(
            format!("{what}: {backup_name}"),
            format!("aws dynamodb delete-backup --region {} --backup-arn {arn}", cx.stack.home),
        );
    };
    let (ours, earlier): (Vec<_>, Vec<_>) = backups(cx, name).await?.into_iter().partition(|(n, _)| *n == backup_name);
    let arn = match ours.into_iter().next() {
        Some((_, arn)) => arn,
        None => {
            let call = cx.aws.dynamodb.create_backup().table_name(name).backup_name(&backup_name);
            let Some(answer) = call.send().await.gone_ok()? else { return Ok(()) };
            let Some(details) = answer.backup_details else { return Ok(()) };
            details.backup_arn
        }
    };
    settle(&backup_name, SETTLES_WITHIN, || async {
        let answer = cx.aws.dynamodb.describe_backup().backup_arn(&arn).send().await?;
        let details = answer.backup_description.and_then(|description| description.backup_details);
        let status = details.map_or(BackupStatus::Creating, |details| details.backup_status);
        Ok((status != BackupStatus::Available).then(|| status.as_str().to_lowercase()))
    })
    .await?;
    keep(&backup_name, &arn);
    earlier.iter().for_each(|(name, arn)| keep(name, arn));
    Ok(())
}

/// Names and ARNs of the backups of the table that there is now, not of one that had its name before.
async fn backups(cx: &Cx, name: &str) -> Result<Vec<(String, String)>> {
    let Some(table) = describe(cx, name).await? else { return Ok(Vec::new()) };
    let ours = |backup: &BackupSummary| {
        backup.table_id() == table.table_id() && backup.backup_name().is_some_and(|n| n.starts_with(&format!("{name}-")))
    };
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let call = cx.aws.dynamodb.list_backups().table_name(name).set_exclusive_start_backup_arn(from);
        let answer = call.send().await?;
        let page = answer.backup_summaries().iter().filter(|backup| ours(backup));
        found.extend(page.filter_map(|backup| Some((backup.backup_name.clone()?, backup.backup_arn.clone()?))));
        from = answer.last_evaluated_backup_arn;
        if from.is_none() {
            return Ok(found);
        }
    }
}
