//! The availability zones of a stack: those that it lives in already, then others that have what it needs.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, LocationType};

use super::observed::Inventory;
use super::place::{PlaceError, both, lookup};
use crate::aws::Aws;
use crate::aws::error::CallError;
use crate::blueprint::{Blueprint, Tier, ZoneSpec};

/// The region's zones that offer the servers' and the database's types, by name.
pub async fn offered(aws: &Aws, blueprint: &Blueprint) -> Result<Vec<String>, PlaceError> {
    if blueprint.network.is_none() {
        return Ok(Vec::new());
    }
    let (open, servers, database) =
        futures::join!(open_zones(aws), with_instance_type(aws, blueprint), with_database_class(aws, blueprint));
    let (open, (servers, database)) = both((open, both((servers, database))))?;
    let has = |zones: &Option<BTreeSet<String>>, zone: &String| zones.as_ref().is_none_or(|zones| zones.contains(zone));
    Ok(open.into_iter().filter(|zone| has(&servers, zone) && has(&database, zone)).collect())
}

/// The zones of the stack, in the order of the subnets' numbers. A live subnet keeps its zone, whatever is on offer.
pub fn chosen(
    blueprint: &Blueprint,
    region: &str,
    offered: &[String],
    inventory: &Inventory,
) -> Result<Vec<String>, PlaceError> {
    let Some(network) = &blueprint.network else { return Ok(Vec::new()) };
    let wanted = match &network.zones {
        ZoneSpec::Named(names) => names.iter().map(|name| Some(name.clone())).collect(),
        ZoneSpec::Count(count) => {
            (1..=usize::from(*count)).map(|number| live_zone(inventory, number)).collect::<Vec<_>>()
        }
    };
    let taken: BTreeSet<String> = wanted.iter().flatten().cloned().collect();
    let live: BTreeSet<String> = (1..=wanted.len()).filter_map(|number| live_zone(inventory, number)).collect();
    let mut free = offered.iter().filter(|zone| !taken.contains(*zone));
    let zones: Vec<String> = wanted.iter().filter_map(|zone| zone.clone().or_else(|| free.next().cloned())).collect();
    let possible = |zone: &String| offered.contains(zone) || live.contains(zone);
    if zones.len() == wanted.len() && zones.iter().all(possible) {
        return Ok(zones);
    }
    Err(PlaceError::Zones {
        region: region.to_owned(),
        offered: offered.len(),
        names: offered.join(", "),
        wanted: match &network.zones {
            ZoneSpec::Count(count) => count.to_string(),
            ZoneSpec::Named(names) => names.join(", "),
        },
    })
}

fn live_zone(inventory: &Inventory, number: usize) -> Option<String> {
    [Tier::Public, Tier::App, Tier::Data].iter().find_map(|tier| {
        let subnet = inventory.live.get(&format!("subnet/{}-{number}", tier.as_str()))?;
        Some(subnet.props.get("zone")?.as_str()?.to_owned())
    })
}

async fn open_zones(aws: &Aws) -> Result<Vec<String>, PlaceError> {
    let only = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let answer = aws
        .ec2
        .describe_availability_zones()
        .filters(only("zone-type", "availability-zone"))
        .filters(only("state", "available"))
        .send()
        .await
        .map_err(|e| lookup("the region's availability zones", e.into()))?;
    let mut zones: Vec<String> =
        answer.availability_zones().iter().filter_map(|zone| zone.zone_name().map(str::to_owned)).collect();
    zones.sort();
    Ok(zones)
}

async fn with_instance_type(aws: &Aws, blueprint: &Blueprint) -> Result<Option<BTreeSet<String>>, PlaceError> {
    let Some(servers) = &blueprint.servers else { return Ok(None) };
    let answer = aws
        .ec2
        .describe_instance_type_offerings()
        .location_type(LocationType::AvailabilityZone)
        .filters(Filter::builder().name("instance-type").values(&servers.instance_type).build())
        .send()
        .await;
    let answer = known("the zones that offer the instance type", answer.map_err(CallError::from))?;
    let Some(answer) = answer else { return Ok(None) };
    let zones = answer.instance_type_offerings().iter().filter_map(|offer| offer.location().map(str::to_owned));
    some_zones(aws, &servers.instance_type, zones)
}

