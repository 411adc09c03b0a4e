//! NAT gateways: the way out for servers in private subnets.

use std::time::Duration;

use aws_sdk_ec2::types::{ConnectivityType, Filter, NatGatewayState};
use serde::{Deserialize, Serialize};

use super::tokened::{Presence, tokened};
use super::{Attrs, Change, Created, Cx, Error, Field, Kind, Live, Phase, Place, Progress, Ref, Result, State, Want, Tagged};
use super::{attrs, elastic_ip, internet_gateway};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// A public NAT gateway.
pub struct NatGateway;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The public subnet that it is in.
    pub subnet: Ref,
    /// Its address, by allocation id.
    pub allocation: Ref,
}

/// The address of NAT gateway `number`, from 1.
pub(super) fn address(number: usize) -> String {
    format!("nat-gateway/{number}")
}

impl Kind for NatGateway {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "nat_gateway";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Self::Op>] = &[Field::replace("subnet"), Field::replace("allocation")];
    const AFTER: &'static [&'static str] = &["elastic_ip", "internet_gateway", "subnet"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let count = blueprint.network.as_ref().map_or(0, |network| network.nat_gateways(place.zones.len()));
        let node = |number| {
            let spec = Spec {
                subnet: Ref::to(format!("subnet/public-{number}"), "id"),
                allocation: Ref::to(elastic_ip::address(number), "id"),
            };
            Want::new(address(number), spec).after_any(internet_gateway::node(place))
        };
        (1..=count).map(node).collect()
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(if phase == Phase::Delete { 60 } else { 105 })
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(1200)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let alive = ["pending", "available", "deleting", "failed"].map(String::from);
        let call = cx
            .aws
            .ec2
            .describe_nat_gateways()
            .set_filter(Some(cx.filters_of(Self::NAME)))
            .filter(Filter::builder().name("state").set_values(Some(alive.into())).build());
        let gateways = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        let live = |gateway: aws_sdk_ec2::types::NatGateway| {
            let address = cx.node_of(Self::NAME, gateway.nat_gateway_id().unwrap_or_default(), pairs(gateway.tags()))?;
            let state = state(&gateway)?;
            let allocation = gateway.nat_gateway_addresses().iter().find_map(|a| a.allocation_id());
            let spec = Spec {
                subnet: gateway.subnet_id().unwrap_or_default().into(),
                allocation: allocation.unwrap_or_default().into(),
            };
            let id = gateway.nat_gateway_id.unwrap_or_default();
            Some(Live { address, attrs: attrs([("id", &id)]), id, spec, state })
        };
        Ok(gateways.into_iter().filter_map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let create = |token: String| async move {
            let answer = cx
                .aws
                .ec2
                .create_nat_gateway()
                .subnet_id(want.spec.subnet.get())
                .allocation_id(want.spec.allocation.get())
                .connectivity_type(ConnectivityType::Public)
                .client_token(token)
                .tag_specifications(cx.tags(&want.address).ec2_spec("natgateway"))
                .send()
                .await?;
            let id = answer.nat_gateway.and_then(|gateway| gateway.nat_gateway_id);
            id.ok_or(Error::Incomplete { call: "ec2 CreateNatGateway", what: "NatGatewayId" })
        };
        let look = |id: String| async move {
            Ok(match find(cx, &id).await?.as_ref().map(state) {
                None => Presence::Unseen,
                Some(Some(State::Ready | State::Pending(_))) => Presence::Alive,
                // A new one that fails at once is reported by `ready`; only an older one is passed over.
                Some(Some(State::Failed(reason))) => return Err(Error::Failed { resource: id, reason }),
                Some(_) => Presence::Dead,
            })
        };
        let id = tokened(cx, want, create, look).await?;
        Ok(Created { attrs: attrs([("id", &id)]), id })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        match find(cx, id).await?.as_ref().map(state) {
            Some(Some(State::Ready)) => Ok(Progress::Ready(attrs([("id", id)]))),
            Some(Some(State::Failed(reason))) => Err(Error::Failed { resource: id.to_owned(), reason }),
            Some(Some(State::Deleting) | None) => {
                Err(Error::Failed { resource: id.to_owned(), reason: "somebody deleted it".into() })
            }
            // Not visible yet, or on its way.
            _ => Ok(Progress::Pending("pending".into())),
        }
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        if live.state != State::Deleting {
            cx.aws.ec2.delete_nat_gateway().nat_gateway_id(&live.id).send().await.gone_ok()?;
        }
        Ok(())
    }

    /// Its address and its interface are held until it is deleted.
    async fn gone(&self, cx: &Cx, live: &Live<Spec>) -> Result<Progress> {
        Ok(match find(cx, &live.id).await?.as_ref().map(state) {
            None | Some(None) => Progress::Ready(Attrs::new()),
            Some(Some(_)) => Progress::Pending("deleting".into()),
        })
    }
}

async fn find(cx: &Cx, id: &str) -> Result<Option<aws_sdk_ec2::types::NatGateway>> {
    let answer = cx.aws.ec2.describe_nat_gateways().nat_gateway_ids(id).send().await.gone_ok()?;
    Ok(answer.and_then(|answer| answer.nat_gateways?.into_iter().next()))
}

/// `None`: it is deleted; AWS still shows it for an hour.
fn state(gateway: &aws_sdk_ec2::types::NatGateway) -> Option<State> {
    Some(match gateway.state() {
        Some(NatGatewayState::Available) => State::Ready,
        Some(NatGatewayState::Deleting) => State::Deleting,
        Some(NatGatewayState::Deleted) => return None,
        Some(NatGatewayState::Failed) => {
            let (code, message) = (gateway.failure_code().unwrap_or("no code"), gateway.failure_message());
            State::Failed(format!("{code}: {}", message.unwrap_or("AWS gives no reason")))
        }
        _ => State::Pending("pending".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(state: NatGatewayState) -> aws_sdk_ec2::types::builders::NatGatewayBuilder {
        aws_sdk_ec2::types::NatGateway::builder().state(state)
    }

    #[test]
    fn a_failed_one_says_why() {
        let failed = gateway(NatGatewayState::Failed)
            .failure_code("Gateway.NotAttached")
            .failure_message("Network vpc-1 has no Internet gateway attached")
            .build();
        let reason = "Gateway.NotAttached: Network vpc-1 has no Internet gateway attached";
        assert_eq!(state(&failed), Some(State::Failed(reason.into())));
    }

    #[test]
    fn a_deleted_one_does_not_count() {
        assert_eq!(state(&gateway(NatGatewayState::Deleted).build()), None);
        assert_eq!(state(&gateway(NatGatewayState::Deleting).build()), Some(State::Deleting));
    }
}
