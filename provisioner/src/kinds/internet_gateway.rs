//! The VPC's way to the internet.

use aws_sdk_ec2::types::Filter;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Ref, Result, State, Want, attrs, vpc, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::TAG_NODE;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "internet-gateway";

/// An internet gateway, attached to the VPC.
pub struct InternetGateway;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The VPC that it belongs to.
    pub vpc: Ref,
    /// Whether it is attached there; only a run that was killed leaves one unattached.
    pub attached: bool,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `AttachInternetGateway`.
    Attach,
}

/// The gateway's id: the stack's own, or the one that an existing VPC has.
pub fn reference(place: &Place) -> Ref {
    place.internet_gateway.as_deref().map_or_else(|| Ref::to(ADDRESS, "id"), Ref::from)
}

/// The node that must be there before anything with a public address, where the stack makes it.
pub fn node(place: &Place) -> Option<String> {
    place.internet_gateway.is_none().then(|| ADDRESS.to_owned())
}

impl Kind for InternetGateway {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "internet_gateway";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Op>] =
        &[Field::replace("vpc"), Field::update("attached", Op::Attach, Impact::InPlace)];
    const AFTER: &'static [&'static str] = &["vpc"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.network.is_none() || place.internet_gateway.is_some() {
            return Vec::new();
        }
        vec![Want::new(ADDRESS, Spec { vpc: vpc::reference(blueprint), attached: true })]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let call = cx.aws.ec2.describe_internet_gateways().set_filters(Some(cx.filters_of(Self::NAME)));
        let gateways = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        let mut found = Vec::new();
        for gateway in gateways {
            let id = gateway.internet_gateway_id().unwrap_or_default().to_owned();
            let Some(address) = cx.node_of(Self::NAME, &id, pairs(gateway.tags())) else { continue };
            let attached = gateway.attachments().iter().find_map(|a| a.vpc_id());
            let spec = match attached {
                Some(vpc) => Spec { vpc: vpc.into(), attached: true },
                // It was made for the stack's VPC, where there is exactly one.
                None => Spec { vpc: stack_vpc(cx).await?.into(), attached: false },
            };
            found.push(Live { address, attrs: attrs([("id", &id)]), id, spec, state: State::Ready });
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let tags = cx.tags(&want.address).ec2_spec("internet-gateway");
        let answer = cx.aws.ec2.create_internet_gateway().tag_specifications(tags).send().await?;
        let id = answer
            .internet_gateway
            .and_then(|gateway| gateway.internet_gateway_id)
            .ok_or(Error::Incomplete { call: "ec2 CreateInternetGateway", what: "InternetGatewayId" })?;
        attach(cx, &id, want.spec.vpc.get()).await?;
        Ok(Created { attrs: attrs([("id", &id)]), id })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Attach => attach(cx, &change.live.id, change.want.vpc.get()).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        if live.spec.attached {
            let call = cx.aws.ec2.detach_internet_gateway().internet_gateway_id(&live.id).vpc_id(live.spec.vpc.get());
            match call.send().await.gone_ok() {
                Err(error) if !error.is(&["Gateway.NotAttached"]) => return Err(error.into()),
                _ => {}
            }
        }
        cx.aws.ec2.delete_internet_gateway().internet_gateway_id(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// Attaches it; what an attempt with a lost answer has attached is attached.
async fn attach(cx: &Cx, id: &str, vpc: &str) -> Result<()> {
    let call = cx.aws.ec2.attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
    match call.send().await.map_err(CallError::from) {
        Ok(_) => Ok(()),
        Err(error) if error.is(&["Resource.AlreadyAssociated"]) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn stack_vpc(cx: &Cx) -> Result<String> {
    let node = Filter::builder().name(format!("tag:{TAG_NODE}")).values(vpc::ADDRESS).build();
    let answer = cx.aws.ec2.describe_vpcs().set_filters(Some(cx.ec2_filters())).filters(node).send().await?;
    Ok(match answer.vpcs() {
        [vpc] => vpc.vpc_id().unwrap_or_default().to_owned(),
        _ => String::new(),
    })
}
