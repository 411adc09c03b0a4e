//! What RDS says of a DB instance.

use aws_sdk_rds::types::DbInstance;

use super::Common;
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::kinds::{Attrs, Cx, Error, Progress, Result, State, attrs};

/// The stack's DB instances at the addresses that `wanted` takes, in one listing.
pub async fn all(cx: &Cx, kind: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, DbInstance)>> {
    let instances = cx.aws.rds.describe_db_instances().into_paginator().items().send();
    let instances = instances.collect::<Result<Vec<_>, _>>().await?;
    let ours = |db: DbInstance| {
        let address = cx.node_of(kind, db.db_instance_identifier().unwrap_or_default(), pairs(db.tag_list()));
        address.map(|address| (address, db))
    };
    Ok(instances.into_iter().filter_map(ours).filter(|(address, _)| wanted(address)).collect())
}

/// The instance, while it exists.
pub async fn describe(cx: &Cx, id: &str) -> Result<Option<DbInstance>> {
    let answer = cx.aws.rds.describe_db_instances().db_instance_identifier(id).send().await.gone_ok()?;
    Ok(answer.and_then(|answer| answer.db_instances?.into_iter().next()))
}

/// Whether it is on its way out.
pub async fn is_deleting(cx: &Cx, id: &str) -> Result<bool> {
    Ok(describe(cx, id).await?.is_none_or(|db| state(&db) == State::Deleting))
}

/// The part of its spec that instances and replicas share.
pub fn common(db: &DbInstance) -> Common {
    let version = db.engine_version().unwrap_or_default();
    let group = db.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name());
    let groups = db.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id());
    Common {
        name: db.db_instance_identifier().unwrap_or_default().to_owned(),
        engine_version: version.to_owned(),
        engine_major: version.splitn(3, '.').take(2).collect::<Vec<_>>().join("."),
        minor_upgrades: db.auto_minor_version_upgrade().unwrap_or(true),
        instance_class: db.db_instance_class().unwrap_or_default().to_owned(),
        storage_gb: db.allocated_storage().unwrap_or(0),
        storage_type: db.storage_type().unwrap_or_default().to_owned(),
        multi_az: db.multi_az().unwrap_or(false),
        deletion_protection: db.deletion_protection().unwrap_or(false),
        tagged_snapshots: db.copy_tags_to_snapshot().unwrap_or(false),
        public: db.publicly_accessible().unwrap_or(false),
        certificate_authority: db.ca_certificate_identifier().unwrap_or_default().to_owned(),
        log_exports: db.enabled_cloudwatch_logs_exports().to_vec(),
        parameter_group: group.unwrap_or_default().into(),
        security_groups: groups.map(Into::into).collect(),
    }
}

/// The outputs; the endpoint is empty until there is one.
pub fn outputs(db: &DbInstance) -> Attrs {
    let endpoint = db.endpoint();
    let port = endpoint.and_then(|endpoint| endpoint.port()).map_or_else(String::new, |port| port.to_string());
    attrs([
        ("name", db.db_instance_identifier().unwrap_or_default()),
        ("arn", db.db_instance_arn().unwrap_or_default()),
        ("endpoint", endpoint.and_then(|endpoint| endpoint.address()).unwrap_or_default()),
        ("port", &port),
    ])
}

/// Statuses in which it serves.
const SERVING: &[&str] = &[
    "available",
    "backing-up",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "storage-config-upgrade",
    "storage-initialization",
    "storage-optimization",
];
/// Statuses that it never leaves: it was not made.
const FAILED: &[&str] =
    &["failed", "incompatible-create", "incompatible-network", "incompatible-restore", "insufficient-capacity"];

/// Where it is in its life. One that is stopped or full is `Pending`: what is done about it is not to make it anew.
pub fn state(db: &DbInstance) -> State {
    let status = db.db_instance_status().unwrap_or("creating");
    match status {
        "deleting" => State::Deleting,
        _ if FAILED.contains(&status) => State::Failed(status.to_owned()),
        _ if SERVING.contains(&status) && db.endpoint().is_some_and(|e| e.address().is_some()) => State::Ready,
        _ => State::Pending(status.to_owned()),
    }
}

