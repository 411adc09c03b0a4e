//! The pictures of the blueprints that ship, and of what no blueprint that ships says.

use std::collections::BTreeSet;

use super::homes::{OTHER, home};
use super::svg::layout::layout;
use super::svg::pen::Area;
use super::*;
use crate::blueprint::{Blueprint, parse};
use crate::engine::plan::{Action, FieldChange, PlannedChange};
use crate::kinds::{self, Impact};

const REHEARSAL: &str = include_str!("../../../blueprints/rehearsal.toml");
const STARTER: &str = include_str!("../../../blueprints/starter.toml");
const PRODUCTION: &str = include_str!("../../../blueprints/production.toml");
const STACK: &str = "[stack]\nname = \"game\"\nenvironment = \"dev\"\nregion = \"eu-central-1\"\n\n";

fn blueprint(text: &str) -> Blueprint {
    parse("provision.toml", text).unwrap_or_else(|errors| panic!("{}", errors.render(false)))
}

fn subject(text: &str) -> Subject {
    Subject::of_blueprint(&blueprint(text))
}

/// Blueprints of all shapes.
fn shapes() -> Vec<(String, Subject)> {
    let mut shapes = vec![
        ("bucket".to_owned(), subject(STACK)),
        ("log".to_owned(), subject(&format!("{STACK}[log]\n"))),
        ("assets".to_owned(), subject(&format!("{STACK}[assets]\n"))),
        ("network".to_owned(), subject(&format!("{STACK}[network]\nnat = \"single\"\n"))),
        (
            "database".to_owned(),
            subject(&format!("{STACK}[network]\n\n[database]\nread_replicas = 5\nmulti_az = true\n")),
        ),
        ("rehearsal".to_owned(), subject(REHEARSAL)),
        ("starter".to_owned(), subject(STARTER)),
        ("localstack".to_owned(), subject(include_str!("../../../blueprints/localstack.toml"))),
    ];
    for zones in 2..=8 {
        let text = PRODUCTION.replace("zones = 3", &format!("zones = {zones}"));
        shapes.push((format!("production, {zones} zones"), subject(&text)));
        let without = text.replace("nat = \"per-zone\"", "nat = \"none\"");
        shapes.push((format!("production, {zones} zones, no NAT"), subject(&without)));
        let many = text.replace("read_replicas = 2", "read_replicas = 15").replace("\nreplicas = 2", "\nreplicas = 5");
        shapes.push((format!("production, {zones} zones, many replicas"), subject(&many)));
    }
    shapes
}

#[test]
fn every_kind_has_its_card() {
    let homeless: Vec<&str> =
        kinds::all().iter().map(|kind| kind.name()).filter(|kind| home("some/1", kind).0 == OTHER).collect();
    assert!(homeless.is_empty(), "graph/homes.rs says nothing of {homeless:?}");
}

