//! Read replicas of the database.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::db_instance::{self, Common, common_changes, outputs, progress, refuse_storage, state, unprotect};
use super::log_group::{DATABASE_LOGS, database_log_address};
use super::{Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Notice, Phase, Place, Progress, Ref, Result, State, Tagged};
use super::Want;
use crate::aws::error::CallError;
use super::upgrade::with_waiting;
use crate::blueprint::Blueprint;

const PREFIX: &str = "database-replica/";

/// A read replica in the same region.
pub struct DbReplica;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// What the source has too.
    #[serde(flatten)]
    pub common: Common,
    /// Identifier of the instance that it follows; empty: it was promoted.
    pub source: Ref,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyDBInstance`, once for all that differs.
    Modify,
}

/// The address of replica `number`, from 1.
pub fn address(number: u8) -> String {
    format!("{PREFIX}{number}")
}

impl Kind for DbReplica {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "db_replica";
    const TAGGED: Tagged = Tagged::Rds("db");
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::update("engine_version", Op::Modify, Impact::InPlace),
        Field::update("minor_upgrades", Op::Modify, Impact::None),
        Field::update("instance_class", Op::Modify, Impact::InPlace),
        Field::update("storage_gb", Op::Modify, Impact::InPlace),
        Field::update("storage_type", Op::Modify, Impact::InPlace),
        Field::update("multi_az", Op::Modify, Impact::InPlace),
        Field::update("deletion_protection", Op::Modify, Impact::None),
        Field::update("tagged_snapshots", Op::Modify, Impact::None),
        Field::update("public", Op::Modify, Impact::InPlace),
        Field::update("certificate_authority", Op::Modify, Impact::InPlace),
        Field::update("log_exports", Op::Modify, Impact::None),
        Field::update("parameter_group", Op::Modify, Impact::InPlace),
        Field::update("security_groups", Op::Modify, Impact::InPlace),
        Field::update("waiting", Op::Modify, Impact::InPlace),
        Field::ignore("apply"),
        Field::replace("source"),
    ];
    // RDS upgrades a source only after its replicas; and a replica that is larger than its source keeps up with it.
    const UPDATED_FIRST: &'static [&'static str] = &["engine_version", "instance_class"];
    const AFTER: &'static [&'static str] =
        &["db_instance", "db_parameter_group", "db_subnet_group", "log_group", "security_group"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(database) = &blueprint.database else { return Vec::new() };
        let node = |number| {
            let address = address(number);
            let spec = Spec {
                common: Common::of(database, place, &address),
                source: Ref::to(db_instance::ADDRESS, "name"),
            };
            let logs = DATABASE_LOGS.map(|log| database_log_address(&address, log));
            logs.into_iter().fold(Want::new(address, spec), Want::after)
        };
        (1..=database.read_replicas).map(node).collect()
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(match phase {
            Phase::Create => 480,
            Phase::Update => 600,
            Phase::Delete => 180,
        })
    }

    fn class(&self, spec: &Spec) -> String {
        spec.common.instance_class.clone()
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(3600)
    }

    fn tolerates(&self, field: &str, live: &Spec, want: &Spec) -> bool {
        live.common.tolerates(field, &want.common)
    }

    fn moved_by_itself(&self, field: &str, was: &Spec, is: &Spec) -> bool {
        Common::moved_by_itself(&was.common, field, &is.common)
    }

    /// The servers read from replicas only what may lag, and from the primary where a replica is away.
    fn notice(&self, _fields: &[&str], _live: &Spec, _want: &Spec) -> Option<Notice> {
        Some(Notice { players: "nothing".into(), window: None })
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let replicas = db_instance::all(cx, Self::NAME, |address| address.starts_with(PREFIX)).await?;
        let live = |(address, db): (String, aws_sdk_rds::types::DbInstance)| Live {
            address,
            attrs: outputs(&db),
            state: state(&db),
            spec: Spec {
                common: db_instance::common(&db),
                source: db.read_replica_source_db_instance_identifier().unwrap_or_default().into(),
            },
            id: db.db_instance_identifier.unwrap_or_default(),
        };
        Ok(replicas.into_iter().map(live).collect())
    }

    /// Subnet group, version, encryption, size and parameter group are the source's: RDS refuses them here.
    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let common = &want.spec.common;
        let answer = cx
            .aws
            .rds
            .create_db_instance_read_replica()
            .db_instance_identifier(&common.name)
            .source_db_instance_identifier(want.spec.source.get())
            .db_instance_class(&common.instance_class)
            .auto_minor_version_upgrade(common.minor_upgrades)
            .storage_type(&common.storage_type)
            .multi_az(common.multi_az)
            .publicly_accessible(common.public)
            .set_vpc_security_group_ids(Some(common.group_ids()))
            .ca_certificate_identifier(&common.certificate_authority)
            .copy_tags_to_snapshot(common.tagged_snapshots)
            .deletion_protection(common.deletion_protection)
            .set_enable_cloudwatch_logs_exports(Some(common.log_exports.clone()))
            .set_tags(Some(cx.tags(&want.address).rds()))
            .send()
            .await;
        match answer.map_err(CallError::from) {
            Ok(_) => {}
            Err(error) if error.is(&["DBInstanceAlreadyExists"]) => {
                db_instance::owned_or_taken(cx, &want.address, &common.name).await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Created { id: common.name.clone(), attrs: Attrs::new() })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        progress(cx, id, false).await
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        let Op::Modify = op;
        let (live, want) = (&change.live.spec.common, &change.want.common);
        refuse_storage(change.fields, live, want)?;
        let fields = with_waiting(change.fields, &live.waiting, want.apply);
        let call = cx.aws.rds.modify_db_instance().db_instance_identifier(&change.live.id).apply_immediately(true);
        common_changes(call, &fields, live, want).send().await?;
        Ok(())
    }

    /// What it holds is the source's, so nothing guards it; unless it has been promoted.
    async fn guarded(&self, _cx: &Cx, live: &Live<Spec>) -> Result<Option<String>> {
        Ok(is_promoted(live).then(|| "it was promoted: it is a database of its own".to_owned()))
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        if live.state == State::Deleting {
            return Ok(());
        }
        if is_promoted(live) && !cx.options.allow_data_loss {
            return Err(Error::Refused {
                what: format!("{} was promoted and is a database of its own", live.id),
                help: "take its data over and delete it, or pass --allow-data-loss".into(),
            });
        }
        // The source's protection is copied to its replicas.
        if live.spec.common.deletion_protection {
            unprotect(cx, &live.id).await?;
        }
        let call = cx.aws.rds.delete_db_instance().skip_final_snapshot(true).delete_automated_backups(true);
        db_instance::delete(cx, &live.id, call).await
    }

    async fn gone(&self, cx: &Cx, live: &Live<Spec>) -> Result<Progress> {
        Ok(match db_instance::describe(cx, &live.id).await? {
            None => Progress::Ready(Attrs::new()),
            Some(db) => Progress::Pending(db.db_instance_status.unwrap_or_else(|| "deleting".into())),
        })
    }
}

fn is_promoted(live: &Live<Spec>) -> bool {
    live.spec.source.get().is_empty() && live.state == State::Ready
}