/// What will not pass by itself, and what to do about it.
fn stuck(status: &str) -> Option<&'static str> {
    Some(match status {
        "stopped" => "it is stopped: start it with `aws rds start-db-instance`",
        "storage-full" => "its storage is full: raise [database] storage_gb",
        "incompatible-parameters" => "it cannot start with the parameters of its group: reset them",
        "inaccessible-encryption-credentials" | "inaccessible-encryption-credentials-recoverable" => {
            "its encryption key is switched off or gone: enable the key in KMS"
        }
        _ => return None,
    })
}

/// A change that has been accepted and is not in effect yet, by name.
fn pending_change(db: &DbInstance) -> Option<&'static str> {
    let pending = db.pending_modified_values()?;
    let open = [
        ("instance class", pending.db_instance_class().is_some()),
        ("storage", pending.allocated_storage().is_some()),
        ("storage type", pending.storage_type().is_some()),
        ("standby", pending.multi_az().is_some()),
        ("engine version", pending.engine_version().is_some()),
        ("backups", pending.backup_retention_period().is_some()),
        ("certificate", pending.ca_certificate_identifier().is_some()),
    ];
    open.into_iter().find(|(_, is_open)| *is_open).map(|(what, _)| what)
}

/// One look at whether dependants can use it.
pub async fn progress(cx: &Cx, id: &str) -> Result<Progress> {
    let Some(db) = describe(cx, id).await? else { return Ok(Progress::Pending("not visible yet".into())) };
    look(&db).map_err(|reason| Error::Failed { resource: id.to_owned(), reason })
}

fn look(db: &DbInstance) -> Result<Progress, String> {
    if let State::Failed(reason) = state(db) {
        return Err(format!("its status is {reason}"));
    }
    // The status follows an accepted change only after seconds.
    if let Some(what) = pending_change(db) {
        return Ok(Progress::Pending(format!("changing the {what}")));
    }
    match state(db) {
        State::Ready => Ok(Progress::Ready(outputs(db))),
        State::Deleting => Err("somebody deletes it".into()),
        State::Pending(status) => match stuck(&status) {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(Progress::Pending(status)),
        },
        State::Failed(reason) => Err(reason),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::{Endpoint, PendingModifiedValues};

    use super::*;

    fn db(status: &str) -> DbInstance {
        let endpoint = Endpoint::builder().address("db.example").port(3306).build();
        DbInstance::builder().db_instance_status(status).endpoint(endpoint).build()
    }

    #[test]
    fn it_serves_while_it_is_backed_up_or_its_storage_grows() {
        for status in ["available", "backing-up", "storage-optimization"] {
            assert_eq!(state(&db(status)), State::Ready, "{status}");
        }
    }

    #[test]
    fn without_an_endpoint_it_is_not_ready() {
        let young = DbInstance::builder().db_instance_status("backing-up").build();
        assert_eq!(state(&young), State::Pending("backing-up".into()));
    }

    #[test]
    fn a_stopped_one_is_not_made_anew() {
        assert_eq!(state(&db("stopped")), State::Pending("stopped".into()));
        let reason = look(&db("stopped")).expect_err("it does not start by itself");
        assert!(reason.contains("start-db-instance"), "{reason}");
    }

    #[test]
    fn an_accepted_change_is_awaited() {
        let mut changing = db("available");
        changing.pending_modified_values =
            Some(PendingModifiedValues::builder().db_instance_class("db.m7g.large").build());
        assert!(matches!(look(&changing), Ok(Progress::Pending(what)) if what == "changing the instance class"));
    }

    #[test]
    fn the_minor_version_is_no_part_of_the_major_one() {
        let db = DbInstance::builder().engine_version("8.4.6").build();
        assert_eq!(common(&db).engine_major, "8.4");
    }
}
