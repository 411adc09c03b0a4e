//! Making a DB instance.

use secrecy::ExposeSecret;

use super::{ENGINE, Spec, describe};
use crate::aws::tags::pairs;
use crate::kinds::{Cx, Error, Result, Want, secret};

/// Name of the database, and of the master user.
const GAME: &str = "game";
const PORT: i32 = 3306;
/// Without it, RDS switches on paid support when a version ages.
const NO_PAID_SUPPORT: &str = "open-source-rds-extended-support-disabled";

/// `CreateDBInstance`.
pub(super) async fn call_create(cx: &Cx, want: &Want<Spec>) -> Result<()> {
    let (spec, common) = (&want.spec, &want.spec.common);
    let password = secret::read(cx, spec.secret.get(), "password").await?;
    cx.aws
        .rds
        .create_db_instance()
        .db_instance_identifier(&common.name)
        .engine(ENGINE)
        .engine_version(&common.engine_version)
        .engine_lifecycle_support(NO_PAID_SUPPORT)
        .auto_minor_version_upgrade(common.minor_upgrades)
        .db_instance_class(&common.instance_class)
        .db_name(GAME)
        .master_username(GAME)
        .master_user_password(password.expose_secret())
        .port(PORT)
        .allocated_storage(common.storage_gb)
        .storage_type(&common.storage_type)
        .storage_encrypted(spec.encrypted)
        .multi_az(common.multi_az)
        .publicly_accessible(common.public)
        .db_subnet_group_name(spec.subnet_group.get())
        .db_parameter_group_name(common.parameter_group.get())
        .set_vpc_security_group_ids(Some(common.group_ids()))
        .ca_certificate_identifier(&common.certificate_authority)
        .backup_retention_period(spec.backup_days)
        .preferred_backup_window(&spec.backup_window)
        .preferred_maintenance_window(&spec.maintenance_window)
        .copy_tags_to_snapshot(common.tagged_snapshots)
        .deletion_protection(common.deletion_protection)
        .set_enable_cloudwatch_logs_exports(Some(common.log_exports.clone()))
        .set_tags(Some(cx.tags(&want.address).rds()))
        .send()
        .await?;
    Ok(())
}

/// The identifier is taken: by an attempt whose answer was lost, or by somebody else.
pub(super) async fn confirm_ours(cx: &Cx, want: &Want<Spec>) -> Result<()> {
    owned_or_taken(cx, &want.address, &want.spec.common.name).await
}

/// Fails unless the DB instance `name` carries the tags of the node at `address`.
pub async fn owned_or_taken(cx: &Cx, address: &str, name: &str) -> Result<()> {
    let found = describe(cx, name).await?;
    if found.is_some_and(|db| cx.stack.node_of(pairs(db.tag_list())).as_deref() == Some(address)) {
        return Ok(());
    }
    Err(Error::taken(format_args!("the DB instance {name}")))
}
