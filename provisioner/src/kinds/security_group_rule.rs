//! Security group rules, one a node: groups that refer to each other make no circle.

use aws_sdk_ec2::types::{IpPermission, IpRange, UserIdGroupPair};
use serde::{Deserialize, Serialize};

use super::security_group::{CACHE, DATABASE, LOAD_BALANCER, SERVERS};
use super::{Change, Created, Cx, Error, Field, Kind, Live, Place, Ref, Result, State, Want, attrs, Tagged};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

const WORLD: &str = "0.0.0.0/0";
const MYSQL_PORT: u16 = 3306;
const REDIS_PORT: u16 = 6379;

/// A rule of a security group: TCP, one port.
pub struct SecurityGroupRule;

/// Which way a rule lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Towards the members of the group.
    In,
    /// From them.
    Out,
}

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The group it belongs to.
    pub group: Ref,
    /// Which way.
    pub direction: Direction,
    /// `tcp`, ...
    pub protocol: String,
    /// First port.
    pub from_port: i32,
    /// Last port.
    pub to_port: i32,
    /// The group on the other side; empty where it is a range.
    pub peer_group: Ref,
    /// The range on the other side; empty where it is a group.
    pub peer_range: String,
}

struct Rule {
    name: &'static str,
    group: &'static str,
    direction: Direction,
    port: u16,
    /// A group's address, or a range.
    peer: &'static str,
}

impl Rule {
    fn new(name: &'static str, group: &'static str, direction: Direction, port: u16, peer: &'static str) -> Self {
        Self { name, group, direction, port, peer }
    }

    fn want(self) -> Want<Spec> {
        let of_group = self.peer.starts_with("security-group/");
        let port = i32::from(self.port);
        let spec = Spec {
            group: Ref::to(self.group, "id"),
            direction: self.direction,
            protocol: "tcp".into(),
            from_port: port,
            to_port: port,
            peer_group: if of_group { Ref::to(self.peer, "id") } else { "".into() },
            peer_range: if of_group { String::new() } else { self.peer.into() },
        };
        Want::new(format!("security-group-rule/{}", self.name), spec)
    }
}

fn rules(blueprint: &Blueprint) -> Vec<Rule> {
    use Direction::{In, Out};
    let Some(servers) = &blueprint.servers else { return Vec::new() };
    let mut rules = vec![
        Rule::new("load-balancer-in-http", LOAD_BALANCER, In, servers.http_port, WORLD),
        Rule::new("load-balancer-out-servers", LOAD_BALANCER, Out, servers.port, SERVERS),
        Rule::new("servers-in-load-balancer", SERVERS, In, servers.port, LOAD_BALANCER),
    ];
    if let Some(port) = blueprint.https_port() {
        rules.push(Rule::new("load-balancer-in-https", LOAD_BALANCER, In, port, WORLD));
    }
    if blueprint.database.is_some() {
        rules.push(Rule::new("database-in-servers", DATABASE, In, MYSQL_PORT, SERVERS));
    }
    if blueprint.cache.is_some() {
        rules.push(Rule::new("cache-in-servers", CACHE, In, REDIS_PORT, SERVERS));
    }
    rules
}

