use jiff::Timestamp;

use super::*;
use crate::engine::status::{Alarm, CacheNode, DatabaseInstance, Instance, Lease, changes};

fn resource(address: &str, state: &str, ready_in_seconds: Option<u64>) -> Resource {
    Resource {
        address: address.into(),
        kind: "vpc",
        id: format!("id-of-{address}"),
        state: state.into(),
        ready_in_seconds,
    }
}

fn instance(id: &str, lifecycle: &str, health: Option<&str>, reason: Option<&str>) -> Instance {
    Instance {
        id: id.into(),
        zone: "eu-central-1a".into(),
        instance_type: "t3.small".into(),
        lifecycle: lifecycle.into(),
        health: health.map(str::to_owned),
        reason: reason.map(str::to_owned),
        release: Some("ab".repeat(32)),
        template_version: Some("3".into()),
    }
}

fn database(id: &str, role: &'static str, standby: Option<&str>) -> DatabaseInstance {
    DatabaseInstance {
        id: id.into(),
        role,
        zone: "eu-central-1a".into(),
        standby_zone: standby.map(str::to_owned),
        status: "available".into(),
        class: "db.t4g.micro".into(),
        engine_version: "8.4.6".into(),
        waiting: if standby.is_some() { vec!["instance_class: db.t4g.large".into()] } else { Vec::new() },
    }
}

fn node(id: &str, role: &str) -> CacheNode {
    CacheNode {
        id: id.into(),
        role: Some(role.into()),
        zone: "eu-central-1b".into(),
        status: "modifying".into(),
        node_type: "cache.t4g.micro".into(),
        engine_version: "7.1.0".into(),
        waiting: Vec::new(),
    }
}

fn at() -> Timestamp {
    "2026-05-04T03:02:01Z".parse().expect("a time")
}

fn status() -> Snapshot {
    let alarm = |name: &str, state: &str| Alarm { name: name.into(), state: state.into(), since: Some(at()) };
    Snapshot {
        stack: "game-dev".into(),
        resources: vec![
            resource("vpc", "ready", None),
            resource("database", "modifying", Some(240)),
            resource("distribution", "failed: it was disabled", None),
        ],
        coming: 1,
        ready_in_seconds: Some(240),
        lease: Some(Lease { who: "ops@laptop, process 7".into(), since: at(), until: at() }),
        instances: vec![
            instance("i-0aaa", "InService", Some("healthy"), None),
            instance("i-0bbb", "InService", Some("unhealthy"), Some("Health checks failed")),
            instance("i-0ccc", "Pending", None, None),
        ],
        database: vec![
            database("game-dev-database", "primary", Some("eu-central-1b")),
            database("game-dev-database-replica-1", "replica", None),
        ],
        cache: vec![node("game-dev-cache-001", "primary"), node("game-dev-cache-002", "replica")],
        alarms: vec![
            alarm("game-dev-alarm-a", "OK"),
            alarm("game-dev-alarm-b", "ALARM"),
            alarm("game-dev-alarm-c", "INSUFFICIENT_DATA"),
        ],
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn the_whole_status() {
    insta::assert_snapshot!("the_whole_status", plain(&render(&status())));
}

#[test]
fn the_status_on_a_screen() {
    insta::assert_snapshot!("the_status_on_a_screen", plain(&render_brief(&status(), at())));
}

#[test]
fn the_status_of_a_stack_that_is_nowhere() {
    let nothing = Snapshot {
        resources: Vec::new(),
        coming: 0,
        ready_in_seconds: None,
        lease: None,
        instances: Vec::new(),
        database: Vec::new(),
        cache: Vec::new(),
        alarms: Vec::new(),
        ..status()
    };
    assert_eq!(plain(&render(&nothing)), "ADDRESS  STATE  ID\n0 resources");
}

#[test]
fn changes_in_lines() {
    let before = status();
    let mut after = before.clone();
    after.instances[1] = instance("i-0bbb", "Terminating", Some("draining"), None);
    after.instances.push(instance("i-0ddd", "Pending", None, None));
    after.database[0].zone = "eu-central-1b".into();
    after.database[0].standby_zone = Some("eu-central-1a".into());
    after.cache.remove(1);
    after.lease = None;
    let lines: Vec<String> = changes(&before, &after, at()).iter().map(|c| plain(&render_change(c))).collect();
    insta::assert_snapshot!("changes_in_lines", lines.join("\n"));
}
