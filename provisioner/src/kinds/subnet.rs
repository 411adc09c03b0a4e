//! The subnets: public, app and data in each zone.

use aws_sdk_ec2::types::{AttributeBooleanValue, SubnetState};
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Progress, Ref, Result, State, Want, attrs, Tagged};
use super::{holders, vpc};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, Tier};

/// A subnet of the VPC.
pub struct Subnet;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its VPC.
    pub vpc: Ref,
    /// IPv4 range.
    pub cidr: String,
    /// Availability zone, by name.
    pub zone: String,
    /// Instances get public addresses.
    pub public_addresses: bool,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifySubnetAttribute`.
    PublicAddresses,
}

/// The addresses of the subnets of `tier`, zone by zone.
pub(super) fn addresses(blueprint: &Blueprint, place: &Place, tier: Tier) -> Vec<String> {
    let subnets = blueprint.network.as_ref().map(|network| network.subnets(place.zones.len())).unwrap_or_default();
    subnets.iter().filter(|subnet| subnet.tier == tier).map(|subnet| subnet.address()).collect()
}

impl Kind for Subnet {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "subnet";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("vpc"),
        Field::replace("cidr"),
        Field::replace("zone"),
        Field::update("public_addresses", Op::PublicAddresses, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &["vpc"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(network) = &blueprint.network else { return Vec::new() };
        let node = |subnet: &crate::blueprint::Subnet| {
            let zone = place.zones.get(subnet.zone - 1)?.clone();
            let public_addresses = subnet.tier == Tier::Public;
            let spec =
                Spec { vpc: vpc::reference(blueprint), cidr: subnet.cidr.to_string(), zone, public_addresses };
            Some(Want::new(subnet.address(), spec))
        };
        network.subnets(place.zones.len()).iter().filter_map(node).collect()
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let call = cx.aws.ec2.describe_subnets().set_filters(Some(cx.filters_of(Self::NAME)));
        let subnets = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        let live = |subnet: aws_sdk_ec2::types::Subnet| {
            let address = cx.node_of(Self::NAME, subnet.subnet_id().unwrap_or_default(), pairs(subnet.tags()))?;
            let state = match subnet.state() {
                Some(SubnetState::Pending) => State::Pending("pending".into()),
                _ => State::Ready,
            };
            let (id, zone) = (subnet.subnet_id.unwrap_or_default(), subnet.availability_zone.unwrap_or_default());
            Some(Live {
                address,
                attrs: attrs([("id", &id), ("zone", &zone)]),
                id,
                spec: Spec {
                    vpc: subnet.vpc_id.unwrap_or_default().into(),
                    cidr: subnet.cidr_block.unwrap_or_default(),
                    zone,
                    public_addresses: subnet.map_public_ip_on_launch.unwrap_or(false),
                },
                state,
            })
        };
        Ok(subnets.into_iter().filter_map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let spec = &want.spec;
        let answer = cx
            .aws
            .ec2
            .create_subnet()
            .vpc_id(spec.vpc.get())
            .cidr_block(&spec.cidr)
            .availability_zone(&spec.zone)
            .tag_specifications(cx.tags(&want.address).ec2_spec("subnet"))
            .send()
            .await?;
        let id = answer
            .subnet
            .and_then(|subnet| subnet.subnet_id)
            .ok_or(Error::Incomplete { call: "ec2 CreateSubnet", what: "SubnetId" })?;
        // Killed before this call, the next run finds the attribute off and updates it.
        if spec.public_addresses {
            set_public_addresses(cx, &id, true).await?;
        }
        Ok(Created { attrs: attrs([("id", &id), ("zone", &spec.zone)]), id })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let answer = cx.aws.ec2.describe_subnets().subnet_ids(id).send().await?;
        let subnet = answer.subnets().first();
        let zone = subnet.and_then(|subnet| subnet.availability_zone()).unwrap_or_default();
        Ok(match subnet.and_then(|subnet| subnet.state()) {
            Some(SubnetState::Available) => Progress::Ready(attrs([("id", id), ("zone", zone)])),
            state => Progress::Pending(state.map_or("pending", |state| state.as_str()).to_owned()),
        })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::PublicAddresses => set_public_addresses(cx, &change.live.id, change.want.public_addresses).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        match cx.aws.ec2.delete_subnet().subnet_id(&live.id).send().await.gone_ok() {
            Ok(_) => Ok(()),
            Err(error) => Err(holders::explain(cx, &live.id, live.spec.vpc.get(), error).await),
        }
    }
}

/// The VPC of a subnet; empty where there is none such.
pub async fn vpc_of(cx: &Cx, id: Option<&str>) -> Result<String> {
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(String::new()) };
    let found = cx.aws.ec2.describe_subnets().subnet_ids(id).send().await.gone_ok()?;
    Ok(found.and_then(|found| found.subnets?.into_iter().next()?.vpc_id).unwrap_or_default())
}

async fn set_public_addresses(cx: &Cx, id: &str, on: bool) -> Result<()> {
    let value = AttributeBooleanValue::builder().value(on).build();
    cx.aws.ec2.modify_subnet_attribute().subnet_id(id).map_public_ip_on_launch(value).send().await?;
    Ok(())
}