impl Kind for SecurityGroupRule {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "security_group_rule";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Self::Op>] = &[
        Field::replace("group"),
        Field::replace("direction"),
        Field::replace("protocol"),
        Field::replace("from_port"),
        Field::replace("to_port"),
        Field::replace("peer_group"),
        Field::replace("peer_range"),
    ];
    const AFTER: &'static [&'static str] = &["security_group"];

    fn desired(&self, blueprint: &Blueprint, _place: &Place) -> Vec<Want<Spec>> {
        if blueprint.network.is_none() {
            return Vec::new();
        }
        rules(blueprint).into_iter().map(Rule::want).collect()
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let call = cx.aws.ec2.describe_security_group_rules().set_filters(Some(cx.filters_of(Self::NAME)));
        let rules = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        let live = |rule: aws_sdk_ec2::types::SecurityGroupRule| {
            let address = cx.node_of(Self::NAME, rule.security_group_rule_id().unwrap_or_default(), pairs(rule.tags()))?;
            let peer = rule.referenced_group_info().and_then(|group| group.group_id()).unwrap_or_default();
            let spec = Spec {
                group: rule.group_id().unwrap_or_default().into(),
                direction: if rule.is_egress().unwrap_or(false) { Direction::Out } else { Direction::In },
                protocol: rule.ip_protocol().unwrap_or_default().to_owned(),
                from_port: rule.from_port().unwrap_or(-1),
                to_port: rule.to_port().unwrap_or(-1),
                peer_group: peer.into(),
                peer_range: rule.cidr_ipv4().unwrap_or_default().to_owned(),
            };
            let id = rule.security_group_rule_id.unwrap_or_default();
            Some(Live { address, attrs: attrs([("id", &id)]), id, spec, state: State::Ready })
        };
        Ok(rules.into_iter().filter_map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        match authorize(cx, want).await {
            Ok(id) => Ok(Created { attrs: attrs([("id", &id)]), id }),
            // The same rule is there: made by an attempt whose answer was lost, or by somebody else.
            Err(Error::Call(error)) if error.is(&["InvalidPermission.Duplicate"]) => {
                let live = self.list(cx).await?.into_iter().find(|live| live.address == want.address);
                let id = live.ok_or_else(|| taken(want))?.id;
                Ok(Created { attrs: attrs([("id", &id)]), id })
            }
            Err(error) => Err(error),
        }
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let group = live.spec.group.get();
        match live.spec.direction {
            Direction::In => {
                let call = cx.aws.ec2.revoke_security_group_ingress().group_id(group);
                call.security_group_rule_ids(&live.id).send().await.gone_ok()?;
            }
            Direction::Out => {
                let call = cx.aws.ec2.revoke_security_group_egress().group_id(group);
                call.security_group_rule_ids(&live.id).send().await.gone_ok()?;
            }
        }
        Ok(())
    }
}

fn permission(want: &Want<Spec>) -> IpPermission {
    let spec = &want.spec;
    let (_, about) = want.address.split_once('/').unwrap_or_default();
    let builder =
        IpPermission::builder().ip_protocol(&spec.protocol).from_port(spec.from_port).to_port(spec.to_port);
    if spec.peer_range.is_empty() {
        let peer = UserIdGroupPair::builder().group_id(spec.peer_group.get()).description(about).build();
        return builder.user_id_group_pairs(peer).build();
    }
    builder.ip_ranges(IpRange::builder().cidr_ip(&spec.peer_range).description(about).build()).build()
}

/// Makes the rule and returns its id.
async fn authorize(cx: &Cx, want: &Want<Spec>) -> Result<String> {
    let ec2 = &cx.aws.ec2;
    let (group, tags) = (want.spec.group.get(), cx.tags(&want.address).ec2_spec("security-group-rule"));
    let rules = match want.spec.direction {
        Direction::In => {
            let call = ec2.authorize_security_group_ingress().group_id(group).ip_permissions(permission(want));
            call.tag_specifications(tags).send().await?.security_group_rules
        }
        Direction::Out => {
            let call = ec2.authorize_security_group_egress().group_id(group).ip_permissions(permission(want));
            call.tag_specifications(tags).send().await?.security_group_rules
        }
    };
    let id = rules.and_then(|rules| rules.into_iter().next()?.security_group_rule_id);
    id.ok_or(Error::Incomplete { call: "ec2 AuthorizeSecurityGroup", what: "SecurityGroupRuleId" })
}

fn taken(want: &Want<Spec>) -> Error {
    let spec = &want.spec;
    Error::Refused {
        what: format!(
            "{} has a rule like {} already that does not carry the stack's tags",
            spec.group.get(),
            want.address
        ),
        help: "delete it, then run the command again".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::{Cache, Database, Network, Servers};

    fn shown(blueprint: &Blueprint) -> Vec<String> {
        let line = |rule: Rule| format!("{}: {} from {}", rule.name, rule.port, rule.peer);
        rules(blueprint).into_iter().map(line).collect()
    }

    #[test]
    fn servers_hear_the_load_balancer_alone() {
        let mut blueprint = Blueprint::empty("game", "dev", "eu-west-1");
        blueprint.network = Some(Network::default());
        blueprint.database = Some(Database::default());
        blueprint.cache = Some(Cache::default());
        assert_eq!(shown(&blueprint), Vec::<String>::new());
        blueprint.servers = Some(Servers::default());
        assert_eq!(
            shown(&blueprint),
            [
                "load-balancer-in-http: 80 from 0.0.0.0/0",
                "load-balancer-out-servers: 8080 from security-group/servers",
                "servers-in-load-balancer: 8080 from security-group/load-balancer",
                "database-in-servers: 3306 from security-group/servers",
                "cache-in-servers: 6379 from security-group/servers",
            ]
        );
    }
}
