//! The database: an RDS MySQL instance, with a standby in another zone where the blueprint asks for one.

mod modify;
mod read;
mod snapshot;

pub use snapshot::{keep as keep_snapshots, left as left_snapshots};

pub(super) use modify::{common_changes, refuse_storage, unprotect};
pub use read::all;
pub(super) use read::{common, describe, is_deleting, outputs, progress, state};

use std::time::Duration;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::log_group::{DATABASE_LOGS, database_identifier, database_log_address};
use super::{Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Ref, Result, State, Tagged};
use super::{Want, db_parameter_group, db_subnet_group, secret, security_group};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, Database};

/// Its address.
pub const ADDRESS: &str = "database";
/// Name of the database, and of the master user.
const GAME: &str = "game";
const ENGINE: &str = "mysql";
const PORT: i32 = 3306;
/// Backups at night in Europe, upgrades after them.
const BACKUP_WINDOW: &str = "02:00-03:00";
const MAINTENANCE_WINDOW: &str = "mon:03:30-mon:04:30";
/// Without it, RDS switches on paid support when a version ages.
const NO_PAID_SUPPORT: &str = "open-source-rds-extended-support-disabled";

/// A DB instance that is no replica.
pub struct DbInstance;

/// What instances and replicas have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Common {
    /// Its identifier.
    pub name: String,
    /// The version asked for: `8.4`, or with a minor one.
    pub engine_version: String,
    /// The major version: `8.4`.
    pub engine_major: String,
    /// Minor versions follow by themselves; not where the blueprint names one.
    pub minor_upgrades: bool,
    /// Its class.
    pub instance_class: String,
    /// Storage in GiB.
    pub storage_gb: i32,
    /// Kind of storage.
    pub storage_type: String,
    /// A standby in another zone.
    pub multi_az: bool,
    /// RDS refuses to delete it.
    pub deletion_protection: bool,
    /// Snapshots say whose they are.
    pub tagged_snapshots: bool,
    /// Reachable from outside the VPC.
    pub public: bool,
    /// The authority that signed its certificate.
    pub certificate_authority: String,
    /// The logs that go to CloudWatch.
    pub log_exports: Vec<String>,
    /// Name of its parameter group.
    pub parameter_group: Ref,
    /// Ids of its security groups.
    pub security_groups: Vec<Ref>,
}

impl Common {
    /// What `database` asks for at `address`.
    pub fn of(database: &Database, place: &Place, address: &str) -> Self {
        let engine_major = database.family().trim_start_matches(ENGINE).to_owned();
        Self {
            name: database_identifier(&place.stack, address),
            engine_version: database.engine_version.clone(),
            minor_upgrades: database.engine_version == engine_major,
            engine_major,
            instance_class: database.instance_class.clone(),
            storage_gb: i32::try_from(database.storage_gb).unwrap_or(i32::MAX),
            storage_type: "gp3".into(),
            multi_az: false,
            deletion_protection: database.deletion_protection,
            tagged_snapshots: true,
            public: false,
            certificate_authority: "rds-ca-rsa2048-g1".into(),
            log_exports: DATABASE_LOGS.map(str::to_owned).into(),
            parameter_group: Ref::to(db_parameter_group::ADDRESS, "name"),
            security_groups: vec![Ref::to(security_group::DATABASE, "id")],
        }
    }

    /// Ids of its security groups.
    pub fn group_ids(&self) -> Vec<String> {
        self.security_groups.iter().map(|group| group.get().to_owned()).collect()
    }
}

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
        Field::ignore("engine_version"),
        Field::update("engine_major", Op::Modify, Impact::Failover),
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
            common: Common { multi_az: database.multi_az, ..Common::of(database, place, ADDRESS) },
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
            Phase::Update => 600,
            Phase::Delete => 240,
        })
    }

    fn class(&self, spec: &Spec) -> String {
        let standby = if spec.common.multi_az { " multi-az" } else { "" };
        format!("{}{standby}", spec.common.instance_class)
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(3600)
    }

    fn impact(&self, _field: &str, planned: Impact, live: &Spec) -> Impact {
        if planned == Impact::Failover && !live.common.multi_az { Impact::Outage } else { planned }
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
                backup_days: db.backup_retention_period.unwrap_or(0),
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
        match call_create(cx, want).await {
            Ok(()) => {}
            Err(Error::Call(error)) if error.is(&["DBInstanceAlreadyExists"]) => confirm_ours(cx, want).await?,
            Err(error) => return Err(error),
        }
        Ok(Created { id: want.spec.common.name.clone(), attrs: Attrs::new() })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        progress(cx, id).await
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

/// RDS makes a log group that is missing, without retention; so they come first.
fn after_log(want: Want<Spec>, log: &&str) -> Want<Spec> {
    let log = database_log_address(&want.address, log);
    want.after(log)
}

async fn call_create(cx: &Cx, want: &Want<Spec>) -> Result<()> {
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
async fn confirm_ours(cx: &Cx, want: &Want<Spec>) -> Result<()> {
    owned_or_taken(cx, &want.address, &want.spec.common.name).await
}

/// Fails unless the DB instance `name` carries the tags of the node at `address`.
pub(super) async fn owned_or_taken(cx: &Cx, address: &str, name: &str) -> Result<()> {
    let found = describe(cx, name).await?;
    if found.is_some_and(|db| cx.stack.node_of(pairs(db.tag_list())).as_deref() == Some(address)) {
        return Ok(());
    }
    Err(Error::taken(format_args!("the DB instance {name}")))
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