#[test]
fn every_resource_is_in_the_picture() {
    for (name, subject) in shapes() {
        let topology = Topology::of(&subject);
        for resource in &subject.resources {
            let (card, _) = home(&resource.address, resource.kind);
            assert!(topology.has(&card), "{name}: {} belongs to the card {card}, which is not there", resource.address);
        }
        let ids: Vec<&str> = topology.cards().iter().map(|card| card.id.as_str()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{name}: two cards of one id: {ids:?}");
    }
}

fn overlap(a: Area, b: Area) -> bool {
    a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom()
}

fn within(inner: Area, outer: Area) -> bool {
    inner.x >= outer.x && inner.y >= outer.y && inner.right() <= outer.right() && inner.bottom() <= outer.bottom()
}

#[test]
fn nothing_lies_on_anything_else() {
    let mut compared = 0;
    for (name, subject) in shapes() {
        let topology = Topology::of(&subject);
        let placed = layout(&topology);
        let page = Area::new(0, 0, placed.width, placed.height);
        for band in topology.vpc.iter().flat_map(|vpc| &vpc.bands) {
            let around = placed.at(&band.card.id).expect("a band has its place");
            for (_, member) in &band.members {
                let at = placed.at(&member.id).expect("a member has its place");
                assert!(within(at, around), "{name}: {} is not in its band: {at:?} {around:?}", member.id);
            }
        }
        // Each subnet holds what belongs to it.
        if let (Some(vpc), Some(network)) = (&topology.vpc, &placed.network) {
            for (zone, subnets) in vpc.zones.iter().zip(&network.subnets) {
                for (subnet, around) in zone.subnets.iter().zip(subnets) {
                    assert!(within(*around, network.area), "{name}: {around:?} {:?}", network.area);
                    if let Some(nat) = &subnet.nat {
                        let at = placed.at(&nat.id).expect("a gateway has its place");
                        assert!(within(at, *around), "{name}: {} is not in its subnet", nat.id);
                    }
                }
            }
        }
        let is_member = |id: &str| id.contains('/') && !id.starts_with("nat/");
        let cards: Vec<(&String, Area)> =
            placed.cards.iter().filter(|(id, _)| !is_member(id)).map(|(id, at)| (id, *at)).collect();
        let members: Vec<(&String, Area)> =
            placed.cards.iter().filter(|(id, _)| is_member(id)).map(|(id, at)| (id, *at)).collect();
        for list in [&cards, &members] {
            for (index, (a, at)) in list.iter().enumerate() {
                assert!(within(*at, page), "{name}: {a} is off the page: {at:?} {page:?}");
                for (b, other) in &list[index + 1..] {
                    assert!(!overlap(*at, *other), "{name}: {a} lies on {b}: {at:?} {other:?}");
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} pairs of cards lie apart");
}

/// Whether every element is closed in its order, and nothing else is marked up.
fn is_well_formed(svg: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, _) = part.split_once('>').ok_or_else(|| format!("no end of <{part}"))?;
        if let Some(name) = tag.strip_prefix('/') {
            let opened = open.pop();
            if opened != Some(name) {
                return Err(format!("</{name}> closes {opened:?}"));
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap_or_default());
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("never closed: {open:?}")) }
}

#[test]
fn every_picture_is_well_formed() {
    for (name, subject) in shapes() {
        let svg = draw(&subject, Format::Svg);
        is_well_formed(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(svg.contains("<title id=\"title\">game-"), "{name}");
        assert!(!svg.contains("href") && !svg.contains("url("), "{name}: it needs something else");
        let dot = draw(&subject, Format::Dot);
        assert_eq!(dot.matches('{').count(), dot.matches('}').count(), "{name}\n{dot}");
        let mermaid = draw(&subject, Format::Mermaid);
        assert_eq!(mermaid.matches("subgraph ").count(), mermaid.matches("\n").count().min(lines_that_end(&mermaid)));
    }
}

fn lines_that_end(mermaid: &str) -> usize {
    mermaid.lines().filter(|line| line.trim() == "end").count()
}

/// `make graphs` draws them anew.
#[test]
fn the_pictures_in_docs_are_those_of_the_blueprints() {
    for (name, text) in [("rehearsal", REHEARSAL), ("starter", STARTER), ("production", PRODUCTION)] {
        let path = format!("{}/../docs/graph-{name}.svg", env!("CARGO_MANIFEST_DIR"));
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == draw(&subject(text), Format::Svg),
            "{path} is another picture: run `make graphs` and look at it"
        );
    }
}

#[test]
fn text_formats() {
    insta::assert_snapshot!("starter_dot", draw(&subject(STARTER), Format::Dot));
    insta::assert_snapshot!("starter_mermaid", draw(&subject(STARTER), Format::Mermaid));
}

#[test]
fn names_are_escaped_and_cut() {
    let zone = "a-rather-long-label-of-a-name.example.com";
    let text = PRODUCTION
        .replace("game.example.com", zone)
        .replace("name = \"game\"", "name = \"a-game-with-a-name-of-30-chars\"");
    let mut subject = subject(&text);
    for resource in &mut subject.resources {
        if resource.kind == "sns_subscription" {
            resource.props["email"] = "\"<ops>&'`#*\"@example.com\n".into();
        }
    }
    let svg = draw(&subject, Format::Svg);
    is_well_formed(&svg).expect("well formed");
    assert!(svg.contains("&quot;&lt;ops&gt;&amp;&#39;`#*&quot;@") && svg.contains('…'), "{svg}");
    assert!(draw(&subject, Format::Dot).contains("\\\"<ops>&'`#*\\\"@example.com"));
    assert!(draw(&subject, Format::Mermaid).contains("#quot;#lt;ops#gt;#amp;'#96;#35;#42;#quot;@example.com "));
}

fn change(address: &str, action: Action, fields: &[(&str, serde_json::Value, serde_json::Value)]) -> PlannedChange {
    let field = |(name, before, after): &(&str, serde_json::Value, serde_json::Value)| FieldChange {
        name: (*name).to_owned(),
        before: Some(before.clone()),
        after: Some(after.clone()),
    };
    PlannedChange {
        address: address.to_owned(),
        kind: "",
        action,
        impact: Impact::None,
        fields: fields.iter().map(field).collect(),
        expected_seconds: 1,
        learned_from: None,
        id: None,
        data: None,
        overwrites_drift: false,
        players: None,
        window: None,
    }
}

/// The production stack with these changes planned.
fn planned(changes: Vec<PlannedChange>) -> Topology {
    let mut subject = subject(PRODUCTION);
    subject.plan = Some("plan: some".to_owned());
    for change in changes {
        let found = subject.resources.iter_mut().find(|resource| resource.address == change.address);
        found.unwrap_or_else(|| panic!("no {}", change.address)).change = Some(change.clone());
    }
    Topology::of(&subject)
}

fn mark(topology: &Topology, id: &str) -> Option<Action> {
    topology.cards().into_iter().find(|card| card.id == id).unwrap_or_else(|| panic!("no {id}")).mark
}

#[test]
fn a_card_is_marked_by_what_happens_to_it() {
    let topology = planned(vec![
        change("database", Action::Update, &[("multi_az", false.into(), true.into())]),
        change("database-replica/2", Action::Create, &[]),
        change("cache", Action::Update, &[("replicas", 3.into(), 2.into())]),
        change("launch-template", Action::Update, &[("instance_type", "t3.small".into(), "c7i.large".into())]),
        change("record/api", Action::Replace, &[]),
        change("bucket/assets", Action::Delete, &[]),
        change("alarm/server-errors", Action::Create, &[]),
    ]);
    assert_eq!(mark(&topology, "database"), Some(Action::Update));
    assert_eq!(mark(&topology, "database/primary"), Some(Action::Update));
    assert_eq!(mark(&topology, "database/standby"), Some(Action::Create), "the standby is new");
    assert_eq!(mark(&topology, "database-replica/1"), None);
    assert_eq!(mark(&topology, "database-replica/2"), Some(Action::Create));
    assert_eq!(mark(&topology, "cache/replica-2"), Some(Action::Update));
    assert_eq!(mark(&topology, "cache/replica-3"), Some(Action::Delete), "one replica less");
    assert_eq!(mark(&topology, "servers"), Some(Action::Update), "its launch template changes");
    assert_eq!(mark(&topology, "servers/1"), Some(Action::Update));
    assert_eq!(mark(&topology, "dns"), Some(Action::Update), "one of its records");
    assert_eq!(mark(&topology, "assets"), Some(Action::Delete), "what the card is named after goes");
    assert_eq!(mark(&topology, "alarms"), Some(Action::Update), "one of many");
    assert_eq!(mark(&topology, "vpc"), None);
    let svg = svg::write(&topology);
    is_well_formed(&svg).expect("well formed");
    for part in [
        "class=\"band update\" data-node=\"database\"",
        "class=\"card create\" data-node=\"database/standby\"",
        "class=\"card delete\" data-node=\"assets\"",
        "class=\"card\" data-node=\"log\"",
        "instance_type: t3.small → c7i.large",
        ">− delete<",
    ] {
        assert!(svg.contains(part), "{part} is not in it");
    }
}
