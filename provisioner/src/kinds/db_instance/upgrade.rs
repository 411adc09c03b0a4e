//! What a change of the primary means: what RDS cannot do, and what players notice.

use super::common::version;
use super::{Common, Spec, modify};
use crate::blueprint::Apply;
use crate::kinds::upgrade::with_waiting;
use crate::kinds::{Error, Notice};

/// Why the change cannot be made, and the way out. Nothing is lost by any of them.
pub fn refused(live: &Spec, want: &Spec) -> Option<String> {
    let (old, new) = (&live.common, &want.common);
    if version::order(&new.engine_version, &old.engine_version).is_lt() {
        return Some(format!(
            "MySQL goes from {} back to {} and RDS cannot: set [database] engine_version = \"{}\"; to go back all the same, \
             restore a snapshot from before the upgrade into an instance of the older version, and adopt that",
            old.engine_version,
            new.engine_version,
            version::major(&old.engine_version),
        ));
    }
    let is_major = version::major(&old.engine_version) != version::major(&new.engine_version);
    if is_major && new.apply == Apply::MaintenanceWindow {
        return Some(format!(
            "an upgrade from {} to {} takes another parameter group along, which cannot wait for the maintenance window: run \
             `up` with [database] apply = \"now\" when few play",
            version::major(&old.engine_version),
            version::major(&new.engine_version),
        ));
    }
    match modify::refuse_storage(&["storage_gb".into()], old, new) {
        Err(Error::Refused { what, help }) if old.storage_gb != new.storage_gb => Some(format!("{what}: {help}")),
        _ => None,
    }
}

/// What players notice of changes of these fields, and when.
pub fn notice(fields: &[&str], live: &Spec, want: &Spec) -> Notice {
    let (old, new) = (&live.common, &want.common);
    // What waited takes effect with everything else.
    let all = with_waiting(fields, &old.waiting, new.apply);
    let window = new.apply == Apply::MaintenanceWindow && all.iter().any(|field| modify::CAN_WAIT.contains(field));
    Notice {
        players: players(&all, old, new),
        window: window.then(|| format!("{} UTC", want.maintenance_window)),
    }
}

fn players(fields: &[&str], old: &Common, new: &Common) -> String {
    let major = version::major(&old.engine_version) != version::major(&new.engine_version);
    let text = if fields.contains(&"engine_version") && major {
        "the database is away for about 10 to 30 min: primary and standby are upgraded at once"
    } else if fields.contains(&"engine_version") {
        "the database is away for about 2 to 10 min: primary and standby are upgraded at once"
    } else if fields.contains(&"instance_class") && old.multi_az {
        "writes stop for about 60 to 120 s, while the standby takes over"
    } else if fields.contains(&"instance_class") {
        "the database is away for about 5 to 10 min: nothing stands in"
    } else if fields.contains(&"certificate_authority") {
        "writes stop for about 60 s, while the database restarts"
    } else {
        "nothing"
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::db_instance::read::common;

    fn spec(version: &str, class: &str, multi_az: bool) -> Spec {
        let db = aws_sdk_rds::types::DbInstance::builder()
            .db_instance_identifier("game")
            .engine_version(version)
            .db_instance_class(class)
            .multi_az(multi_az)
            .allocated_storage(20)
            .build();
        Spec {
            common: common(&db),
            encrypted: true,
            backup_days: 1,
            backup_window: String::new(),
            maintenance_window: "mon:03:30-mon:04:30".into(),
            secret: "".into(),
            subnet_group: "".into(),
        }
    }

    fn waiting(mut spec: Spec) -> Spec {
        spec.common.apply = Apply::MaintenanceWindow;
        spec
    }

    #[test]
    fn versions_go_onwards_only() {
        let refused = |from, to| refused(&spec(from, "c", true), &spec(to, "c", true));
        assert_eq!(refused("8.4.3", "8.4.5"), None);
        assert_eq!(refused("8.4.6", "8.4"), None);
        assert_eq!(refused("8.0.43", "8.4"), None);
        assert!(refused("8.4.5", "8.4.3").is_some_and(|text| text.contains("engine_version = \"8.4\"")));
        assert!(refused("8.4.5", "8.0").is_some());
        assert!(refused("8.4.10", "8.4.9").is_some(), "numbers, not text");
    }

    #[test]
    fn a_major_upgrade_does_not_wait() {
        let (old, new) = (spec("8.0.43", "c", true), spec("8.4.5", "c", true));
        assert!(super::refused(&old, &waiting(new)).is_some_and(|text| text.contains("apply = \"now\"")));
        assert_eq!(super::refused(&spec("8.4.3", "c", true), &waiting(spec("8.4.5", "c", true))), None);
    }

    #[test]
    fn what_players_notice() {
        let (small, large) = (spec("8.4.3", "small", true), spec("8.4.5", "large", true));
        let told = |fields: &[&str], live: &Spec| notice(fields, live, &large).players;
        assert!(told(&["engine_version", "instance_class"], &small).contains("2 to 10 min"));
        assert!(told(&["instance_class"], &small).contains("60 to 120 s"));
        assert!(told(&["instance_class"], &spec("8.4.3", "small", false)).contains("nothing stands in"));
        assert_eq!(told(&["deletion_protection", "backup_days"], &small), "nothing");
        assert_eq!(notice(&["instance_class"], &small, &large).window, None);
        let later = notice(&["instance_class"], &small, &waiting(large.clone()));
        assert_eq!(later.window.as_deref(), Some("mon:03:30-mon:04:30 UTC"));
        assert_eq!(notice(&["deletion_protection"], &small, &waiting(large.clone())).window, None);
        // What waited is not waited for any longer.
        let mut waited = large.clone();
        waited.common.waiting = vec!["instance_class".into()];
        assert!(notice(&["waiting"], &waited, &large).players.contains("60 to 120 s"));
    }

    #[test]
    fn a_named_minor_version_counts_and_an_unnamed_does_not() {
        let tolerates = |live: &str, want: &str| spec(live, "c", true).common.tolerates("engine_version", &spec(want, "c", true).common);
        assert!(tolerates("8.4.6", "8.4") && tolerates("8.4.6", "8.4.6"));
        assert!(!tolerates("8.4.6", "8.4.5") && !tolerates("8.40.1", "8.4") && !tolerates("8.0.43", "8.4"));
    }

    #[test]
    fn what_aws_does_itself_is_no_drift() {
        let by_itself = |from: &str, to: &str| {
            Common::moved_by_itself(&spec(from, "c", true).common, "engine_version", &spec(to, "c", true).common)
        };
        assert!(by_itself("8.4.3", "8.4.5"));
        assert!(!by_itself("8.4.5", "8.4.3") && !by_itself("8.0.43", "8.4.5"));
    }
}
