//! The table of keys is what the reader follows.

use crate::blueprint::schema::{Absent, Key, SECTIONS, Takes};
use crate::blueprint::{BlueprintErrors, parse};

const STACK: &str = "[stack]\nname = \"game\"\nenvironment = \"dev\"\nregion = \"eu-central-1\"\n";

/// `[path]` with one key, and every section around it that it needs.
fn with(path: &str, key: &str, value: &str) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        text.push_str(&format!("[{}]\n", section.path));
        for required in section.keys.iter().filter(|k| k.absent == Absent::Required) {
            if section.path != path || required.name != key {
                text.push_str(&format!("{} = {}\n", required.name, required.example));
            }
        }
        if section.path == path {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    text
}

fn every_key() -> impl Iterator<Item = (&'static str, &'static Key)> {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| (section.path, *key)))
}

fn findings(text: &str) -> BlueprintErrors {
    parse("game.toml", text).expect_err("it is broken")
}

#[test]
fn every_key_is_read() {
    for (path, key) in every_key() {
        let text = with(path, key.name, "1979-05-27");
        let errors = findings(&text);
        let found = errors.findings.iter().any(|finding| {
            finding.code == "wrong_type" && finding.message.starts_with(&format!("`{}` must be", key.name))
        });
        assert!(found, "[{path}] {}: {}", key.name, errors.lines());
    }
}

#[test]
fn a_default_written_out_changes_nothing() {
    for (path, key) in every_key() {
        let Absent::Default(default) = key.absent else { continue };
        // `https_port` says something by being there.
        let without = parse("game.toml", &with(path, "", "").replace("\n = \n", "\n"));
        let written = parse("game.toml", &with(path, key.name, default));
        let without = without.unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        let written = written.unwrap_or_else(|errors| panic!("[{path}] {}: {}", key.name, errors.render(false)));
        assert_eq!(without, written, "[{path}] {}", key.name);
    }
}

#[test]
fn examples_are_right() {
    for (path, key) in every_key() {
        let mut text = with(path, key.name, key.example);
        if key.name == "parent_zone" {
            text = text.replace("parent_zone", "create_zone = true\nparent_zone");
        }
        parse("game.toml", &text).unwrap_or_else(|errors| panic!("[{path}] {}: {}", key.name, errors.render(false)));
    }
}

#[test]
fn numbers_out_of_their_range_are_refused() {
    for (path, key) in every_key() {
        let Takes::Integer(min, max) = key.takes else { continue };
        for number in [min - 1, max + 1, i64::MAX, i64::MIN] {
            let errors = findings(&with(path, key.name, &number.to_string()));
            assert!(errors.findings.iter().any(|f| f.code == "out_of_range"), "[{path}] {}: {number}", key.name);
        }
    }
}

#[test]
fn a_stack_alone_is_a_blueprint() {
    let blueprint = parse("game.toml", STACK).expect("only its bucket");
    assert_eq!(blueprint, crate::blueprint::Blueprint::empty("game", "dev", "eu-central-1"));
}

#[test]
fn defaults_follow_what_else_is_there() {
    let read = |text: &str| parse("game.toml", &format!("{STACK}{text}")).unwrap_or_else(|e| panic!("{}", e.lines()));
    let all = "[network]\n[database]\n[cache]\n[log]\n[servers]\nmin = 5\n";
    let servers = read(all).servers.expect("servers");
    assert_eq!((servers.min, servers.max), (5, 5));
    assert_eq!(read("[network]\n").network.expect("a network").nat, crate::blueprint::Nat::None);
    assert_eq!(read(all).network.expect("a network").nat, crate::blueprint::Nat::Single);
    let named = read(&format!("{all}[domain]\nzone = \"game.example.com\"\n"));
    let domain = named.domain.as_ref().expect("a domain");
    assert_eq!((domain.api.as_deref(), domain.assets.as_deref()), (Some("api.game.example.com"), None));
    assert_eq!(named.https_port(), Some(443));
    let arm = read(&format!("{all}instance_type = \"t4g.small\"\n")).servers.expect("servers");
    assert_eq!(arm.architecture, crate::blueprint::Architecture::Arm64);
    let valkey = read("[network]\n[cache]\nengine = \"valkey\"\n").cache.expect("a cache");
    assert_eq!(valkey.family(), "valkey8");
}
