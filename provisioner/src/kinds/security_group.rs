//! Security groups: load balancer, servers, database, cache. Their rules are nodes of their own.

use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, SecurityGroupRule};
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Ref, Result, State, Want, attrs, vpc, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::NameRule;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// The load balancer's group.
pub const LOAD_BALANCER: &str = "security-group/load-balancer";
/// The servers' group.
pub const SERVERS: &str = "security-group/servers";
/// The database's group.
pub const DATABASE: &str = "security-group/database";
/// The cache's group.
pub const CACHE: &str = "security-group/cache";

const WORLD: &str = "0.0.0.0/0";
const EVERYTHING: &str = "-1";

/// A security group.
pub struct SecurityGroup;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its VPC.
    pub vpc: Ref,
    /// Its name, unique in the VPC.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The rule that lets everything out, which AWS gives every new group.
    pub open_egress: bool,
    /// Rules that are not the stack's, in words, with their ids: somebody added them by hand.
    pub extra_rules: Vec<String>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `AuthorizeSecurityGroupEgress` or `RevokeSecurityGroupEgress` of the rule that lets everything out.
    OpenEgress,
    /// `RevokeSecurityGroupIngress` or `RevokeSecurityGroupEgress`, by id.
    RevokeExtra,
}

impl Kind for SecurityGroup {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "security_group";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("vpc"),
        Field::replace("name"),
        Field::replace("description"),
        Field::update("open_egress", Op::OpenEgress, Impact::InPlace),
        Field::update("extra_rules", Op::RevokeExtra, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &["vpc"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.network.is_none() {
            return Vec::new();
        }
        // Only servers begin connections to the world; the others answer, or talk to one group alone.
        let groups = [
            (LOAD_BALANCER, "Load balancer", false, blueprint.servers.is_some()),
            (SERVERS, "Servers", true, blueprint.servers.is_some()),
            (DATABASE, "Database", false, blueprint.database.is_some()),
            (CACHE, "Cache", false, blueprint.cache.is_some()),
        ];
        let node = |(address, what, open_egress, _): (&str, &str, bool, bool)| {
            let (_, short) = address.split_once('/').unwrap_or_default();
            let spec = Spec {
                vpc: vpc::reference(blueprint),
                name: name(place, short),
                description: format!("{what} of stack {}", place.stack.name),
                open_egress,
                extra_rules: Vec::new(),
            };
            Want::new(address, spec)
        };
        groups.into_iter().filter(|group| group.3).map(node).collect()
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let call = cx.aws.ec2.describe_security_groups().set_filters(Some(cx.filters_of(Self::NAME)));
        let groups = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        let live = |group: aws_sdk_ec2::types::SecurityGroup| {
            let address = cx.node_of(Self::NAME, group.group_id().unwrap_or_default(), pairs(group.tags()))?;
            let open_egress = group.ip_permissions_egress().iter().any(is_open);
            let id = group.group_id.unwrap_or_default();
            let spec = Spec {
                vpc: group.vpc_id.unwrap_or_default().into(),
                name: group.group_name.unwrap_or_default(),
                description: group.description.unwrap_or_default(),
                open_egress,
                extra_rules: Vec::new(),
            };
            Some(Live { address, attrs: attrs([("id", &id)]), id, spec, state: State::Ready })
        };
        let mut found: Vec<Live<Spec>> = groups.into_iter().filter_map(live).collect();
        let extra = extra_rules(cx, found.iter().map(|live| live.id.clone()).collect()).await?;
        for live in &mut found {
            let of_group = extra.iter().filter(|rule| rule.group_id() == Some(live.id.as_str()));
            live.spec.extra_rules = of_group.map(in_words).collect();
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let spec = &want.spec;
        let answer = cx
            .aws
            .ec2
            .create_security_group()
            .vpc_id(spec.vpc.get())
            .group_name(&spec.name)
            .description(&spec.description)
            .tag_specifications(cx.tags(&want.address).ec2_spec("security-group"))
            .send()
            .await;
        let id = match answer.map_err(CallError::from) {
            Ok(answer) => {
                answer.group_id.ok_or(Error::Incomplete { call: "ec2 CreateSecurityGroup", what: "GroupId" })?
            }
            // The name is taken: by an attempt whose answer was lost, or by somebody else.
            Err(error) if error.is(&["InvalidGroup.Duplicate"]) => {
                let live = self.list(cx).await?.into_iter().find(|live| live.address == want.address);
                live.ok_or_else(|| Error::taken(format_args!("the security group {}", &spec.name)))?.id
            }
            Err(error) => return Err(error.into()),
        };
        // Killed before this call, the next run finds the egress open and closes it.
        if !spec.open_egress {
            set_open_egress(cx, &id, false).await?;
        }
        Ok(Created { attrs: attrs([("id", &id)]), id })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::OpenEgress => set_open_egress(cx, &change.live.id, change.want.open_egress).await,
            Op::RevokeExtra => revoke_extra(cx, &change.live.id).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.ec2.delete_security_group().group_id(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// AWS refuses names that begin with `sg-`; a stack's may.
fn name(place: &Place, short: &str) -> String {
    let name = place.stack.name_for(&format!("group/{short}"), NameRule::max(250));
    if name.starts_with("sg-") { format!("x-{name}") } else { name }
}

fn is_open(permission: &IpPermission) -> bool {
    permission.ip_protocol() == Some(EVERYTHING) && permission.ip_ranges().iter().any(|r| r.cidr_ip() == Some(WORLD))
}

/// The rules of `groups` that are no node of the stack, without the one that [`Spec::open_egress`] tells.
async fn extra_rules(cx: &Cx, groups: Vec<String>) -> Result<Vec<SecurityGroupRule>> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let of_groups = Filter::builder().name("group-id").set_values(Some(groups)).build();
    let rules = cx.aws.ec2.describe_security_group_rules().filters(of_groups).into_paginator().items().send();
    let rules = rules.collect::<Result<Vec<_>, _>>().await?;
    let is_extra = |rule: &SecurityGroupRule| {
        let open = rule.is_egress() == Some(true)
            && rule.ip_protocol() == Some(EVERYTHING)
            && rule.cidr_ipv4() == Some(WORLD);
        let id = rule.security_group_rule_id().unwrap_or_default();
        !open && cx.node_of(super::security_group_rule::SecurityGroupRule::NAME, id, pairs(rule.tags())).is_none()
    };
    Ok(rules.into_iter().filter(is_extra).collect())
}

/// `in tcp 22-22 from 203.0.113.7/32 (sgr-0123)`.
fn in_words(rule: &SecurityGroupRule) -> String {
    let (way, of) = if rule.is_egress() == Some(true) { ("out", "to") } else { ("in", "from") };
    let group = rule.referenced_group_info().and_then(|group| group.group_id());
    let peer = rule.cidr_ipv4().or(rule.cidr_ipv6()).or(rule.prefix_list_id()).or(group).unwrap_or("?");
    let port = |port: Option<i32>| port.unwrap_or(-1);
    format!(
        "{way} {} {}-{} {of} {peer} ({})",
        rule.ip_protocol().unwrap_or_default(),
        port(rule.from_port()),
        port(rule.to_port()),
        rule.security_group_rule_id().unwrap_or_default()
    )
}

async fn revoke_extra(cx: &Cx, group: &str) -> Result<()> {
    let rules = extra_rules(cx, vec![group.to_owned()]).await?;
    let ids = |egress: bool| -> Vec<String> {
        let of_way = rules.iter().filter(|rule| rule.is_egress().unwrap_or(false) == egress);
        of_way.filter_map(|rule| rule.security_group_rule_id().map(str::to_owned)).collect()
    };
    let (ingress, egress) = (ids(false), ids(true));
    if !ingress.is_empty() {
        let call = cx.aws.ec2.revoke_security_group_ingress().group_id(group);
        call.set_security_group_rule_ids(Some(ingress)).send().await.gone_ok()?;
    }
    if !egress.is_empty() {
        let call = cx.aws.ec2.revoke_security_group_egress().group_id(group);
        call.set_security_group_rule_ids(Some(egress)).send().await.gone_ok()?;
    }
    Ok(())
}

async fn set_open_egress(cx: &Cx, id: &str, open: bool) -> Result<()> {
    let world = IpRange::builder().cidr_ip(WORLD).build();
    let everything = IpPermission::builder().ip_protocol(EVERYTHING).ip_ranges(world).build();
    if open {
        let call = cx.aws.ec2.authorize_security_group_egress().group_id(id).ip_permissions(everything);
        return match call.send().await.map_err(CallError::from) {
            Err(error) if !error.is(&["InvalidPermission.Duplicate"]) => Err(error.into()),
            _ => Ok(()),
        };
    }
    let call = cx.aws.ec2.revoke_security_group_egress().group_id(id).ip_permissions(everything);
    match call.send().await.map_err(CallError::from) {
        // Revoked by an attempt whose answer was lost. (A group that is not there is another code.)
        Err(error) if !error.is(&["InvalidPermission.NotFound"]) => Err(error.into()),
        _ => Ok(()),
    }
}
