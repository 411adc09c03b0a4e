use std::collections::BTreeSet;

use super::*;
use crate::aws::stack::Stack;
use crate::blueprint::{Blueprint, parse};

fn shipped() -> [(&'static str, Blueprint); 3] {
    let read = |name, text| (name, parse(name, text).expect("the shipped blueprints are right"));
    [
        read("rehearsal.toml", include_str!("../../../blueprints/rehearsal.toml")),
        read("starter.toml", include_str!("../../../blueprints/starter.toml")),
        read("production.toml", include_str!("../../../blueprints/production.toml")),
    ]
}

fn place(blueprint: &Blueprint) -> Place {
    let home = blueprint.stack.region.clone();
    let zones = blueprint.network.as_ref().map_or(0, |network| network.zones.count());
    Place {
        zones: ["a", "b", "c"].iter().take(zones).map(|letter| format!("{home}{letter}")).collect(),
        stack: Stack { name: blueprint.stack_name(), home, account: "123456789012".into() },
        zone_id: Some("Z0ZONE".into()),
        parent_zone_id: Some("Z0PARENT".into()),
        internet_gateway: None,
        artifact: None,
        game_file: None,
    }
}

fn nodes(blueprint: &Blueprint) -> Vec<Node> {
    let place = place(blueprint);
    all().iter().flat_map(|kind| kind.desired(blueprint, &place)).collect()
}

/// What a difference in a field leads to is decided for every field of every spec, and for no other.
#[test]
fn every_field_of_a_spec_has_its_effect() {
    for (file, blueprint) in shipped() {
        for node in nodes(&blueprint) {
            let kind = named(node.kind).expect("a node's kind is registered");
            let declared: BTreeSet<&str> = kind.fields().into_iter().map(|(name, _)| name).collect();
            let has: BTreeSet<&str> = node.props.as_object().expect("a spec").keys().map(String::as_str).collect();
            assert_eq!(declared, has, "{} in {file}", node.address);
        }
    }
}

#[test]
fn every_kind_goes_after_kinds_that_exist() {
    let names: BTreeSet<&str> = all().iter().map(|kind| kind.name()).collect();
    for kind in all() {
        let unknown: Vec<_> = kind.after().iter().filter(|after| !names.contains(*after)).collect();
        assert!(unknown.is_empty(), "{} goes after {unknown:?}", kind.name());
    }
}

/// A distribution lets go of its certificate before it is gone itself, so that one may go at the same time. A launch template
/// has only an address of the distribution's, which takes long to go.
const LETS_GO: [(&str, &str); 2] = [("distribution", "certificate_validation"), ("launch_template", "distribution")];

/// What a spec refers to is torn down later than the spec's own kind.
#[test]
fn references_agree_with_the_order_of_teardown() {
    for (file, blueprint) in shipped() {
        let nodes = nodes(&blueprint);
        let kind_of = |address: &str| nodes.iter().find(|node| node.address == address).map(|node| node.kind);
        for node in &nodes {
            let after = named(node.kind).expect("a node's kind is registered").after();
            crate::engine::desired::references(&node.props, &mut |to, _| {
                let to_kind = kind_of(to).unwrap_or_else(|| panic!("{} refers to {to} in {file}", node.address));
                assert!(
                    LETS_GO.contains(&(node.kind, to_kind))
                        || to_kind == node.kind
                        || after.contains(&to_kind)
                        || indirectly(node.kind, to_kind),
                    "{} refers to {to}, but {} does not go before {to_kind}",
                    node.address,
                    node.kind
                );
            });
        }
    }
}

fn indirectly(kind: &str, to: &str) -> bool {
    let after = named(kind).map(AnyKind::after).unwrap_or_default();
    after.iter().any(|next| *next == to || indirectly(next, to))
}

#[test]
fn production_watches_every_instance_and_node() {
    let (_, production) = shipped().into_iter().nth(2).expect("three are shipped");
    let alarms: Vec<String> = nodes(&production)
        .iter()
        .filter(|node| node.kind == "alarm")
        .map(|node| {
            let text = |field: &str| node.props[field].as_str().unwrap_or_default().to_owned();
            format!("{}: {} {} {}", node.address, text("statistic"), text("metric"), node.props["threshold"])
        })
        .collect();
    insta::assert_json_snapshot!(alarms);
}
