//! Which card of the picture shows which resource.

use crate::engine::plan::Action;

use super::subject::{Resource, Subject};

/// The card that shows a resource, and whether the card is named after it (the others are its accessories).
pub fn home(address: &str, kind: &str) -> (String, bool) {
    let last = address.rsplit('/').next().unwrap_or(address);
    let (card, is_main) = match kind {
        "vpc" => ("vpc", true),
        "route_table" => ("vpc", false),
        "internet_gateway" => ("internet-gateway", true),
        "vpc_endpoint" => ("vpc-endpoints", true),
        "subnet" => return (address.to_owned(), true),
        "nat_gateway" => return (format!("nat/{last}"), true),
        "elastic_ip" => return (format!("nat/{}", last.trim_start_matches("nat-")), false),
        "security_group" => (behind(last), false),
        "security_group_rule" => (behind(last), false),
        "load_balancer" => ("load-balancer", true),
        "listener" | "target_group" => ("load-balancer", false),
        "certificate" | "certificate_validation" if last == "assets" => ("cdn", false),
        "certificate" | "certificate_validation" => ("load-balancer", false),
        "auto_scaling_group" => ("servers", true),
        "launch_template" | "scaling_policy" | "iam_role" | "instance_profile" => ("servers", false),
        "db_instance" => ("database", true),
        "db_subnet_group" | "db_parameter_group" => ("database", false),
        "db_replica" => return (format!("database-replica/{last}"), true),
        "replication_group" => ("cache", true),
        "cache_subnet_group" | "cache_parameter_group" => ("cache", false),
        "bucket" if last == "assets" => ("assets", true),
        "bucket_policy" => ("assets", false),
        "bucket" => ("stack", true),
        "release" | "game_file" => ("stack", false),
        "dynamodb_table" => ("log", true),
        "secret" => ("secrets", true),
        "log_group" => ("logs", true),
        "alarm" => ("alarms", true),
        "sns_topic" => ("topic", true),
        "sns_subscription" => ("topic", false),
        "distribution" => ("cdn", true),
        "origin_access_control" => ("cdn", false),
        "hosted_zone" => ("dns", true),
        "record" => ("dns", false),
        _ => (OTHER, true),
    };
    (card.to_owned(), is_main)
}

/// The card of what has no card of its own.
pub const OTHER: &str = "other";

/// Whose security group or rule it is, by how its name begins.
fn behind(name: &str) -> &'static str {
    let groups = ["load-balancer", "servers", "database", "cache"];
    groups.into_iter().find(|group| name.starts_with(group)).unwrap_or("vpc")
}

/// The resources that a card shows: what it is named after first.
pub fn members<'a>(subject: &'a Subject, card: &str) -> Vec<(&'a Resource, bool)> {
    let mut found: Vec<(&Resource, bool)> = subject
        .resources
        .iter()
        .filter_map(|resource| {
            let (home, is_main) = home(&resource.address, resource.kind);
            (home == card).then_some((resource, is_main))
        })
        .collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.address.cmp(&b.0.address)));
    found
}

/// What the plan does to a card as a whole: what it does to all that the card is named after, where that is one thing;
/// else, where it changes anything of the card, that is an update.
pub fn mark(members: &[(&Resource, bool)]) -> Option<Action> {
    let action = |resource: &Resource| resource.change.as_ref().map(|change| change.action);
    let has_main = members.iter().any(|(_, is_main)| *is_main);
    let mut of_main = members.iter().filter(|(_, is_main)| *is_main || !has_main).map(|(resource, _)| action(resource));
    if let Some(Some(first)) = of_main.next()
        && of_main.all(|other| other == Some(first))
    {
        return Some(first);
    }
    members.iter().any(|(resource, _)| resource.change.is_some()).then_some(Action::Update)
}
