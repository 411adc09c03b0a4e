//! Changes of a live DB instance, in one `ModifyDBInstance` call.

use std::time::Duration;

use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder;
use aws_sdk_rds::types::CloudwatchLogsExportConfiguration;

use super::{Common, Spec, describe};
use crate::kinds::settle::settle;
use crate::kinds::{Change, Cx, Error, Result, State};

/// An upgrade of a replica to another major version takes that long at the most.
const UPGRADE_LIMIT: Duration = Duration::from_secs(3600);

/// Makes the change.
pub async fn modify(cx: &Cx, change: &Change<'_, Spec>) -> Result<()> {
    let (live, want) = (&change.live.spec, change.want);
    refuse_storage(change.fields, &live.common, &want.common)?;
    if change.fields.iter().any(|field| field == "engine_major") {
        upgrade_replicas(cx, &change.live.id, &want.common).await?;
    }
    let call = cx.aws.rds.modify_db_instance().db_instance_identifier(&change.live.id).apply_immediately(true);
    let mut call = common_changes(call, change.fields, &live.common, &want.common);
    for field in change.fields {
        call = match field.as_str() {
            "backup_days" => call.backup_retention_period(want.backup_days),
            "backup_window" => call.preferred_backup_window(&want.backup_window),
            "maintenance_window" => call.preferred_maintenance_window(&want.maintenance_window),
            _ => call,
        };
    }
    call.send().await?;
    Ok(())
}

/// Puts the fields that instances and replicas share into the call.
pub fn common_changes(
    mut call: ModifyDBInstanceFluentBuilder,
    fields: &[String],
    live: &Common,
    want: &Common,
) -> ModifyDBInstanceFluentBuilder {
    for field in fields {
        call = match field.as_str() {
            // The parameter group is of the version's family, so both go together.
            "engine_major" => call
                .engine_version(&want.engine_version)
                .allow_major_version_upgrade(true)
                .db_parameter_group_name(want.parameter_group.get()),
            "minor_upgrades" => call.auto_minor_version_upgrade(want.minor_upgrades),
            "instance_class" => call.db_instance_class(&want.instance_class),
            "storage_gb" => call.allocated_storage(want.storage_gb),
            "storage_type" => call.storage_type(&want.storage_type),
            "multi_az" => call.multi_az(want.multi_az),
            "deletion_protection" => call.deletion_protection(want.deletion_protection),
            "tagged_snapshots" => call.copy_tags_to_snapshot(want.tagged_snapshots),
            "public" => call.publicly_accessible(want.public),
            "certificate_authority" => call.ca_certificate_identifier(&want.certificate_authority),
            "log_exports" => call.cloudwatch_logs_export_configuration(log_exports(live, want)),
            "parameter_group" => call.db_parameter_group_name(want.parameter_group.get()),
            "security_groups" => call.set_vpc_security_group_ids(Some(want.group_ids())),
            _ => call,
        };
    }
    call
}

fn log_exports(live: &Common, want: &Common) -> CloudwatchLogsExportConfiguration {
    let without = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|log| !those.contains(log)).cloned().collect()
    };
    CloudwatchLogsExportConfiguration::builder()
        .set_enable_log_types(Some(without(&want.log_exports, &live.log_exports)))
        .set_disable_log_types(Some(without(&live.log_exports, &want.log_exports)))
        .build()
}

/// Storage never shrinks, and RDS rounds growth by less than a tenth up to a tenth, which would differ for ever.
pub fn refuse_storage(fields: &[String], live: &Common, want: &Common) -> Result<()> {
    if !fields.iter().any(|field| field == "storage_gb") {
        return Ok(());
    }
    if want.storage_gb < live.storage_gb {
        return Err(Error::Refused {
            what: format!("storage of {} is {} GiB and RDS cannot shrink it", live.name, live.storage_gb),
            help: format!("set [database] storage_gb to {} or more", live.storage_gb),
        });
    }
    let least = live.storage_gb + (live.storage_gb + 9) / 10;
    if want.storage_gb < least {
        return Err(Error::Refused {
            what: format!("storage of {} is {} GiB and RDS grows it by a tenth at least", live.name, live.storage_gb),
            help: format!("set [database] storage_gb to {least} or more"),
        });
    }
    Ok(())
}

/// RDS upgrades a source only after its replicas.
async fn upgrade_replicas(cx: &Cx, id: &str, want: &Common) -> Result<()> {
    let replicas = describe(cx, id).await?.and_then(|db| db.read_replica_db_instance_identifiers).unwrap_or_default();
    let behind = |version: Option<&str>| {
        version.is_some_and(|version| !format!("{version}.").starts_with(&format!("{}.", want.engine_major)))
    };
    for replica in &replicas {
        let found = describe(cx, replica).await?;
        if found.is_some_and(|db| behind(db.engine_version())) {
            cx.aws
                .rds
                .modify_db_instance()
                .db_instance_identifier(replica)
                .engine_version(&want.engine_version)
                .allow_major_version_upgrade(true)
                .db_parameter_group_name(want.parameter_group.get())
                .apply_immediately(true)
                .send()
                .await?;
        }
    }
    for replica in &replicas {
        settle(replica, UPGRADE_LIMIT, || async {
            Ok(match describe(cx, replica).await? {
                Some(db) if behind(db.engine_version()) => Some("upgrading".to_owned()),
                Some(db) => match super::state(&db) {
                    State::Pending(state) => Some(state),
                    _ => None,
                },
                None => None,
            })
        })
        .await?;
    }
    Ok(())
}

/// Lifts deletion protection.
pub async fn unprotect(cx: &Cx, id: &str) -> Result<()> {
    use crate::aws::error::GoneOk;
    let call = cx.aws.rds.modify_db_instance().db_instance_identifier(id).deletion_protection(false);
    call.apply_immediately(true).send().await.gone_ok()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::db_instance::read::common;

    fn sized(storage_gb: i32) -> Common {
        let db = aws_sdk_rds::types::DbInstance::builder().db_instance_identifier("game").build();
        Common { storage_gb, ..common(&db) }
    }

    #[test]
    fn storage_never_shrinks_and_grows_by_a_tenth() {
        let fields = ["storage_gb".to_owned()];
        let refused = |from, to| refuse_storage(&fields, &sized(from), &sized(to)).err().map(|e| e.to_string());
        assert_eq!(
            refused(100, 50).as_deref(),
            Some("storage of game is 100 GiB and RDS cannot shrink it; set [database] storage_gb to 100 or more")
        );
        assert!(refused(100, 109).is_some_and(|text| text.contains("110 or more")));
        assert_eq!(refused(100, 110), None);
        assert!(refuse_storage(&[], &sized(100), &sized(50)).is_ok());
    }
}
