//! How a route table comes by its routes and subnets.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, RouteTable};

use crate::aws::error::{CallError, GoneOk};
use crate::kinds::{Cx, Ref, Result};

/// The table, while it exists.
pub async fn find(cx: &Cx, id: &str) -> Result<Option<RouteTable>> {
    let answer = cx.aws.ec2.describe_route_tables().route_table_ids(id).send().await.gone_ok()?;
    Ok(answer.and_then(|answer| answer.route_tables?.into_iter().next()))
}

/// Subnet and association id of every subnet that uses `table` by name (so not those that fall back on a main one).
pub fn associations(table: &RouteTable) -> impl Iterator<Item = (&str, &str)> {
    use aws_sdk_ec2::types::RouteTableAssociationStateCode as Code;
    let going = |state: Option<&Code>| matches!(state, Some(Code::Disassociated | Code::Disassociating));
    let held = table.associations().iter();
    held.filter(move |a| !going(a.association_state().and_then(|s| s.state())))
        .filter_map(|a| Some((a.subnet_id()?, a.route_table_association_id()?)))
}

/// Makes the routes `want`, and removes those of `live` that are not wanted.
pub async fn routes(cx: &Cx, id: &str, live: &BTreeMap<String, Ref>, want: &BTreeMap<String, Ref>) -> Result<()> {
    for (destination, target) in want {
        if live.get(destination) != Some(target) {
            set_route(cx, id, destination, target.get()).await?;
        }
    }
    for destination in live.keys().filter(|destination| !want.contains_key(*destination)) {
        let call = cx.aws.ec2.delete_route().route_table_id(id).destination_cidr_block(destination);
        call.send().await.gone_ok()?;
    }
    Ok(())
}

async fn set_route(cx: &Cx, id: &str, destination: &str, target: &str) -> Result<()> {
    let (nat, gateway) = if target.starts_with("nat-") { (Some(target), None) } else { (None, Some(target)) };
    let (nat, gateway) = (nat.map(str::to_owned), gateway.map(str::to_owned));
    let create = cx
        .aws
        .ec2
        .create_route()
        .route_table_id(id)
        .destination_cidr_block(destination)
        .set_nat_gateway_id(nat.clone())
        .set_gateway_id(gateway.clone());
    match create.send().await.map_err(CallError::from) {
        Ok(_) => return Ok(()),
        Err(error) if error.is(&["RouteAlreadyExists"]) => {}
        Err(error) => return Err(error.into()),
    }
    let replace = cx.aws.ec2.replace_route().route_table_id(id).destination_cidr_block(destination);
    replace.set_nat_gateway_id(nat).set_gateway_id(gateway).send().await?;
    Ok(())
}

/// Makes exactly `want` use the table. A subnet that uses another table moves over without a gap.
pub async fn subnets(cx: &Cx, id: &str, want: &[Ref]) -> Result<()> {
    let table = find(cx, id).await?;
    let held: BTreeMap<String, String> =
        table.iter().flat_map(associations).map(|(subnet, association)| (subnet.into(), association.into())).collect();
    for subnet in want.iter().map(Ref::get).filter(|subnet| !held.contains_key(*subnet)) {
        associate(cx, id, subnet).await?;
    }
    for (_, association) in held.iter().filter(|(subnet, _)| !want.iter().any(|want| want.get() == *subnet)) {
        cx.aws.ec2.disassociate_route_table().association_id(association).send().await.gone_ok()?;
    }
    Ok(())
}

async fn associate(cx: &Cx, id: &str, subnet: &str) -> Result<()> {
    let call = cx.aws.ec2.associate_route_table().route_table_id(id).subnet_id(subnet);
    let error = match call.send().await.map_err(CallError::from) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    if !error.is(&["Resource.AlreadyAssociated"]) {
        return Err(error.into());
    }
    let by_subnet = Filter::builder().name("association.subnet-id").values(subnet).build();
    let answer = cx.aws.ec2.describe_route_tables().filters(by_subnet).send().await?;
    for table in answer.route_tables() {
        let Some((_, association)) = associations(table).find(|(held, _)| *held == subnet) else { continue };
        if table.route_table_id() == Some(id) {
            return Ok(());
        }
        cx.aws.ec2.replace_route_table_association().association_id(association).route_table_id(id).send().await?;
        return Ok(());
    }
    Err(error.into())
}
