//! Gateway endpoints: S3 and DynamoDB without the way through a NAT gateway.

use std::time::Duration;

use aws_sdk_ec2::types::VpcEndpointType;
use serde::{Deserialize, Serialize};

use super::tokened::{Presence, tokened};
use super::{Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Ref, Result, State, Tagged};
use super::{Want, attrs, route_table, vpc};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// The services that have gateway endpoints.
const SERVICES: [&str; 2] = ["s3", "dynamodb"];

/// A gateway endpoint in every route table.
pub struct VpcEndpoint;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its VPC.
    pub vpc: Ref,
    /// The service's full name: `com.amazonaws.<region>.s3`.
    pub service: String,
    /// The route tables that lead to it.
    pub route_tables: Vec<Ref>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyVpcEndpoint`.
    RouteTables,
}

impl Kind for VpcEndpoint {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "vpc_endpoint";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("vpc"),
        Field::replace("service"),
        Field::update("route_tables", Op::RouteTables, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &["route_table", "vpc"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.network.is_none() {
            return Vec::new();
        }
        let node = |service| {
            let spec = Spec {
                vpc: vpc::reference(blueprint),
                service: format!("com.amazonaws.{}.{service}", place.stack.home),
                route_tables: route_table::addresses(place).map(|table| Ref::to(table, "id")).collect(),
            };
            Want::new(format!("vpc-endpoint/{service}"), spec)
        };
        SERVICES.map(node).into()
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(if phase == Phase::Update { 2 } else { 5 })
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let call = cx.aws.ec2.describe_vpc_endpoints().set_filters(Some(cx.filters_of(Self::NAME)));
        let endpoints = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        let live = |endpoint: aws_sdk_ec2::types::VpcEndpoint| {
            let address = cx.node_of(Self::NAME, endpoint.vpc_endpoint_id().unwrap_or_default(), pairs(endpoint.tags()))?;
            let state = state(&endpoint)?;
            let spec = Spec {
                route_tables: endpoint.route_table_ids().iter().map(|id| id.as_str().into()).collect(),
                vpc: endpoint.vpc_id.unwrap_or_default().into(),
                service: endpoint.service_name.unwrap_or_default(),
            };
            let id = endpoint.vpc_endpoint_id.unwrap_or_default();
            Some(Live { address, attrs: attrs([("id", &id)]), id, spec, state })
        };
        Ok(endpoints.into_iter().filter_map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let create = |token: String| async move {
            let tables = want.spec.route_tables.iter().map(|table| table.get().to_owned()).collect();
            let answer = cx
                .aws
                .ec2
                .create_vpc_endpoint()
                .vpc_endpoint_type(VpcEndpointType::Gateway)
                .vpc_id(want.spec.vpc.get())
                .service_name(&want.spec.service)
                .set_route_table_ids(Some(tables))
                .client_token(token)
                .tag_specifications(cx.tags(&want.address).ec2_spec("vpc-endpoint"))
                .send()
                .await?;
            let id = answer.vpc_endpoint.and_then(|endpoint| endpoint.vpc_endpoint_id);
            id.ok_or(Error::Incomplete { call: "ec2 CreateVpcEndpoint", what: "VpcEndpointId" })
        };
        let look = |id: String| async move {
            Ok(match find(cx, &id).await?.as_ref().map(state) {
                None => Presence::Unseen,
                Some(None | Some(State::Deleting)) => Presence::Dead,
                Some(Some(_)) => Presence::Alive,
            })
        };
        let id = tokened(cx, want, create, look).await?;
        Ok(Created { attrs: attrs([("id", &id)]), id })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        match find(cx, id).await?.as_ref().and_then(state) {
            Some(State::Ready) => Ok(Progress::Ready(attrs([("id", id)]))),
            Some(State::Failed(reason)) => Err(Error::Failed { resource: id.to_owned(), reason }),
            Some(State::Pending(state)) => Ok(Progress::Pending(state)),
            Some(State::Deleting) | None => Ok(Progress::Pending("not visible yet".into())),
        }
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        let (live, want) = (&change.live.spec.route_tables, &change.want.route_tables);
        let missing = |from: &[Ref], these: &[Ref]| -> Option<Vec<String>> {
            let ids: Vec<_> = these.iter().filter(|id| !from.contains(id)).map(|id| id.get().to_owned()).collect();
            Some(ids).filter(|ids| !ids.is_empty())
        };
        match op {
            Op::RouteTables => {
                cx.aws
                    .ec2
                    .modify_vpc_endpoint()
                    .vpc_endpoint_id(&change.live.id)
                    .set_add_route_table_ids(missing(live, want))
                    .set_remove_route_table_ids(missing(want, live))
                    .send()
                    .await?;
                Ok(())
            }
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let call = cx.aws.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&live.id);
        let answer = match call.send().await.map_err(CallError::from) {
            Ok(answer) => answer,
            // Its own absence alone: a route or table that is not there says nothing of the endpoint.
            Err(error) if is_absent(error.code.as_deref()) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // What could not be deleted is in the answer, not in an error.
        for error in answer.unsuccessful().iter().filter_map(|item| item.error()) {
            if !is_absent(error.code()) {
                let code = error.code().unwrap_or_default();
                let reason = format!("{code}: {}", error.message().unwrap_or_default());
                return Err(Error::Failed { resource: live.id.clone(), reason });
            }
        }
        Ok(())
    }

    async fn gone(&self, cx: &Cx, live: &Live<Spec>) -> Result<Progress> {
        Ok(match find(cx, &live.id).await?.as_ref().and_then(state) {
            None => Progress::Ready(Attrs::new()),
            Some(_) => Progress::Pending("deleting".into()),
        })
    }
}

fn is_absent(code: Option<&str>) -> bool {
    code.is_some_and(|code| code.starts_with("InvalidVpcEndpoint") && code.ends_with("NotFound"))
}

async fn find(cx: &Cx, id: &str) -> Result<Option<aws_sdk_ec2::types::VpcEndpoint>> {
    let answer = cx.aws.ec2.describe_vpc_endpoints().vpc_endpoint_ids(id).send().await.gone_ok()?;
    Ok(answer.and_then(|answer| answer.vpc_endpoints?.into_iter().next()))
}

/// `None`: it is deleted. The model and the wire write the states differently.
fn state(endpoint: &aws_sdk_ec2::types::VpcEndpoint) -> Option<State> {
    let state = endpoint.state().map_or("available", |state| state.as_str()).to_lowercase();
    Some(match state.as_str() {
        "available" => State::Ready,
        "deleting" => State::Deleting,
        "deleted" => return None,
        "failed" | "rejected" | "expired" => {
            let reason = endpoint.last_error().and_then(|error| error.message()).unwrap_or("AWS gives no reason");
            State::Failed(format!("{state}: {reason}"))
        }
        _ => State::Pending(state),
    })
}