async fn with_database_class(aws: &Aws, blueprint: &Blueprint) -> Result<Option<BTreeSet<String>>, PlaceError> {
    let Some(database) = &blueprint.database else { return Ok(None) };
    let call = aws.rds.describe_orderable_db_instance_options().engine("mysql").vpc(true);
    let pages = call.db_instance_class(&database.instance_class).into_paginator().items().send();
    let answer = pages.collect::<Result<Vec<_>, _>>().await.map_err(CallError::from);
    let Some(answer) = known("the zones that offer the database class", answer)? else { return Ok(None) };
    let of_version = answer
        .iter()
        .filter(|option| option.engine_version().is_some_and(|version| version.starts_with(&database.engine_version)));
    let zones = of_version.flat_map(|option| option.availability_zones()).filter_map(|z| z.name().map(str::to_owned));
    some_zones(aws, &format!("{} for MySQL {}", database.instance_class, database.engine_version), zones)
}

/// `None` where the endpoint lacks the call: whether it has what the blueprint needs is asked of every kind.
fn known<T>(what: &'static str, answer: Result<T, CallError>) -> Result<Option<T>, PlaceError> {
    match answer {
        Err(error) if error.lacking().is_some() => Ok(None),
        answer => answer.map(Some).map_err(|error| lookup(what, error)),
    }
}

fn some_zones(
    aws: &Aws,
    what: &str,
    zones: impl Iterator<Item = String>,
) -> Result<Option<BTreeSet<String>>, PlaceError> {
    let zones: BTreeSet<String> = zones.collect();
    if zones.is_empty() {
        return Err(PlaceError::NotOffered { region: aws.home.clone(), what: what.to_owned() });
    }
    Ok(Some(zones))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{Attrs, Observed, State};

    fn blueprint(zones: &str) -> Blueprint {
        let text = format!(
            "[stack]\nname = \"game\"\nenvironment = \"dev\"\nregion = \"eu-central-1\"\n\n[network]\nzones = {zones}\n"
        );
        crate::blueprint::parse("provision.toml", &text).expect("a valid blueprint")
    }

    fn subnet(number: usize, zone: &str) -> Observed {
        Observed {
            address: format!("subnet/app-{number}"),
            kind: "subnet",
            id: format!("subnet-{number}"),
            props: serde_json::json!({ "zone": zone }),
            attrs: Attrs::new(),
            tags: None,
            state: State::Ready,
        }
    }

    fn names(zones: &[&str]) -> Vec<String> {
        zones.iter().map(|zone| (*zone).to_owned()).collect()
    }

    #[test]
    fn a_live_subnet_keeps_its_zone() {
        let offered = names(&["eu-central-1a", "eu-central-1c"]);
        let live = Inventory::of(vec![subnet(1, "eu-central-1b")]);
        let zones = chosen(&blueprint("2"), "eu-central-1", &offered, &live).expect("zones");
        assert_eq!(zones, names(&["eu-central-1b", "eu-central-1a"]));
        let zones = chosen(&blueprint("2"), "eu-central-1", &offered, &Inventory::of(Vec::new())).expect("zones");
        assert_eq!(zones, offered);
    }

    #[test]
    fn too_few_zones_are_an_error() {
        let offered = names(&["eu-central-1a", "eu-central-1c"]);
        let none = Inventory::of(Vec::new());
        let error = chosen(&blueprint("3"), "eu-central-1", &offered, &none).expect_err("two are no three");
        assert!(error.to_string().contains("it wants 3"), "{error}");
        let named = blueprint("[\"eu-central-1a\", \"eu-central-1b\"]");
        assert!(chosen(&named, "eu-central-1", &offered, &none).is_err());
    }
}
