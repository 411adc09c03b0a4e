//! The engine parameters of the database.

use std::collections::BTreeMap;

use aws_sdk_rds::types::{ApplyMethod, Parameter};
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, ReplaceOrder, Result, State, Want, attrs, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{NameRule, Stack};
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, Database};

/// Its address.
pub const ADDRESS: &str = "db-parameter-group";
/// RDS takes so many parameters a call.
const MOST_AT_ONCE: usize = 20;

/// A DB parameter group. Its name carries the family, so that another major version gets a group of its own first.
pub struct DbParameterGroup;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Engine and version: `mysql8.4`.
    pub family: String,
    /// What differs from the family's defaults. All of them are dynamic: they take effect without a restart.
    pub parameters: BTreeMap<String, String>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyDBParameterGroup` and `ResetDBParameterGroup`.
    Parameters,
}

fn name(stack: &Stack, family: &str) -> String {
    stack.name_for(&format!("{ADDRESS}/{family}"), NameRule::lower(255))
}

/// Groups cannot be listed by tag, so the description narrows the candidates down; the tags decide.
fn description(stack: &Stack) -> String {
    format!("Database of stack {} of {}", stack.name, stack.home)
}

fn parameters(database: &Database) -> BTreeMap<String, String> {
    let wanted = [
        // The slow-query log is exported only when it is written, and to files.
        ("slow_query_log", "1"),
        ("long_query_time", "1"),
        ("log_output", "FILE"),
        // Each of up to thirty servers keeps its own prepared statements on each of its connections.
        ("max_prepared_stmt_count", "65536"),
        ("require_secure_transport", if database.tls { "1" } else { "0" }),
    ];
    wanted.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Kind for DbParameterGroup {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "db_parameter_group";
    const TAGGED: Tagged = Tagged::Rds("pg");
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::replace("family"),
        Field::update("parameters", Op::Parameters, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &[];
    const REPLACE: ReplaceOrder = ReplaceOrder::CreateFirst;

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(database) = &blueprint.database else { return Vec::new() };
        let family = database.family();
        let spec = Spec { name: name(&place.stack, &family), family, parameters: parameters(database) };
        vec![Want::new(ADDRESS, spec)]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let all = cx.aws.rds.describe_db_parameter_groups().into_paginator().items().send();
        let groups = all.collect::<Result<Vec<_>, _>>().await?;
        let wanted = description(&cx.stack);
        let mut found = Vec::new();
        for group in groups.into_iter().filter(|group| group.description() == Some(wanted.as_str())) {
            let arn = group.db_parameter_group_arn().unwrap_or_default();
            let tags = cx.aws.rds.list_tags_for_resource().resource_name(arn).send().await.gone_ok()?;
            let Some(tags) = tags else { continue };
            let name = group.db_parameter_group_name.unwrap_or_default();
            let Some(address) = cx.node_of(Self::NAME, &name, pairs(tags.tag_list())) else { continue };
            let family = group.db_parameter_group_family.unwrap_or_default();
            let spec = Spec { parameters: read(cx, &name).await?, name: name.clone(), family };
            found.push(Live { address, attrs: attrs([("name", &name)]), id: name, spec, state: State::Ready });
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        let answer = cx
            .aws
            .rds
            .create_db_parameter_group()
            .db_parameter_group_name(name)
            .db_parameter_group_family(&want.spec.family)
            .description(description(&cx.stack))
            .set_tags(Some(cx.tags(&want.address).rds()))
            .send()
            .await;
        match answer.map_err(CallError::from) {
            Ok(_) => {}
            Err(error) if error.is(&["DBParameterGroupAlreadyExists"]) => {
                if !self.list(cx).await?.iter().any(|live| live.id == *name) {
                    return Err(Error::taken(format_args!("the DB parameter group {name}")));
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
        cx.aws.rds.delete_db_parameter_group().db_parameter_group_name(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// What somebody has set in the group.
async fn read(cx: &Cx, name: &str) -> Result<BTreeMap<String, String>> {
    let call = cx.aws.rds.describe_db_parameters().db_parameter_group_name(name).source("user");
    let parameters = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
    Ok(parameters.into_iter().filter_map(|p| Some((p.parameter_name?, p.parameter_value?))).collect())
}

async fn put(cx: &Cx, name: &str, parameters: &BTreeMap<String, String>) -> Result<()> {
    let all: Vec<Parameter> = parameters
        .iter()
        .map(|(name, value)| {
            let builder = Parameter::builder().parameter_name(name).parameter_value(value);
            builder.apply_method(ApplyMethod::Immediate).build()
        })
        .collect();
    for some in all.chunks(MOST_AT_ONCE) {
        let call = cx.aws.rds.modify_db_parameter_group().db_parameter_group_name(name);
        call.set_parameters(Some(some.to_vec())).send().await?;
    }
    Ok(())
}

async fn reset(cx: &Cx, name: &str, parameters: impl Iterator<Item = &String>) -> Result<()> {
    // Somebody else may have set a static one, which takes this method alone.
    let all: Vec<Parameter> = parameters
        .map(|name| Parameter::builder().parameter_name(name).apply_method(ApplyMethod::PendingReboot).build())
        .collect();
    for some in all.chunks(MOST_AT_ONCE) {
        let call = cx.aws.rds.reset_db_parameter_group().db_parameter_group_name(name);
        call.reset_all_parameters(false).set_parameters(Some(some.to_vec())).send().await?;
    }
    Ok(())
}
