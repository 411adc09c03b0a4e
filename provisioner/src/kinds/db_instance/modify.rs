//! Changes of a live DB instance, in one `ModifyDBInstance` call.

use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder;
use aws_sdk_rds::types::CloudwatchLogsExportConfiguration;

use super::common::version;
use super::{Common, Spec};
use crate::blueprint::Apply;
use crate::kinds::upgrade::with_waiting;
use crate::kinds::{Change, Cx, Error, Result};

/// Fields that wait for the maintenance window where nothing is asked for at once. The others never wait.
pub const CAN_WAIT: &[&str] = &[
    "engine_version",
    "instance_class",
    "storage_gb",
    "storage_type",
    "multi_az",
    "certificate_authority",
    "backup_days",
];

/// Makes the change. One that is made at once takes along all that waits, so nothing is where the rest shall wait.
pub async fn modify(cx: &Cx, change: &Change<'_, Spec>) -> Result<()> {
    let (live, want) = (&change.live.spec, change.want);
    refuse_storage(change.fields, &live.common, &want.common)?;
    let now = want.common.apply == Apply::Now;
    let fields = with_waiting(change.fields, &live.common.waiting, want.common.apply);
    let call = cx.aws.rds.modify_db_instance().db_instance_identifier(&change.live.id).apply_immediately(now);
    let mut call = common_changes(call, &fields, &live.common, &want.common);
    for field in &fields {
        call = match *field {
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
    fields: &[&str],
    live: &Common,
    want: &Common,
) -> ModifyDBInstanceFluentBuilder {
    let is_major = version::major(&live.engine_version) != version::major(&want.engine_version);
    for field in fields {
        call = match *field {
            // The parameter group is of the major version's family, so both go together.
            "engine_version" if is_major => call
                .engine_version(&want.engine_version)
                .allow_major_version_upgrade(true)
                .db_parameter_group_name(want.parameter_group.get()),
            "engine_version" => call.engine_version(&want.engine_version),
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
