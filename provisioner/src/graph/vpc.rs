//! The network with its zones, and what spans them.

use serde_json::Value;

use crate::blueprint::Tier;
use crate::engine::plan::Action;

use super::cards::card;
use super::subject::{Resource, Subject};
use super::topology::{Band, Card, Family, Subnet, Vpc, Zone};

/// The network, where the stack has subnets.
pub fn vpc(subject: &Subject) -> Option<Vpc> {
    let subnets = subject.of_kind("subnet");
    if subnets.is_empty() {
        return None;
    }
    let range = subject.of_kind("vpc").first().map_or("", |vpc| vpc.text("cidr"));
    let title = if subject.vpc.is_empty() { range } else { &subject.vpc };
    let first = |kind: &str| subject.of_kind(kind).into_iter().next();
    let endpoints = subject.of_kind("vpc_endpoint");
    let services: Vec<&str> =
        endpoints.iter().filter_map(|endpoint| endpoint.text("service").rsplit('.').next()).collect();
    let zones = zones(subject, &subnets);
    let count = zones.len();
    let bands = [load_balancer(subject), servers(subject, count), database(subject, count), cache(subject, count)];
    Some(Vpc {
        card: card(subject, "vpc", "VPC", Family::Network, format!("VPC {title}")),
        gateway: first("internet_gateway")
            .map(|_| card(subject, "internet-gateway", "IGW", Family::Network, "Internet gateway")),
        endpoints: (!services.is_empty())
            .then(|| card(subject, "vpc-endpoints", "VPCE", Family::Network, "Endpoints").line(services.join(", "))),
        zones,
        bands: bands.into_iter().flatten().collect(),
    })
}

/// The number, from 1, at the end of `subnet/app-1`.
fn number_of(address: &str) -> usize {
    address.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(1)
}

fn zones(subject: &Subject, subnets: &[&Resource]) -> Vec<Zone> {
    let count = subnets.iter().map(|subnet| number_of(&subnet.address)).max().unwrap_or_default();
    let zone = |number: usize| {
        let here = |tier: Tier| {
            let resource = subject.at(&format!("subnet/{}-{number}", tier.as_str()))?;
            let title = format!("{} subnet {}", tier.as_str(), resource.text("cidr"));
            let nat = subject.at(&format!("nat-gateway/{number}")).filter(|_| tier == Tier::Public).map(|_| {
                let gateway = card(subject, &format!("nat/{number}"), "NAT", Family::Network, "NAT gateway");
                gateway.line("Elastic IP")
            });
            Some(Subnet { tier, card: card(subject, &resource.address, "", Family::Network, title), nat })
        };
        let named = subnets.iter().find(|subnet| number_of(&subnet.address) == number);
        Zone {
            name: named.map_or(String::new(), |subnet| subnet.text("zone").to_owned()),
            subnets: Tier::ALL.into_iter().filter_map(here).collect(),
        }
    };
    (1..=count).map(zone).collect()
}

fn load_balancer(subject: &Subject) -> Option<Band> {
    subject.of_kind("load_balancer").first()?;
    let listener = |listener: &&Resource| {
        let port = format!("{} {}", listener.text("protocol"), listener.number("port"));
        match listener.number("redirect") {
            0 => port,
            to => format!("{port} redirects to {to}"),
        }
    };
    let listeners: Vec<String> = subject.of_kind("listener").iter().map(listener).collect();
    let certificate = subject.at("certificate/api").map_or(String::new(), |certificate| {
        let domain = certificate.text("domain");
        format!("certificate {domain}")
    });
    let card = card(subject, "load-balancer", "ALB", Family::Network, "Application Load Balancer");
    let card = card.line(listeners.join(", ")).line(certificate);
    Some(Band { card, tier: Tier::Public, members: Vec::new(), is_hub: true })
}

