//! The stack's VPC.

use aws_sdk_ec2::types::VpcAttributeName;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Progress, Ref, Result, State, Want, attrs, holders, Tagged};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "vpc";

/// A virtual private cloud with DNS switched on.
pub struct Vpc;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// IPv4 range.
    pub cidr: String,
    /// Instances get public DNS names; interface endpoints and RDS need it.
    pub dns_hostnames: bool,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyVpcAttribute`.
    DnsHostnames,
}

/// The VPC's id: the stack's own, or the existing one that the blueprint names.
pub fn reference(blueprint: &Blueprint) -> Ref {
    let existing = blueprint.network.as_ref().and_then(|network| network.vpc.as_deref());
    existing.map_or_else(|| Ref::to(ADDRESS, "id"), Ref::from)
}

impl Kind for Vpc {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "vpc";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Op>] =
        &[Field::replace("cidr"), Field::update("dns_hostnames", Op::DnsHostnames, Impact::None)];
    const AFTER: &'static [&'static str] = &[];

    fn desired(&self, blueprint: &Blueprint, _place: &Place) -> Vec<Want<Spec>> {
        let Some(network) = blueprint.network.as_ref().filter(|network| network.vpc.is_none()) else { return Vec::new() };
        vec![Want::new(ADDRESS, Spec { cidr: network.cidr.to_string(), dns_hostnames: true })]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let answer = cx.aws.ec2.describe_vpcs().set_filters(Some(cx.filters_of(Self::NAME))).send().await?;
        let mut found = Vec::new();
        for vpc in answer.vpcs() {
            let id = vpc.vpc_id().unwrap_or_default();
            let Some(address) = cx.node_of(Self::NAME, id, pairs(vpc.tags())) else { continue };
            let attribute = cx
                .aws
                .ec2
                .describe_vpc_attribute()
                .vpc_id(id)
                .attribute(VpcAttributeName::EnableDnsHostnames)
                .send()
                .await
                .gone_ok()?;
            let dns_hostnames = attribute.and_then(|a| a.enable_dns_hostnames?.value).unwrap_or(false);
            found.push(Live {
                address,
                id: id.to_owned(),
                spec: Spec { cidr: vpc.cidr_block().unwrap_or_default().to_owned(), dns_hostnames },
                attrs: attrs([("id", id)]),
                state: State::Ready,
            });
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let answer = cx
            .aws
            .ec2
            .create_vpc()
            .cidr_block(&want.spec.cidr)
            .tag_specifications(cx.tags(&want.address).ec2_spec("vpc"))
            .send()
            .await?;
        let id = answer
            .vpc
            .and_then(|vpc| vpc.vpc_id)
            .ok_or(Error::Incomplete { call: "ec2 CreateVpc", what: "VpcId" })?;
        // Killed before this call, the next run finds the attribute off and updates it.
        set_dns_hostnames(cx, &id, want.spec.dns_hostnames).await?;
        Ok(Created { attrs: attrs([("id", &id)]), id })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let answer = cx.aws.ec2.describe_vpcs().vpc_ids(id).send().await?;
        Ok(match answer.vpcs().first().and_then(|vpc| vpc.state()) {
            Some(aws_sdk_ec2::types::VpcState::Available) => Progress::Ready(attrs([("id", id)])),
            state => Progress::Pending(state.map_or("pending", |state| state.as_str()).to_owned()),
        })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::DnsHostnames => set_dns_hostnames(cx, &change.live.id, change.want.dns_hostnames).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        match cx.aws.ec2.delete_vpc().vpc_id(&live.id).send().await.gone_ok() {
            Ok(_) => Ok(()),
            Err(error) => Err(holders::explain(cx, &live.id, &live.id, error).await),
        }
    }
}

async fn set_dns_hostnames(cx: &Cx, id: &str, on: bool) -> Result<()> {
    let value = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(on).build();
    cx.aws.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(value).send().await?;
    Ok(())
}
