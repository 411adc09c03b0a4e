//! The blueprints that ship.

use crate::blueprint::templates::{Fill, TEMPLATES, Template};
use crate::blueprint::{Blueprint, CacheEngine, HttpMode, Nat, parse};

fn shipped(name: &str) -> Blueprint {
    let template = Template::named(name).expect("it ships");
    parse(name, template.text()).unwrap_or_else(|errors| panic!("{}", errors.render(false)))
}

#[test]
fn production_has_what_production_needs() {
    let blueprint = shipped("production");
    let network = blueprint.network.as_ref().expect("a network");
    assert_eq!((network.zones.count(), network.nat), (3, Nat::PerZone));
    let database = blueprint.database.as_ref().expect("a database");
    assert_eq!(database.family(), "mysql8.4");
    assert!(database.multi_az && database.deletion_protection && database.tls);
    assert_eq!(database.read_replicas, 2);
    let cache = blueprint.cache.as_ref().expect("a cache");
    assert_eq!((cache.engine, cache.replicas, cache.nodes()), (CacheEngine::Redis, 2, 3));
    assert!(cache.tls && cache.automatic_failover());
    let servers = blueprint.servers.as_ref().expect("servers");
    assert_eq!((servers.min, servers.max, servers.http), (3, 30, HttpMode::Redirect));
    assert!(blueprint.log.as_ref().expect("a log").point_in_time_recovery);
    assert_eq!(blueprint.https_port(), Some(443));
    assert!(blueprint.domain.is_some() && blueprint.alarms.is_some() && blueprint.assets.is_some());
}

#[test]
fn the_rehearsal_has_every_section_of_production_and_needs_no_root() {
    let blueprint = shipped("rehearsal");
    let production = shipped("production");
    let sections = |b: &Blueprint| {
        let value = serde_json::to_value(b).expect("it serialises");
        let there = value.as_object().expect("an object").iter().filter(|(_, v)| !v.is_null());
        there.map(|(k, _)| k.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sections(&blueprint), sections(&production));
    assert_eq!(blueprint.stack_name(), "game-dev");
    let servers = blueprint.servers.as_ref().expect("servers");
    assert!(servers.min >= 2 && servers.http_port > 1023 && servers.https_port > 1023);
    assert_eq!(servers.http, HttpMode::Serve);
    let database = blueprint.database.as_ref().expect("a database");
    assert!(database.multi_az && database.read_replicas >= 1 && !database.deletion_protection && !database.tls);
}

#[test]
fn the_starter_is_cheap_and_safe() {
    let blueprint = shipped("starter");
    assert_eq!(blueprint.network.as_ref().expect("a network").nat, Nat::None);
    let database = blueprint.database.as_ref().expect("a database");
    assert!(!database.multi_az && database.backup_days > 0 && database.deletion_protection && database.tls);
    let cache = blueprint.cache.as_ref().expect("a cache");
    assert!(cache.nodes() == 1 && cache.tls);
    assert!(blueprint.domain.is_none());
    assert_eq!(blueprint.https_port(), None);
}

#[test]
fn what_the_starter_has_commented_out_works_too() {
    let text = Template::named("starter").expect("it ships").text();
    let uncommented = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.contains(" = ") => rest,
        _ => line,
    });
    let text = uncommented.collect::<Vec<_>>().join("\n");
    let blueprint = parse("starter.toml", &text).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    assert!(blueprint.domain.is_some() && blueprint.alarms.is_some() && blueprint.stack.account.is_some());
    assert_eq!(blueprint.servers.expect("servers").http, HttpMode::Redirect);
}

#[test]
fn a_template_is_filled_and_keeps_its_comments() {
    for template in TEMPLATES {
        let fill = Fill { name: Some("puzzle"), environment: Some("test"), region: Some("us-east-1") };
        let text = template.filled(fill).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        let blueprint = parse("provision.toml", &text).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        assert_eq!(blueprint.stack_name(), "puzzle-test");
        assert_eq!(blueprint.stack.region, "us-east-1");
        assert!(text.contains("<name>-<environment>: puzzle-test"), "{text}");
        assert_eq!(text.matches('#').count(), template.text().matches('#').count());
        assert_eq!(template.filled(Fill::default()).expect("unchanged"), template.text());
    }
}

#[test]
fn a_template_is_not_filled_with_nonsense() {
    let template = TEMPLATES[0];
    for name in ["My Game", "", "a\nb = 1", "x\"", "\u{0}"] {
        let errors = template.filled(Fill { name: Some(name), ..Fill::default() }).expect_err("no such name");
        assert!(errors.findings[0].message.starts_with("`name`"), "{}", errors.lines());
    }
    assert!(template.filled(Fill { region: Some("europe"), ..Fill::default() }).is_err());
}
