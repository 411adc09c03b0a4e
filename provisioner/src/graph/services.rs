//! The cards outside the VPC.

use super::cards::card;
use super::homes::{OTHER, members};
use super::subject::{Resource, Subject};
use super::topology::{Card, Family};

/// Names and CDN.
pub fn global(subject: &Subject) -> Vec<Card> {
    let mut cards = Vec::new();
    let records = subject.of_kind("record");
    let zone = subject.of_kind("hosted_zone").into_iter().next();
    if zone.is_some() || !records.is_empty() {
        let what = match (zone, &subject.existing_zone) {
            (Some(zone), _) => format!("zone {}", zone.text("name")),
            (None, Some(name)) => format!("in the zone {name}"),
            (None, None) => String::new(),
        };
        let named = ["record/api", "record/assets"].iter().filter_map(|address| subject.at(address));
        let below = |name: &str| {
            let (label, of) = name.split_once('.').unwrap_or_default();
            if what.ends_with(of) { label.to_owned() } else { name.to_owned() }
        };
        let names: Vec<String> = named.map(|record| below(record.text("name"))).collect();
        cards.push(card(subject, "dns", "R53", Family::Network, "Route 53").line(what.clone()).line(names.join(", ")));
    }
    if let Some(distribution) = subject.of_kind("distribution").first() {
        let aliases = distribution.props["aliases"].as_array().into_iter().flatten();
        let aliases: Vec<&str> = aliases.filter_map(|alias| alias.as_str()).collect();
        let certificate = if subject.at("certificate/assets").is_some() { "certificate, " } else { "" };
        let names = if aliases.is_empty() { "a name of CloudFront's own".to_owned() } else { aliases.join(", ") };
        let card = card(subject, "cdn", "CF", Family::Network, "CloudFront").line(names);
        cards.push(
            card.line(format!(
                "{certificate}{}",
                distribution.text("price_class").replace("PriceClass_", "price class ")
            )),
        );
    }
    cards
}

/// The services of the region, in the order in which they are drawn.
pub fn regional(subject: &Subject) -> Vec<Card> {
    let make = |id: &str, tile, family, title: &str| {
        let is_there = !members(subject, id).is_empty();
        is_there.then(|| card(subject, id, tile, family, title))
    };
    let assets = make("assets", "S3", Family::Storage, "S3: assets").map(|card| card.line("images, sounds, data"));
    let stack = make("stack", "S3", Family::Storage, "S3: the stack's bucket").map(|card| {
        let file = if subject.of_kind("game_file").is_empty() { "" } else { ", game file" };
        let release = if subject.of_kind("release").is_empty() { "" } else { "releases, " };
        card.line(format!("{release}lease, journals{file}"))
    });
    let log = make("log", "DDB", Family::Data, "DynamoDB: players' log").map(|card| {
        let recovery =
            subject.of_kind("dynamodb_table").first().is_some_and(|table| table.is("point_in_time_recovery"));
        card.line(if recovery { "on demand, point-in-time recovery" } else { "on demand" })
    });
    let names = |kind: &str| {
        let short = |resource: &&Resource| resource.address.rsplit('/').next().unwrap_or_default().to_owned();
        subject.of_kind(kind).iter().map(short).collect::<Vec<_>>().join(", ")
    };
    let secrets = make("secrets", "SM", Family::Security, "Secrets Manager").map(|card| card.line(names("secret")));
    let logs = make("logs", "CW", Family::Watch, "CloudWatch Logs").map(|card| {
        let groups = subject.of_kind("log_group");
        let days = groups.first().map_or(0, |group| group.number("retention_days"));
        card.line(format!("{}, kept {days} days", counted(groups.len(), "log group")))
    });
    let alarms = make("alarms", "CW", Family::Watch, "CloudWatch alarms")
        .map(|card| card.line(counted(subject.of_kind("alarm").len(), "alarm")));
    let topic = make("topic", "SNS", Family::Watch, "SNS").map(|card| {
        let email = subject.of_kind("sns_subscription").first().map_or("", |subscription| subscription.text("email"));
        card.line(if email.is_empty() { String::new() } else { format!("mails {email}") })
    });
    let other = make(OTHER, "...", Family::Watch, "Others").map(|card| {
        let named = members(subject, OTHER).iter().map(|(resource, _)| resource.address.clone()).collect::<Vec<_>>();
        card.line(named.join(", "))
    });
    [assets, stack, log, secrets, logs, alarms, topic, other].into_iter().flatten().collect()
}

/// `1 alarm`, `20 alarms`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
