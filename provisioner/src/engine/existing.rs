//! An existing VPC that the blueprint names: it is used, never tagged, changed or deleted.

use aws_sdk_ec2::types::{Filter, Subnet, Vpc, VpcAttributeName};
use ipnet::Ipv4Net;

use super::place::{PlaceError, lookup};
use crate::aws::Aws;
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::Stack;
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, Network};

/// Whether the VPC that the blueprint names is fit, and the internet gateway that it has and that is not the stack's.
/// `None` too where the blueprint names none.
pub async fn internet_gateway(aws: &Aws, stack: &Stack, blueprint: &Blueprint) -> Result<Option<String>, PlaceError> {
    let Some((network, id)) = blueprint.network.as_ref().and_then(|n| Some((n, n.vpc.as_deref()?))) else {
        return Ok(None);
    };
    let of = |name: &str| Filter::builder().name(name).values(id).build();
    let (vpc, names, subnets, gateways) = futures::join!(
        aws.ec2.describe_vpcs().vpc_ids(id).send(),
        aws.ec2.describe_vpc_attribute().vpc_id(id).attribute(VpcAttributeName::EnableDnsHostnames).send(),
        aws.ec2.describe_subnets().filters(of("vpc-id")).into_paginator().items().send().collect::<Result<Vec<_>, _>>(),
        aws.ec2.describe_internet_gateways().filters(of("attachment.vpc-id")).send(),
    );
    let failed = |error: CallError| lookup("the VPC of [network]", error);
    let wrong = |why: String| PlaceError::Vpc { vpc: id.to_owned(), why };
    let vpc = vpc.gone_ok().map_err(failed)?.and_then(|answer| answer.vpcs?.into_iter().next());
    let Some(vpc) = vpc else {
        return Err(wrong("does not exist in this account and region: mend the id, or leave the key out".into()));
    };
    let names = names.gone_ok().map_err(failed)?.and_then(|answer| answer.enable_dns_hostnames?.value);
    let subnets = subnets.map_err(|error| failed(error.into()))?;
    if let Some(why) = unfit(network, stack, &vpc, names.unwrap_or(false), &subnets) {
        return Err(wrong(why));
    }
    let gateways = gateways.map_err(|error| failed(error.into()))?;
    let foreign = gateways.internet_gateways().iter().find(|gateway| !stack.owns(pairs(gateway.tags())));
    Ok(foreign.and_then(|gateway| gateway.internet_gateway_id()).map(str::to_owned))
}

/// What makes the VPC unfit for the stack.
fn unfit(network: &Network, stack: &Stack, vpc: &Vpc, names: bool, subnets: &[Subnet]) -> Option<String> {
    let range = |text: Option<&str>| text.and_then(|text| text.parse::<Ipv4Net>().ok());
    let ranges: Vec<Ipv4Net> =
        vpc.cidr_block_association_set().iter().filter_map(|association| range(association.cidr_block())).collect();
    if !ranges.iter().chain(&range(vpc.cidr_block())).any(|range| range.contains(&network.cidr)) {
        let all: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        return Some(format!(
            "has {}, and `cidr` {} is no part of that: choose a free part",
            all.join(", "),
            network.cidr
        ));
    }
    let overlaps = |subnet: &&Subnet| {
        let foreign = !stack.owns(pairs(subnet.tags()));
        foreign && range(subnet.cidr_block()).is_some_and(|r| r.contains(&network.cidr) || network.cidr.contains(&r))
    };
    if let Some(subnet) = subnets.iter().find(overlaps) {
        let (id, cidr) = (subnet.subnet_id().unwrap_or_default(), subnet.cidr_block().unwrap_or_default());
        return Some(format!("has the subnet {id} ({cidr}) inside `cidr` {}: choose a free part", network.cidr));
    }
    (!names).then(|| "has no DNS host names, which the database's address needs: switch `enableDnsHostnames` on".into())
}
