//! What RDS says of a DB instance.

use aws_sdk_rds::types::DbInstance;

use super::Common;
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::Apply;
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
    let waiting = waiting(db);
    let waits = |field: &str| waiting.iter().find(|(name, _)| *name == field).map(|(_, value)| value.clone());
    let text = |field: &str, now: Option<&str>| waits(field).unwrap_or_else(|| now.unwrap_or_default().to_owned());
    let group = db.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name());
    let groups = db.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id());
    Common {
        name: db.db_instance_identifier().unwrap_or_default().to_owned(),
        engine_version: text("engine_version", db.engine_version()),
        minor_upgrades: db.auto_minor_version_upgrade().unwrap_or(true),
        instance_class: text("instance_class", db.db_instance_class()),
        storage_gb: waits("storage_gb").and_then(|gb| gb.parse().ok()).or(db.allocated_storage()).unwrap_or(0),
        storage_type: text("storage_type", db.storage_type()),
        multi_az: waits("multi_az").map_or(db.multi_az().unwrap_or(false), |on| on == "true"),
        deletion_protection: db.deletion_protection().unwrap_or(false),
        tagged_snapshots: db.copy_tags_to_snapshot().unwrap_or(false),
        public: db.publicly_accessible().unwrap_or(false),
        certificate_authority: text("certificate_authority", db.ca_certificate_identifier()),
        log_exports: db.enabled_cloudwatch_logs_exports().to_vec(),
        parameter_group: group.unwrap_or_default().into(),
        security_groups: groups.map(Into::into).collect(),
        // What is being changed is under way, and does not wait.
        waiting: match state(db) {
            State::Ready => waiting.iter().map(|(name, _)| (*name).to_owned()).collect(),
            _ => Vec::new(),
        },
        apply: Apply::Now,
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

/// Changes that have been accepted and are not in effect yet: the field and its value.
pub fn waiting(db: &DbInstance) -> Vec<(&'static str, String)> {
    let Some(pending) = db.pending_modified_values() else { return Vec::new() };
    let text = |value: Option<&str>| value.map(str::to_owned);
    let open = [
        ("instance_class", text(pending.db_instance_class())),
        ("storage_gb", pending.allocated_storage().map(|gb| gb.to_string())),
        ("storage_type", text(pending.storage_type())),
        ("multi_az", pending.multi_az().map(|on| on.to_string())),
        ("engine_version", text(pending.engine_version())),
        ("backup_days", pending.backup_retention_period().map(|days| days.to_string())),
        ("certificate_authority", text(pending.ca_certificate_identifier())),
    ];
    open.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

/// One look at whether dependants can use it. `may_wait`: what waits for the maintenance window is not waited for.
pub async fn progress(cx: &Cx, id: &str, may_wait: bool) -> Result<Progress> {
    let Some(db) = describe(cx, id).await? else { return Ok(Progress::Pending("not visible yet".into())) };
    look(&db, may_wait).map_err(|reason| Error::Failed { resource: id.to_owned(), reason })
}

fn look(db: &DbInstance, may_wait: bool) -> Result<Progress, String> {
    if let State::Failed(reason) = state(db) {
        return Err(format!("its status is {reason}"));
    }
    // The status follows an accepted change only after seconds.
    if let Some((field, _)) = waiting(db).first().filter(|_| !may_wait) {
        return Ok(Progress::Pending(format!("changing its {field}")));
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
        let reason = look(&db("stopped"), false).expect_err("it does not start by itself");
        assert!(reason.contains("start-db-instance"), "{reason}");
    }

    #[test]
    fn an_accepted_change_is_awaited() {
        let mut changing = db("available");
        changing.pending_modified_values =
            Some(PendingModifiedValues::builder().db_instance_class("db.m7g.large").build());
        assert!(matches!(look(&changing, false), Ok(Progress::Pending(what)) if what == "changing its instance_class"));
        assert!(matches!(look(&changing, true), Ok(Progress::Ready(_))), "it waits for the maintenance window");
    }

    #[test]
    fn what_waits_counts_as_there() {
        let mut waits = db("available");
        waits.db_instance_class = Some("db.m7g.medium".into());
        waits.pending_modified_values =
            Some(PendingModifiedValues::builder().db_instance_class("db.m7g.large").multi_az(true).build());
        let spec = common(&waits);
        assert_eq!((spec.instance_class.as_str(), spec.multi_az), ("db.m7g.large", true));
        assert_eq!(spec.waiting, ["instance_class", "multi_az"]);
        waits.db_instance_status = Some("modifying".into());
        assert_eq!(common(&waits).waiting, [""; 0], "it is under way");
    }
}
