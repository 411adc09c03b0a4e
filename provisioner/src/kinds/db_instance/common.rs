//! What instances and replicas have in common.

use serde::{Deserialize, Serialize};

use super::ENGINE;
use crate::blueprint::{Apply, Database};
use crate::kinds::log_group::{DATABASE_LOGS, database_identifier};
use crate::kinds::{Place, Ref, db_parameter_group, security_group};

/// What instances and replicas have in common. A value that was accepted and waits for the maintenance window counts as
/// the live one: it needs no second call, and is no drift once it has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Common {
    /// Its identifier.
    pub name: String,
    /// The version asked for: `8.4`, or with a minor one; of a live one, the whole version.
    pub engine_version: String,
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
    /// Fields whose values wait for the maintenance window.
    pub waiting: Vec<String>,
    /// When changes take effect; of a live one, the default.
    pub apply: Apply,
}

impl Common {
    /// What `database` asks for at `address`. Replicas do not wait: nobody notices, and they are to be ready before their
    /// source is.
    pub fn of(database: &Database, place: &Place, address: &str) -> Self {
        let major = database.family().trim_start_matches(ENGINE).to_owned();
        Self {
            name: database_identifier(&place.stack, address),
            engine_version: database.engine_version.clone(),
            minor_upgrades: database.engine_version == major,
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
            waiting: Vec::new(),
            apply: Apply::Now,
        }
    }

    /// Ids of its security groups.
    pub fn group_ids(&self) -> Vec<String> {
        self.security_groups.iter().map(|group| group.get().to_owned()).collect()
    }

    /// Whether a difference between this and what is wanted is none to mend: a minor version where none is named, and what
    /// waits where it shall.
    pub fn tolerates(&self, field: &str, want: &Self) -> bool {
        match field {
            "engine_version" => version::is_within(&self.engine_version, &want.engine_version),
            "waiting" => want.apply == Apply::MaintenanceWindow,
            _ => false,
        }
    }

    /// Whether AWS itself changed a field from what it was: minor versions follow, and windows come.
    pub fn moved_by_itself(was: &Self, field: &str, is: &Self) -> bool {
        match field {
            "engine_version" => {
                was.minor_upgrades
                    && version::major(&was.engine_version) == version::major(&is.engine_version)
                    && version::order(&was.engine_version, &is.engine_version).is_lt()
            }
            "waiting" => true,
            _ => false,
        }
    }
}

/// MySQL's versions: `8.4.5`, of which `8.4` is the major one.
pub mod version {
    use std::cmp::Ordering;

    use crate::kinds::upgrade::numbers;

    /// Which comes first, as far as both say.
    pub fn order(a: &str, b: &str) -> Ordering {
        let (a, b) = (numbers(a), numbers(b));
        let both = a.len().min(b.len());
        a[..both].cmp(&b[..both])
    }

    /// `8.4` of `8.4.5`.
    pub fn major(version: &str) -> String {
        version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
    }

    /// Whether `version` is `wanted`, or one of its minor versions.
    pub fn is_within(version: &str, wanted: &str) -> bool {
        version == wanted || version.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
    }
}
