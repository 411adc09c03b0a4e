//! The engine parameters of the cache.

use std::collections::BTreeMap;

use aws_sdk_elasticache::types::ParameterNameValue;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, ReplaceOrder, Result, State, Want, attrs, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{NameRule, Stack};
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "cache-parameter-group";
/// Ranks carry no expiry, so they are never evicted: a rank that is missing would be a wrong answer. What does expire
/// goes soonest first.
const PARAMETERS: [(&str, &str); 1] = [("maxmemory-policy", "volatile-ttl")];

/// A cache parameter group. Its name carries the family, so that another major version gets a group of its own first.
pub struct CacheParameterGroup;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Engine and major version: `redis7`, `valkey8`.
    pub family: String,
    /// What differs from the family's defaults.
    pub parameters: BTreeMap<String, String>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyCacheParameterGroup` and `ResetCacheParameterGroup`.
    Parameters,
}

fn name(stack: &Stack, family: &str) -> String {
    stack.name_for(&format!("{ADDRESS}/{family}"), NameRule::lower(255))
}

/// Groups cannot be listed by tag, so the description narrows the candidates down; the tags decide.
fn description(stack: &Stack) -> String {
    format!("Cache of stack {} of {}", stack.name, stack.home)
}

impl Kind for CacheParameterGroup {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "cache_parameter_group";
    const TAGGED: Tagged = Tagged::ElastiCache("parametergroup");
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::replace("family"),
        Field::update("parameters", Op::Parameters, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &[];
    const REPLACE: ReplaceOrder = ReplaceOrder::CreateFirst;

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(cache) = &blueprint.cache else { return Vec::new() };
        let family = cache.family();
        let parameters = PARAMETERS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        vec![Want::new(ADDRESS, Spec { name: name(&place.stack, &family), family, parameters })]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let groups = cx
            .aws
            .elasticache
            .describe_cache_parameter_groups()
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        let wanted = description(&cx.stack);
        let mut found = Vec::new();
        for group in groups.into_iter().filter(|group| group.description() == Some(wanted.as_str())) {
            let arn = group.arn().unwrap_or_default();
            let tags = cx.aws.elasticache.list_tags_for_resource().resource_name(arn).send().await.gone_ok()?;
            let Some(tags) = tags else { continue };
            let name = group.cache_parameter_group_name.unwrap_or_default();
            let Some(address) = cx.node_of(Self::NAME, &name, pairs(tags.tag_list())) else { continue };
            let family = group.cache_parameter_group_family.unwrap_or_default();
            let spec = Spec { parameters: parameters(cx, &name).await?, name: name.clone(), family };
            found.push(Live { address, attrs: attrs([("name", &name)]), id: name, spec, state: State::Ready });
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        let answer = cx
            .aws
            .elasticache
            .create_cache_parameter_group()
            .cache_parameter_group_name(name)
            .cache_parameter_group_family(&want.spec.family)
            .description(description(&cx.stack))
            .set_tags(Some(cx.tags(&want.address).elasticache()))
            .send()
            .await;
        match answer.map_err(CallError::from) {
            Ok(_) => {}
            Err(error) if error.is(&["CacheParameterGroupAlreadyExists"]) => {
                if !self.list(cx).await?.iter().any(|live| live.id == *name) {
                    return Err(Error::taken(format_args!("the cache parameter group {name}")));
                }
            }
            Err(error) => return Err(error.into()),
        }
        // Killed before this call, the next run finds parameters that differ and puts them.
        put(cx, name, &want.spec.parameters).await?;
        Ok(Created { id: name.clone(), attrs: attrs([("name", name)]) })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        let (live, want) = (&change.live.spec.parameters, &change.want.parameters);
        match op {
            Op::Parameters => {
                put(cx, &change.live.id, want).await?;
                reset(cx, &change.live.id, live.keys().filter(|name| !want.contains_key(*name))).await
            }
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let call = cx.aws.elasticache.delete_cache_parameter_group().cache_parameter_group_name(&live.id);
        call.send().await.gone_ok()?;
        Ok(())
    }
}

async fn parameters(cx: &Cx, name: &str) -> Result<BTreeMap<String, String>> {
    let call = cx.aws.elasticache.describe_cache_parameters().cache_parameter_group_name(name).source("user");
    let Some(answer) = call.send().await.gone_ok()? else { return Ok(BTreeMap::new()) };
    let set = answer.parameters.unwrap_or_default().into_iter();
    Ok(set.filter_map(|parameter| Some((parameter.parameter_name?, parameter.parameter_value?))).collect())
}

fn pair(name: &str, value: Option<&str>) -> ParameterNameValue {
    ParameterNameValue::builder().parameter_name(name).set_parameter_value(value.map(str::to_owned)).build()
}

async fn put(cx: &Cx, name: &str, parameters: &BTreeMap<String, String>) -> Result<()> {
    if parameters.is_empty() {
        return Ok(());
    }
    let values = parameters.iter().map(|(name, value)| pair(name, Some(value))).collect();
    let call = cx.aws.elasticache.modify_cache_parameter_group().cache_parameter_group_name(name);
    call.set_parameter_name_values(Some(values)).send().await?;
    Ok(())
}

async fn reset(cx: &Cx, name: &str, parameters: impl Iterator<Item = &String>) -> Result<()> {
    let values: Vec<_> = parameters.map(|name| pair(name, None)).collect();
    if values.is_empty() {
        return Ok(());
    }
    let call = cx.aws.elasticache.reset_cache_parameter_group().cache_parameter_group_name(name);
    call.set_parameter_name_values(Some(values)).send().await?;
    Ok(())
}
