//! What a change of the cache means: what ElastiCache cannot do, and what players notice.

use super::Spec;
use crate::blueprint::Apply;
use crate::kinds::Notice;
use crate::kinds::upgrade::{numbers, with_waiting};

/// The first number: versions that share it share a parameter group's family.
pub fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or_default()
}

/// Whether the live version is the wanted one or a later minor one: ElastiCache lets those follow by themselves.
pub fn is_within(live: &Spec, want: &Spec) -> bool {
    let (has, wanted) = (numbers(&live.engine_version), numbers(&want.engine_version));
    live.engine == want.engine
        && major(&live.engine_version) == major(&want.engine_version)
        && has[..has.len().min(wanted.len())] >= wanted[..]
}

/// Why the change cannot be made, and the way out.
pub fn refused(live: &Spec, want: &Spec) -> Option<String> {
    let (old, new) = (format!("{} {}", live.engine, live.engine_version), format!("{} {}", want.engine, want.engine_version));
    let is_valkey_left = live.engine == "valkey" && want.engine == "redis";
    let same_engine = live.engine == want.engine;
    if is_valkey_left || (same_engine && numbers(major(&want.engine_version)) < numbers(major(&live.engine_version))) {
        return Some(format!(
            "the cache goes from {old} back to {new} and ElastiCache cannot: write in [cache] what it runs; or, since it holds \
             nothing but ranks that are made again from the database, delete it by `aws elasticache \
             delete-replication-group --replication-group-id {}` when few play, and run `up`",
            live.name
        ));
    }
    let is_family = !same_engine || major(&live.engine_version) != major(&want.engine_version);
    if is_family && want.apply == Apply::MaintenanceWindow {
        return Some(format!(
            "an upgrade from {old} to {new} takes another parameter group along, which cannot wait for the maintenance window: \
             run `up` with [cache] apply = \"now\" when few play"
        ));
    }
    None
}

/// Fields that wait where nothing is asked for at once.
const CAN_WAIT: &[&str] = &["engine_version", "node_type"];

/// What players notice of changes of these fields, and when.
pub fn notice(fields: &[&str], live: &Spec, want: &Spec) -> Notice {
    let all = with_waiting(fields, &live.waiting, want.apply);
    let is_engine = all.iter().any(|field| ["engine", "engine_version"].contains(field));
    let players = if is_engine && live.replicas > 0 {
        "ranks are written again after a few seconds: replicas are upgraded first, then one takes over"
    } else if is_engine {
        "ranks come from the database for about 5 to 10 min: nothing stands in for the only node"
    } else if all.contains(&"node_type") {
        "ranks are written again after a few seconds: larger or smaller nodes are filled first, then take over"
    } else {
        "nothing"
    };
    let window = want.apply == Apply::MaintenanceWindow && all.iter().any(|field| CAN_WAIT.contains(field));
    Notice { players: players.into(), window: window.then(|| format!("{} UTC", live.maintenance_window)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(engine: &str, version: &str) -> Spec {
        Spec {
            name: "game-cache".into(),
            engine: engine.into(),
            engine_version: version.into(),
            node_type: "cache.t4g.micro".into(),
            replicas: 1,
            automatic_failover: true,
            multi_az: true,
            tls: true,
            at_rest_encryption: true,
            secret: "".into(),
            subnet_group: "".into(),
            parameter_group: "".into(),
            security_groups: Vec::new(),
            port: 6379,
            maintenance_window: "sun:05:00-sun:06:00".into(),
            waiting: Vec::new(),
            apply: Apply::Now,
        }
    }

    fn later(spec: Spec) -> Spec {
        Spec { apply: Apply::MaintenanceWindow, ..spec }
    }

    #[test]
    fn later_minor_versions_are_within_and_earlier_are_not() {
        assert!(is_within(&spec("redis", "7.1.0"), &spec("redis", "7.1")));
        assert!(is_within(&spec("valkey", "8.1.0"), &spec("valkey", "8.0")));
        assert!(!is_within(&spec("redis", "7.0.7"), &spec("redis", "7.1")));
        assert!(!is_within(&spec("valkey", "8.1.0"), &spec("valkey", "7.2")));
        assert!(!is_within(&spec("redis", "7.2.0"), &spec("valkey", "7.2")));
    }

    #[test]
    fn there_is_no_way_back() {
        let refused = |from: (&str, &str), to: (&str, &str)| refused(&spec(from.0, from.1), &spec(to.0, to.1));
        assert_eq!(refused(("redis", "7.0.7"), ("redis", "7.1")), None);
        assert_eq!(refused(("redis", "7.1.0"), ("valkey", "7.2")), None);
        assert_eq!(refused(("redis", "7.1.0"), ("valkey", "8.0")), None);
        let back = refused(("valkey", "8.0.1"), ("redis", "7.1")).expect("refused");
        assert!(back.contains("delete-replication-group --replication-group-id game-cache"), "{back}");
        assert!(refused(("valkey", "8.0.1"), ("valkey", "7.2")).is_some());
    }

    #[test]
    fn another_family_does_not_wait() {
        assert!(refused(&spec("redis", "7.1.0"), &later(spec("valkey", "8.0"))).is_some());
        assert_eq!(refused(&spec("redis", "7.0.7"), &later(spec("redis", "7.1"))), None);
    }

    #[test]
    fn what_players_notice() {
        let (old, new) = (spec("redis", "7.0.7"), spec("redis", "7.1"));
        assert!(notice(&["engine_version"], &old, &new).players.contains("a few seconds"));
        let alone = Spec { replicas: 0, ..old.clone() };
        assert!(notice(&["engine_version"], &alone, &new).players.contains("5 to 10 min"));
        assert_eq!(notice(&["replicas"], &old, &new).players, "nothing");
        assert_eq!(notice(&["engine_version"], &old, &new).window, None);
        assert_eq!(notice(&["node_type"], &old, &later(new)).window.as_deref(), Some("sun:05:00-sun:06:00 UTC"));
    }
}
