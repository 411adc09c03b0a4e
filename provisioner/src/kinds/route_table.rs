//! Route tables, with their routes and the subnets that use them.

mod changes;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tokened::{Presence, tokened};
use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Ref, Result, State, Want, attrs, Tagged};
use super::{internet_gateway, nat_gateway, subnet, vpc};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, Nat, Network, Tier};

/// Everywhere.
const WORLD: &str = "0.0.0.0/0";

/// A route table.
pub struct RouteTable;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its VPC.
    pub vpc: Ref,
    /// IPv4 range to the id of an internet gateway or NAT gateway. Local routes and those of gateway endpoints, which
    /// AWS writes, are no part of it.
    pub routes: BTreeMap<String, Ref>,
    /// The subnets that use it.
    pub subnets: Vec<Ref>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `CreateRoute`, `ReplaceRoute`, `DeleteRoute`.
    Routes,
    /// `AssociateRouteTable`, `ReplaceRouteTableAssociation`, `DisassociateRouteTable`.
    Subnets,
}

/// The address of the public table.
pub(super) const PUBLIC: &str = "route-table/public";
/// The address of the data tier's table.
pub(super) const DATA: &str = "route-table/data";

/// The address of the servers' table in `zone`, from 1.
pub(super) fn app(zone: usize) -> String {
    format!("route-table/app-{zone}")
}

/// The addresses of every table.
pub(super) fn addresses(place: &Place) -> impl Iterator<Item = String> {
    [PUBLIC.to_owned(), DATA.to_owned()].into_iter().chain((1..=place.zones.len()).map(app))
}

fn table(vpc: Ref, address: impl Into<String>, way_out: Option<Ref>, subnets: Vec<String>) -> Want<Spec> {
    let routes = way_out.map(|target| (WORLD.to_owned(), target)).into_iter().collect();
    let subnets = subnets.into_iter().map(|subnet| Ref::to(subnet, "id")).collect();
    Want::new(address, Spec { vpc, routes, subnets })
}

/// The NAT gateway that serves `zone`.
fn nat_of(network: &Network, zone: usize) -> Option<Ref> {
    let number = match network.nat {
        Nat::None => return None,
        Nat::Single => 1,
        Nat::PerZone => zone,
    };
    Some(Ref::to(nat_gateway::address(number), "id"))
}

impl Kind for RouteTable {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "route_table";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("vpc"),
        Field::update("routes", Op::Routes, Impact::InPlace),
        Field::update("subnets", Op::Subnets, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &["internet_gateway", "nat_gateway", "subnet", "vpc"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(network) = &blueprint.network else { return Vec::new() };
        let of = |tier| subnet::addresses(blueprint, place, tier);
        let vpc = || vpc::reference(blueprint);
        let mut tables = vec![
            table(vpc(), PUBLIC, Some(internet_gateway::reference(place)), of(Tier::Public)),
            table(vpc(), DATA, None, of(Tier::Data)),
        ];
        // One for each zone even where they share a gateway, so that a gateway per zone changes a route and no table.
        for (index, subnet) in of(Tier::App).into_iter().enumerate() {
            let zone = index + 1;
            tables.push(table(vpc(), app(zone), nat_of(network, zone), vec![subnet]));
        }
        tables
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let call = cx.aws.ec2.describe_route_tables().set_filters(Some(cx.filters_of(Self::NAME)));
        let tables = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        let live = |table: aws_sdk_ec2::types::RouteTable| {
            let address = cx.node_of(Self::NAME, table.route_table_id().unwrap_or_default(), pairs(table.tags()))?;
            let spec = Spec {
                routes: table.routes().iter().filter_map(route).collect(),
                subnets: changes::associations(&table).map(|(subnet, _)| subnet.into()).collect(),
                vpc: table.vpc_id.unwrap_or_default().into(),
            };
            let id = table.route_table_id.unwrap_or_default();
            Some(Live { address, attrs: attrs([("id", &id)]), id, spec, state: State::Ready })
        };
        Ok(tables.into_iter().filter_map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let create = |token: String| async move {
            let answer = cx
                .aws
                .ec2
                .create_route_table()
                .vpc_id(want.spec.vpc.get())
                .client_token(token)
                .tag_specifications(cx.tags(&want.address).ec2_spec("route-table"))
                .send()
                .await?;
            let id = answer.route_table.and_then(|table| table.route_table_id);
            id.ok_or(Error::Incomplete { call: "ec2 CreateRouteTable", what: "RouteTableId" })
        };
        let look = |id: String| async move {
            let found = changes::find(cx, &id).await?;
            Ok(found.map_or(Presence::Unseen, |_| Presence::Alive))
        };
        let id = tokened(cx, want, create, look).await?;
        // Killed in between, the next run finds routes and subnets missing and adds them.
        changes::routes(cx, &id, &BTreeMap::new(), &want.spec.routes).await?;
        changes::subnets(cx, &id, &want.spec.subnets).await?;
        Ok(Created { attrs: attrs([("id", &id)]), id })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        let (id, live, want) = (&change.live.id, &change.live.spec, change.want);
        match op {
            Op::Routes => changes::routes(cx, id, &live.routes, &want.routes).await,
            Op::Subnets => changes::subnets(cx, id, &want.subnets).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        changes::subnets(cx, &live.id, &[]).await?;
        cx.aws.ec2.delete_route_table().route_table_id(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// Destination and target of a route that somebody made; AWS's own have another origin or an endpoint for a target.
fn route(route: &aws_sdk_ec2::types::Route) -> Option<(String, Ref)> {
    let destination = route.destination_cidr_block()?;
    let gateway = route.gateway_id().filter(|id| *id != "local" && !id.starts_with("vpce-"));
    let others = [
        route.nat_gateway_id(),
        gateway,
        route.network_interface_id(),
        route.transit_gateway_id(),
        route.vpc_peering_connection_id(),
    ];
    Some((destination.to_owned(), others.into_iter().flatten().next()?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_own_routes_are_left_out() {
        let build = || aws_sdk_ec2::types::Route::builder();
        let local = build().destination_cidr_block("10.0.0.0/16").gateway_id("local").build();
        let endpoint = build().destination_prefix_list_id("pl-1").gateway_id("vpce-1").build();
        let nat = build().destination_cidr_block(WORLD).nat_gateway_id("nat-1").build();
        assert_eq!(route(&local), None);
        assert_eq!(route(&endpoint), None);
        assert_eq!(route(&nat), Some((WORLD.to_owned(), "nat-1".into())));
    }
}
