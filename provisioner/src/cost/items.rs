//! What of a stack costs money: for each resource what is counted, and the question for its price.

use serde_json::Value;

use super::query::{Per, Query};
use crate::aws::US_EAST_1;

/// Hours in a month, as AWS's own calculator counts them.
pub const HOURS: u64 = 730;

/// The root volume that Amazon Linux 2023's images bring along, in GiB: the launch template asks for no other.
const ROOT_VOLUME: u64 = 8;

/// A resource, wanted or live.
#[derive(Debug, Clone, Copy)]
pub struct Thing<'a> {
    /// Its address.
    pub address: &'a str,
    /// Its kind's name.
    pub kind: &'a str,
    /// Its spec.
    pub props: &'a Value,
}

/// How much of it a month has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many units, and no more than so many.
    Fixed {
        /// In a month.
        least: u64,
        /// Where an Auto Scaling group is as large as it may be.
        most: u64,
    },
    /// As much as is used, which nobody knows beforehand.
    Used,
}

/// Something that is paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The resource that causes it.
    pub address: String,
    /// What is counted, in words.
    pub what: String,
    /// The question for its price.
    pub query: Query,
    /// How much of it.
    pub amount: Amount,
}

/// Everything that a stack pays for.
#[derive(Debug, Clone, Default)]
pub struct Items {
    /// By resource.
    pub items: Vec<Item>,
    /// Resources of which provision does not know what they cost.
    pub unknown: Vec<String>,
}

/// Kinds that AWS charges nothing for, or whose use is counted with another's.
const FREE: &[&str] = &[
    "vpc",
    "internet_gateway",
    "subnet",
    "route_table",
    "vpc_endpoint",
    "security_group",
    "security_group_rule",
    "cache_subnet_group",
    "cache_parameter_group",
    "db_subnet_group",
    "db_parameter_group",
    "origin_access_control",
    "bucket_policy",
    "certificate",
    "certificate_validation",
    "record",
    "release",
    "game_file",
    "iam_role",
    "instance_profile",
    "launch_template",
    "target_group",
    "listener",
    "scaling_policy",
    "sns_subscription",
];

/// What `things` pay for in `region`.
pub fn items(region: &str, things: &[Thing<'_>]) -> Items {
    let stack = Stack { region, things };
    let mut all = Items::default();
    for thing in things {
        match stack.of(thing) {
            Some(items) => all.items.extend(items),
            None => all.unknown.push(thing.address.to_owned()),
        }
    }
    all
}

struct Stack<'a> {
    region: &'a str,
    things: &'a [Thing<'a>],
}

fn text<'a>(props: &'a Value, field: &str) -> &'a str {
    props.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn number(props: &Value, field: &str) -> u64 {
    props.get(field).and_then(Value::as_u64).unwrap_or_default()
}

fn is(props: &Value, field: &str) -> bool {
    props.get(field).and_then(Value::as_bool).unwrap_or_default()
}

fn item(thing: &Thing<'_>, what: impl Into<String>, query: Query, amount: Amount) -> Item {
    Item { address: thing.address.to_owned(), what: what.into(), query, amount }
}

fn fixed(count: u64) -> Amount {
    Amount::Fixed { least: count, most: count }
}

