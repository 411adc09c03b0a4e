//! `[database]`

use super::types::{Service, instance_type};
use crate::blueprint::model::{Apply, Database};
use crate::blueprint::problem::Problem;
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};

const ENGINE_VERSION: Key = Key::new("engine_version", Takes::Text("a MySQL version"), "\"8.4\"");
const INSTANCE_CLASS: Key = Key::new("instance_class", Takes::Text("an RDS instance class"), "\"db.t4g.micro\"");
// gp3 begins at 20 GiB; RDS for MySQL ends at 64 TiB.
const STORAGE_GB: Key = Key::new("storage_gb", Takes::Integer(20, 65_536), "20");
const MULTI_AZ: Key = Key::new("multi_az", Takes::Boolean, "false");
const READ_REPLICAS: Key = Key::new("read_replicas", Takes::Integer(0, 15), "0");
const BACKUP_DAYS: Key = Key::new("backup_days", Takes::Integer(0, 35), "7");
const DELETION_PROTECTION: Key = Key::new("deletion_protection", Takes::Boolean, "true");
const TLS: Key = Key::new("tls", Takes::Boolean, "true");
const APPLY: Key = Key::new("apply", Takes::OneOf(&["now", "maintenance-window"]), "\"now\"");

pub const KEYS: &[&Key] = &[
    &ENGINE_VERSION,
    &INSTANCE_CLASS,
    &STORAGE_GB,
    &MULTI_AZ,
    &READ_REPLICAS,
    &BACKUP_DAYS,
    &DELETION_PROTECTION,
    &TLS,
    &APPLY,
];

/// Families too old for MySQL 8.4.
const TOO_OLD: &[&str] = &["t1", "t2", "m1", "m2", "m3", "m4", "r3", "r4", "x1", "x1e"];

/// Reads it; a value that is wrong is noted, and its default stands in.
pub fn read(section: &mut Section<'_, '_>) -> Database {
    let default = Database::default();
    Database {
        engine_version: section.text(&ENGINE_VERSION, engine_version).unwrap_or(default.engine_version),
        instance_class: section
            .text(&INSTANCE_CLASS, |text| instance_type(Service::Rds, text, TOO_OLD, "MySQL 8.4 does not run on it"))
            .unwrap_or(default.instance_class),
        storage_gb: section.integer(&STORAGE_GB).unwrap_or(default.storage_gb),
        multi_az: section.boolean(&MULTI_AZ).unwrap_or(default.multi_az),
        read_replicas: section.integer(&READ_REPLICAS).unwrap_or(default.read_replicas),
        backup_days: section.integer(&BACKUP_DAYS).unwrap_or(default.backup_days),
        deletion_protection: section.boolean(&DELETION_PROTECTION).unwrap_or(default.deletion_protection),
        tls: section.boolean(&TLS).unwrap_or(default.tls),
        apply: section.choice(&APPLY, &[Apply::Now, Apply::MaintenanceWindow]).unwrap_or(default.apply),
    }
}

fn engine_version(text: &str) -> Result<String, Problem> {
    let patch = |rest: &str| {
        rest.strip_prefix('.').is_some_and(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    };
    if text.strip_prefix("8.4").is_some_and(|rest| rest.is_empty() || patch(rest)) {
        return Ok(text.to_owned());
    }
    let help = if text.starts_with("8.0") || text.starts_with("5.") {
        "this version has left RDS's standard support; use \"8.4\""
    } else {
        "use MySQL \"8.4\" (the newest minor version), or one of its minor versions, for example \"8.4.5\""
    };
    Err(Problem::new("not_one_of", format!("`engine_version` cannot be {text:?}"), help))
}
