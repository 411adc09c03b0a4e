//! Fixed public addresses, one for each NAT gateway.

use aws_sdk_ec2::types::DomainType;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Kind, Live, Place, Result, State, Want, attrs, Tagged};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// An Elastic IP address; its id is the allocation id.
pub struct ElasticIp;

/// There is nothing to choose.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {}

/// The address of the Elastic IP of NAT gateway `number`, from 1.
pub(super) fn address(number: usize) -> String {
    format!("elastic-ip/nat-{number}")
}

impl Kind for ElasticIp {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "elastic_ip";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Self::Op>] = &[];
    const AFTER: &'static [&'static str] = &[];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let count = blueprint.network.as_ref().map_or(0, |network| network.nat_gateways(place.zones.len()));
        (1..=count).map(|number| Want::new(address(number), Spec {})).collect()
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let answer = cx.aws.ec2.describe_addresses().set_filters(Some(cx.filters_of(Self::NAME))).send().await?;
        let live = |held: &aws_sdk_ec2::types::Address| {
            let id = held.allocation_id().unwrap_or_default();
            let address = cx.node_of(Self::NAME, id, pairs(held.tags()))?;
            let attrs = attrs([("id", id), ("public_ip", held.public_ip().unwrap_or_default())]);
            Some(Live { address, id: id.to_owned(), spec: Spec {}, attrs, state: State::Ready })
        };
        Ok(answer.addresses().iter().filter_map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let tags = cx.tags(&want.address).ec2_spec("elastic-ip");
        let answer = cx.aws.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags).send().await?;
        let public_ip = answer.public_ip.unwrap_or_default();
        let id = answer
            .allocation_id
            .ok_or(Error::Incomplete { call: "ec2 AllocateAddress", what: "AllocationId" })?;
        Ok(Created { attrs: attrs([("id", &id), ("public_ip", &public_ip)]), id })
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.ec2.release_address().allocation_id(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}