fn servers(subject: &Subject, zones: usize) -> Option<Band> {
    let group = subject.of_kind("auto_scaling_group").into_iter().next()?;
    let template = subject.of_kind("launch_template").into_iter().next();
    let instance_type = template.map_or("", |template| template.text("instance_type"));
    let size = format!("{} to {} × {instance_type}", group.number("min"), group.number("max"));
    let target = subject.of_kind("scaling_policy").first().map_or(0, |policy| policy.number("target"));
    let scaled = if target == 0 { String::new() } else { format!("scaled towards {target} % CPU") };
    let port =
        subject.of_kind("target_group").first().map_or(String::new(), |group| format!("port {}", group.number("port")));
    let band =
        card(subject, "servers", "ASG", Family::Compute, "Auto Scaling group").line(size).line(scaled).line(port);
    let member = |zone: usize| {
        let card = card(subject, &format!("servers/{}", zone + 1), "EC2", Family::Compute, "game-server");
        (zone, card.marked(band.mark))
    };
    let subnets = group.props["subnets"].to_string();
    let tier =
        if subnets.contains("subnet/public-") || lies_in_public(subject, group) { Tier::Public } else { Tier::App };
    Some(Band { tier, members: (0..zones).map(member).collect(), is_hub: true, card: band })
}

/// A live group names its subnets by id; without NAT gateways it lies in the public ones.
fn lies_in_public(subject: &Subject, group: &Resource) -> bool {
    let by_node = group.props["subnets"].as_array().into_iter().flatten().any(Value::is_object);
    !by_node && subject.of_kind("nat_gateway").is_empty()
}

fn database(subject: &Subject, zones: usize) -> Option<Band> {
    let instances = subject.of_kind("db_instance");
    let replicas = subject.of_kind("db_replica");
    let first = instances.first().or(replicas.first())?;
    let storage = format!("{} GiB {}", first.number("storage_gb"), first.text("storage_type"));
    let title = format!("RDS for MySQL {}", first.text("engine_version"));
    let band = card(subject, "database", "RDS", Family::Data, title);
    let band = band.line(first.text("instance_class")).line(storage).line(backups(first.number("backup_days")));
    let mut members = vec![(0, member("database/primary", "RDS", "primary", band.mark))];
    let was_multi_az = first.before("multi_az").and_then(Value::as_bool);
    if first.is("multi_az") || was_multi_az == Some(true) {
        let mark = match was_multi_az {
            Some(false) => Some(Action::Create),
            Some(true) => Some(Action::Delete),
            None => band.mark,
        };
        members.push((1 % zones.max(1), member("database/standby", "RDS", "standby", mark)));
    }
    for replica in replicas {
        let number = replica.address.rsplit('/').next().unwrap_or_default();
        let zone = (members.len()) % zones.max(1);
        members.push((zone, card(subject, &replica.address, "RDS", Family::Data, format!("read replica {number}"))));
    }
    Some(Band { card: band, tier: Tier::Data, members, is_hub: false })
}

fn backups(days: u64) -> String {
    match days {
        0 => "no backups".to_owned(),
        1 => "backups of 1 day".to_owned(),
        days => format!("backups of {days} days"),
    }
}

fn cache(subject: &Subject, zones: usize) -> Option<Band> {
    let group = subject.of_kind("replication_group").into_iter().next()?;
    let engine = match group.text("engine") {
        "valkey" => "Valkey",
        _ => "Redis",
    };
    let title = format!("ElastiCache for {engine} {}", group.text("engine_version"));
    let band = card(subject, "cache", "EC", Family::Data, title).line(group.text("node_type"));
    let band = band.line(if group.is("tls") { "TLS" } else { "without TLS" });
    let (after, before) = (group.number("replicas"), group.before("replicas").and_then(Value::as_u64));
    let node = |number: u64| {
        let mark = match before {
            Some(before) if number > before => Some(Action::Create),
            Some(_) if number > after => Some(Action::Delete),
            _ => band.mark,
        };
        let (id, title) = match number {
            0 => ("cache/primary".to_owned(), "primary".to_owned()),
            number => (format!("cache/replica-{number}"), format!("replica {number}")),
        };
        let zone = usize::try_from(number).unwrap_or_default() % zones.max(1);
        (zone, member(&id, "EC", &title, mark))
    };
    let members = (0..=after.max(before.unwrap_or_default())).map(node).collect();
    Some(Band { card: band, tier: Tier::Data, members, is_hub: false })
}

/// A member of a band, which AWS makes with it.
fn member(id: &str, tile: &'static str, title: &str, mark: Option<Action>) -> Card {
    let (id, title) = (id.to_owned(), title.to_owned());
    Card { id, tile, family: Family::Data, title, lines: Vec::new(), mark, changes: Vec::new() }
}