impl Stack<'_> {
    fn query(&self, service: &'static str, usage: &str, per: Per) -> Query {
        Query::new(service, self.region, usage, per)
    }

    fn count(&self, kind: &str) -> u64 {
        self.things.iter().filter(|thing| thing.kind == kind).count() as u64
    }

    fn first(&self, kind: &str) -> Option<&Value> {
        self.things.iter().find(|thing| thing.kind == kind).map(|thing| thing.props)
    }

    /// `None`: a kind that nothing is known of.
    fn of(&self, thing: &Thing<'_>) -> Option<Vec<Item>> {
        let Thing { kind, props, .. } = *thing;
        Some(match kind {
            "auto_scaling_group" => self.servers(thing),
            "load_balancer" => self.load_balancer(thing),
            "nat_gateway" => {
                let of = |usage, per| self.query("AmazonEC2", usage, per).with("productFamily", "NAT Gateway");
                vec![
                    item(thing, "NAT gateway", of("NatGateway-Hours", Per::Hour), fixed(HOURS)),
                    item(thing, "a GB through it", of("NatGateway-Bytes", Per::Piece), Amount::Used),
                ]
            }
            "elastic_ip" => vec![item(thing, "public IPv4 address", self.public_address(), fixed(HOURS))],
            "db_instance" | "db_replica" => self.database(thing),
            "replication_group" => self.cache(thing),
            "dynamodb_table" => self.table(thing),
            "bucket" => {
                let query = self.query("AmazonS3", "TimedStorage-ByteHrs", Per::GigabyteMonth);
                vec![item(thing, "a GB kept for a month", query.with("volumeType", "Standard"), Amount::Used)]
            }
            "secret" => {
                let query = self.query("AWSSecretsManager", "AWSSecretsManager-Secrets", Per::Piece);
                vec![item(thing, "secret", query, fixed(1))]
            }
            "alarm" => {
                // CloudFront's metrics are in us-east-1, and so are the alarms on them.
                let is_edge = text(props, "namespace") == "AWS/CloudFront";
                let region = if is_edge { US_EAST_1 } else { self.region };
                let query = Query::new("AmazonCloudWatch", region, "CW:AlarmMonitorUsage", Per::Piece);
                vec![item(thing, "alarm", query.with("productFamily", "Alarm"), fixed(1))]
            }
            "log_group" => {
                let of = |usage, per| self.query("AmazonCloudWatch", usage, per);
                let written = of("DataProcessing-Bytes", Per::Piece).with("productFamily", "Data Payload");
                let kept = of("TimedStorage-ByteHrs", Per::GigabyteMonth).with("productFamily", "Storage Snapshot");
                vec![
                    item(thing, "a GB of logs written", written, Amount::Used),
                    item(thing, "a GB of logs kept for a month", kept, Amount::Used),
                ]
            }
            "sns_topic" => {
                vec![item(thing, "a mail", self.query("AmazonSNS", "DeliveryAttempts-SMTP", Per::Piece), Amount::Used)]
            }
            "hosted_zone" => {
                let mut query = self.query("AmazonRoute53", "HostedZone", Per::Piece).with("productFamily", "DNS Zone");
                query.filters.retain(|(name, _)| *name != "regionCode");
                vec![item(thing, "hosted zone", query, fixed(1))]
            }
            "distribution" => distribution(thing),
            kind if FREE.contains(&kind) => Vec::new(),
            _ => return None,
        })
    }

    fn public_address(&self) -> Query {
        self.query("AmazonVPC", "PublicIPv4:InUseAddress", Per::Hour)
    }

    fn servers(&self, thing: &Thing<'_>) -> Vec<Item> {
        let (least, most) = (number(thing.props, "min"), number(thing.props, "max"));
        let template = self.first("launch_template").unwrap_or(&Value::Null);
        let instance_type = text(template, "instance_type");
        let instance = self
            .query("AmazonEC2", &format!("BoxUsage:{instance_type}"), Per::Hour)
            .with("instanceType", instance_type)
            .with("operatingSystem", "Linux")
            .with("tenancy", "Shared")
            .with("preInstalledSw", "NA")
            .with("capacitystatus", "Used");
        let volume = self.query("AmazonEC2", "EBS:VolumeUsage.gp3", Per::GigabyteMonth).with("volumeApiName", "gp3");
        let hours = Amount::Fixed { least: least * HOURS, most: most * HOURS };
        let mut items = vec![
            item(thing, format!("{least} to {most} × {instance_type}"), instance, hours),
            item(
                thing,
                format!("{least} to {most} root volumes of {ROOT_VOLUME} GiB"),
                volume,
                Amount::Fixed { least: least * ROOT_VOLUME, most: most * ROOT_VOLUME },
            ),
        ];
        // Without NAT gateways the servers have addresses of their own.
        if self.count("nat_gateway") == 0 {
            items.push(item(thing, format!("{least} to {most} public IPv4 addresses"), self.public_address(), hours));
        }
        items
    }

    fn load_balancer(&self, thing: &Thing<'_>) -> Vec<Item> {
        let of = |usage, per| self.query("AWSELB", usage, per).with("productFamily", "Load Balancer-Application");
        let zones = thing.props.get("subnets").and_then(Value::as_array).map_or(0, Vec::len) as u64;
        let out = Query {
            service: "AWSDataTransfer",
            filters: vec![("fromRegionCode", self.region.to_owned()), ("transferType", "AWS Outbound".to_owned())],
            ..self.query("AWSDataTransfer", "DataTransfer-Out-Bytes", Per::Piece)
        };
        vec![
            item(thing, "Application Load Balancer", of("LoadBalancerUsage", Per::Hour), fixed(HOURS)),
            item(thing, format!("{zones} public IPv4 addresses"), self.public_address(), fixed(zones * HOURS)),
            item(thing, "a capacity unit for an hour", of("LCUUsage", Per::Piece), Amount::Used),
            item(thing, "a GB to the players", out, Amount::Used),
        ]
    }

    fn database(&self, thing: &Thing<'_>) -> Vec<Item> {
        let (class, gigabytes) = (text(thing.props, "instance_class"), number(thing.props, "storage_gb"));
        let (option, usage, storage) = if is(thing.props, "multi_az") {
            ("Multi-AZ", "Multi-AZUsage:", "RDS:Multi-AZ-GP3-Storage")
        } else {
            ("Single-AZ", "InstanceUsage:", "RDS:GP3-Storage")
        };
        let instance = self
            .query("AmazonRDS", "", Per::Hour)
            .beginning(usage)
            .with("instanceType", class)
            .with("databaseEngine", "MySQL")
            .with("deploymentOption", option);
        let storage = self
            .query("AmazonRDS", storage, Per::GigabyteMonth)
            .with("volumeType", "General Purpose-GP3")
            .with("deploymentOption", option);
        vec![
            item(thing, format!("{class}, {option}"), instance, fixed(HOURS)),
            item(thing, format!("{gigabytes} GiB gp3, {option}"), storage, fixed(gigabytes)),
        ]
    }

    fn cache(&self, thing: &Thing<'_>) -> Vec<Item> {
        let (node_type, nodes) = (text(thing.props, "node_type"), number(thing.props, "replicas") + 1);
        let engine = if text(thing.props, "engine") == "valkey" { "Valkey" } else { "Redis" };
        let query = self.query("AmazonElastiCache", "", Per::Hour).beginning("NodeUsage:");
        let query = query.with("instanceType", node_type).with("cacheEngine", engine);
        vec![item(thing, format!("{nodes} × {node_type}, {engine}"), query, fixed(nodes * HOURS))]
    }

    fn table(&self, thing: &Thing<'_>) -> Vec<Item> {
        let on_demand = |usage| {
            let query = self.query("AmazonDynamoDB", usage, Per::Piece);
            query.with("productFamily", "Amazon DynamoDB PayPerRequest Throughput")
        };
        let kept = |usage| self.query("AmazonDynamoDB", usage, Per::GigabyteMonth);
        let mut items = vec![
            item(thing, "a write request unit", on_demand("WriteRequestUnits"), Amount::Used),
            item(thing, "a read request unit", on_demand("ReadRequestUnits"), Amount::Used),
            item(thing, "a GB kept for a month", kept("TimedStorage-ByteHrs"), Amount::Used),
        ];
        if is(thing.props, "point_in_time_recovery") {
            items.push(item(thing, "a GB of backups for a month", kept("TimedPITRStorage-ByteHrs"), Amount::Used));
        }
        items
    }
}

/// What players load: by where they are, because CloudFront's prices are.
fn distribution(thing: &Thing<'_>) -> Vec<Item> {
    let to = |from: &'static str| Query {
        service: "AmazonCloudFront",
        filters: vec![("transferType", "CloudFront Outbound".to_owned()), ("fromLocation", from.to_owned())],
        ..Query::new("AmazonCloudFront", "", "DataTransfer-Out-Bytes", Per::Piece)
    };
    vec![
        item(thing, "a GB to players in Europe", to("Europe"), Amount::Used),
        item(thing, "a GB to players in the United States", to("United States"), Amount::Used),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_priced_or_known_to_be_free() {
        let props = serde_json::json!({});
        for kind in crate::kinds::all() {
            let name = kind.name();
            let things = [Thing { address: "some/1", kind: name, props: &props }];
            assert!(items("eu-central-1", &things).unknown.is_empty(), "cost/items.rs says nothing of {name}");
        }
        let things = [Thing { address: "some/1", kind: "something_new", props: &props }];
        assert_eq!(items("eu-central-1", &things).unknown, ["some/1"]);
    }
}
