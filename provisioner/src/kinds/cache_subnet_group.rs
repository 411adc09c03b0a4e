//! The subnets that cache nodes are placed in.

use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Ref, Result, State, Want, attrs, Tagged};
use super::{subnet, vpc};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{NameRule, Stack};
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, Tier};

/// Its address.
pub const ADDRESS: &str = "cache-subnet-group";

/// A cache subnet group over the data subnets.
pub struct CacheSubnetGroup;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// The VPC of its subnets: a group cannot move to another.
    pub vpc: Ref,
    /// Ids of its subnets.
    pub subnets: Vec<Ref>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyCacheSubnetGroup`.
    Modify,
}

fn name(stack: &Stack) -> String {
    stack.name_for(ADDRESS, NameRule::lower(255))
}

fn ids(spec: &Spec) -> Vec<String> {
    spec.subnets.iter().map(|subnet| subnet.get().to_owned()).collect()
}

impl Kind for CacheSubnetGroup {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "cache_subnet_group";
    const TAGGED: Tagged = Tagged::ElastiCache("subnetgroup");
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::replace("vpc"),
        Field::update("subnets", Op::Modify, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &["subnet", "vpc"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.cache.is_none() || blueprint.network.is_none() {
            return Vec::new();
        }
        let subnets = subnet::addresses(blueprint, place, Tier::Data);
        let spec = Spec {
            name: name(&place.stack),
            vpc: vpc::reference(blueprint),
            subnets: subnets.into_iter().map(|address| Ref::to(address, "id")).collect(),
        };
        vec![Want::new(ADDRESS, spec)]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = name(&cx.stack);
        let answer =
            cx.aws.elasticache.describe_cache_subnet_groups().cache_subnet_group_name(&name).send().await.gone_ok()?;
        let group = answer.and_then(|answer| answer.cache_subnet_groups?.into_iter().next());
        let Some(group) = group else { return Ok(Vec::new()) };
        let arn = group.arn().unwrap_or_default();
        let tags = cx.aws.elasticache.list_tags_for_resource().resource_name(arn).send().await.gone_ok()?;
        let Some(address) = tags.and_then(|tags| cx.node_of(Self::NAME, &name, pairs(tags.tag_list()))) else {
            return Ok(Vec::new());
        };
        let subnets = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier()).map(Ref::from).collect();
        let spec = Spec { name: name.clone(), vpc: group.vpc_id().unwrap_or_default().into(), subnets };
        Ok(vec![Live { address, attrs: attrs([("name", &name)]), id: name, spec, state: State::Ready }])
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        let answer = cx
            .aws
            .elasticache
            .create_cache_subnet_group()
            .cache_subnet_group_name(name)
            .cache_subnet_group_description(format!("Data subnets of stack {}", cx.stack.name))
            .set_subnet_ids(Some(ids(&want.spec)))
            .set_tags(Some(cx.tags(&want.address).elasticache()))
            .send()
            .await;
        match answer.map_err(CallError::from) {
            Ok(_) => {}
            Err(error) if error.is(&["CacheSubnetGroupAlreadyExists"]) => {
                if self.list(cx).await?.is_empty() {
                    return Err(Error::taken(format_args!("the cache subnet group {name}")));
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Created { id: name.clone(), attrs: attrs([("name", name)]) })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Modify => {
                let call = cx.aws.elasticache.modify_cache_subnet_group().cache_subnet_group_name(&change.live.id);
                call.set_subnet_ids(Some(ids(change.want))).send().await?;
                Ok(())
            }
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let call = cx.aws.elasticache.delete_cache_subnet_group().cache_subnet_group_name(&live.id);
        call.send().await.gone_ok()?;
        Ok(())
    }
}
