//! The database: an RDS MySQL instance, with a standby in another zone where the blueprint asks for one.

mod common;
mod create;
mod modify;
mod read;
mod snapshot;
mod upgrade;

pub use common::Common;

pub use snapshot::{keep as keep_snapshots, left as left_snapshots};

pub use read::waiting;
pub(super) use create::owned_or_taken;
pub(super) use modify::{common_changes, refuse_storage, unprotect};
pub use read::all;
pub(super) use read::{common, describe, is_deleting, outputs, progress, state};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::log_group::{DATABASE_LOGS, database_log_address};
use super::{
    Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Notice, Phase, Place, Progress, Ref, Result, State, Tagged,
};
use super::{Want, db_subnet_group, secret};
use crate::aws::error::{CallError, GoneOk};
use crate::blueprint::{Apply, Blueprint};

/// Its address.
pub const ADDRESS: &str = "database";
const ENGINE: &str = "mysql";
/// Backups at night in Europe, upgrades after them.
const BACKUP_WINDOW: &str = "02:00-03:00";
const MAINTENANCE_WINDOW: &str = "mon:03:30-mon:04:30";

/// A DB instance that is no replica.
pub struct DbInstance;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// What replicas have too.
    #[serde(flatten)]
    pub common: Common,
    /// Storage and snapshots are encrypted.
    pub encrypted: bool,
    /// Days for which automated backups are kept.
    pub backup_days: i32,
    /// When the daily backup is made, in UTC.
    pub backup_window: String,
    /// When RDS may restart it, in UTC.
    pub maintenance_window: String,
    /// Name of the secret with the master user's password.
    pub secret: Ref,
    /// Name of its subnet group.
    pub subnet_group: Ref,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyDBInstance`, once for all that differs.
    Modify,
}

impl Kind for DbInstance {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "db_instance";
    const TAGGED: Tagged = Tagged::Rds("db");
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::update("engine_version", Op::Modify, Impact::Outage),
        Field::update("minor_upgrades", Op::Modify, Impact::None),
        Field::update("instance_class", Op::Modify, Impact::Failover),
        Field::update("storage_gb", Op::Modify, Impact::InPlace),
        Field::update("storage_type", Op::Modify, Impact::InPlace),
        Field::update("multi_az", Op::Modify, Impact::InPlace),
        Field::update("deletion_protection", Op::Modify, Impact::None),
        Field::update("tagged_snapshots", Op::Modify, Impact::None),
        Field::update("public", Op::Modify, Impact::InPlace),
        Field::update("certificate_authority", Op::Modify, Impact::Failover),
        Field::update("log_exports", Op::Modify, Impact::None),
        Field::update("parameter_group", Op::Modify, Impact::InPlace),
        Field::update("security_groups", Op::Modify, Impact::InPlace),
        Field::update("waiting", Op::Modify, Impact::Failover),
        Field::ignore("apply"),
        Field::replace("encrypted"),
        Field::update("backup_days", Op::Modify, Impact::InPlace),
        Field::update("backup_window", Op::Modify, Impact::None),
        Field::update("maintenance_window", Op::Modify, Impact::None),
        Field::ignore("secret"),
        Field::replace("subnet_group"),
    ];
    const AFTER: &'static [&'static str] =
        &["db_parameter_group", "db_subnet_group", "log_group", "secret", "security_group"];
    const DATA: Option<&'static str> = Some("the players' database");

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(database) = &blueprint.database else { return Vec::new() };
        let spec = Spec {
            common: Common {
                multi_az: database.multi_az,
                apply: database.apply,
                ..Common::of(database, place, ADDRESS)
            },
            encrypted: true,
            backup_days: i32::from(database.backup_days),
            backup_window: BACKUP_WINDOW.into(),
            maintenance_window: MAINTENANCE_WINDOW.into(),
            secret: Ref::to(secret::DATABASE, "name"),
            subnet_group: Ref::to(db_subnet_group::ADDRESS, "name"),
        };
        vec![DATABASE_LOGS.iter().fold(Want::new(ADDRESS, spec), after_log)]
    }

    fn expected(&self, phase: Phase, spec: &Spec) -> Duration {
        Duration::from_secs(match phase {
            Phase::Create if spec.common.multi_az => 600,
            Phase::Create => 360,
            Phase::Update if spec.common.apply == Apply::MaintenanceWindow => 20,
            Phase::Update => 600,
            Phase::Delete => 240,
        })
    }

    fn class(&self, spec: &Spec) -> String {
        let standby = if spec.common.multi_az { " multi-az" } else { "" };
        let later = if spec.common.apply == Apply::MaintenanceWindow { " later" } else { "" };
        format!("{}{standby}{later}", spec.common.instance_class)
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(3600)
    }

    fn impact(&self, _field: &str, planned: Impact, live: &Spec) -> Impact {
        if planned == Impact::Failover && !live.common.multi_az { Impact::Outage } else { planned }
    }

    fn tolerates(&self, field: &str, live: &Spec, want: &Spec) -> bool {
        live.common.tolerates(field, &want.common)
    }

    fn moved_by_itself(&self, field: &str, was: &Spec, is: &Spec) -> bool {
        Common::moved_by_itself(&was.common, field, &is.common)
    }

    fn refused(&self, live: &Spec, want: &Spec) -> Option<String> {
        upgrade::refused(live, want)
    }

    fn notice(&self, fields: &[&str], live: &Spec, want: &Spec) -> Option<Notice> {
        Some(upgrade::notice(fields, live, want))
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let instances = all(cx, Self::NAME, |address| address == ADDRESS).await?;
        let live = |(address, db): (String, aws_sdk_rds::types::DbInstance)| Live {
            address,
            attrs: outputs(&db),
            state: state(&db),
            spec: Spec {
                common: common(&db),
                encrypted: db.storage_encrypted.unwrap_or(false),
                backup_days: days_of(&db),
                backup_window: db.preferred_backup_window.clone().unwrap_or_default(),
                maintenance_window: db.preferred_maintenance_window.clone().unwrap_or_default(),
                secret: "".into(),
                subnet_group: db.db_subnet_group().and_then(|g| g.db_subnet_group_name()).unwrap_or_default().into(),
            },
            id: db.db_instance_identifier.unwrap_or_default(),
        };
        Ok(instances.into_iter().map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        match create::call_create(cx, want).await {
            Ok(()) => {}
            Err(Error::Call(error)) if error.is(&["DBInstanceAlreadyExists"]) => create::confirm_ours(cx, want).await?,
            Err(error) => return Err(error),
        }
        Ok(Created { id: want.spec.common.name.clone(), attrs: Attrs::new() })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        progress(cx, id, cx.in_window.database).await
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Modify => modify::modify(cx, change).await,
        }
    }

    async fn guarded(&self, _cx: &Cx, live: &Live<Spec>) -> Result<Option<String>> {
        Ok(live.spec.common.deletion_protection.then(|| "its deletion protection is on".to_owned()))
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        if live.state == State::Deleting {
            return Ok(());
        }
        if live.spec.common.deletion_protection {
            if !cx.options.allow_data_loss {
                return Err(Error::Refused {
                    what: format!("deletion protection of {} is on", live.id),
                    help: "set [database] deletion_protection = false and run `up`, or pass --allow-data-loss".into(),
                });
            }
            unprotect(cx, &live.id).await?;
        }
        snapshot::delete_with_snapshot(cx, live).await
    }

    async fn gone(&self, cx: &Cx, live: &Live<Spec>) -> Result<Progress> {
        if let Some(db) = describe(cx, &live.id).await? {
            return Ok(Progress::Pending(db.db_instance_status.unwrap_or_else(|| "deleting".into())));
        }
        if !cx.options.allow_data_loss {
            snapshot::keep(cx).await?;
        }
        Ok(Progress::Ready(Attrs::new()))
    }
}

fn days_of(db: &aws_sdk_rds::types::DbInstance) -> i32 {
    let waiting = db.pending_modified_values().and_then(|pending| pending.backup_retention_period());
    waiting.or(db.backup_retention_period()).unwrap_or(0)
}

/// RDS makes a log group that is missing, without retention; so they come first.
fn after_log(want: Want<Spec>, log: &&str) -> Want<Spec> {
    let log = database_log_address(&want.address, log);
    want.after(log)
}

/// `DeleteDBInstance`; what is on its way out already is left alone.
pub(super) async fn delete(
    cx: &Cx,
    id: &str,
    call: aws_sdk_rds::operation::delete_db_instance::builders::DeleteDBInstanceFluentBuilder,
) -> Result<()> {
    let error: CallError = match call.db_instance_identifier(id).send().await.gone_ok() {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    if error.is(&["InvalidDBInstanceState"]) && is_deleting(cx, id).await? {
        return Ok(());
    }
    Err(error.into())
}
