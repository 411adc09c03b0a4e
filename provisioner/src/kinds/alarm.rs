//! CloudWatch alarms: they mail somebody when a part of the stack is unwell.

mod wanted;

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension as SdkDimension, MetricAlarm, StateValue, Statistic};
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Ref, Result, State, Want, attrs, Tagged};
use crate::aws::error::GoneOk;
use crate::aws::stack::{NameRule, Stack};
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// A metric alarm.
pub struct Alarm;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// What it watches, in words; ends in whose it is.
    pub description: String,
    /// Namespace of the metric.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// Which resource's metric.
    pub dimensions: Vec<Dimension>,
    /// `Average`, `Maximum`, `Sum` or a percentile (`p95`).
    pub statistic: String,
    /// Seconds that one value covers.
    pub period: i32,
    /// So many values in a row set it off.
    pub evaluation_periods: i32,
    /// `GreaterThanOrEqualToThreshold` or `LessThanOrEqualToThreshold`.
    pub comparison: String,
    /// The threshold, in the metric's own unit.
    pub threshold: f64,
    /// What a missing value counts as.
    pub missing_data: String,
    /// Who is told: ARNs of topics.
    pub actions: Vec<Ref>,
}

/// One dimension of a metric.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Ref,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `PutMetricAlarm`, which replaces everything but the tags.
    Put,
}

/// Tags cannot be read in batches, so the description says whose an alarm is; before one is touched its tags are read.
fn marker(stack: &Stack, address: &str) -> String {
    format!(" [provision {} {} {address}]", stack.name, stack.home)
}

fn address_of(stack: &Stack, description: &str) -> Option<String> {
    let start = format!(" [provision {} {} ", stack.name, stack.home);
    let (_, rest) = description.rsplit_once(start.as_str())?;
    rest.strip_suffix(']').map(str::to_owned)
}

fn name(stack: &Stack, address: &str) -> String {
    stack.name_for(address, NameRule::max(255))
}

impl Kind for Alarm {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "alarm";
    const TAGGED: Tagged = Tagged::Alarm;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::update("description", Op::Put, Impact::None),
        Field::update("namespace", Op::Put, Impact::None),
        Field::update("metric", Op::Put, Impact::None),
        Field::update("dimensions", Op::Put, Impact::None),
        Field::update("statistic", Op::Put, Impact::None),
        Field::update("period", Op::Put, Impact::None),
        Field::update("evaluation_periods", Op::Put, Impact::None),
        Field::update("comparison", Op::Put, Impact::None),
        Field::update("threshold", Op::Put, Impact::None),
        Field::update("missing_data", Op::Put, Impact::None),
        Field::update("actions", Op::Put, Impact::None),
    ];
    const AFTER: &'static [&'static str] = &[
        "sns_topic",
        "load_balancer",
        "target_group",
        "db_instance",
        "db_replica",
        "replication_group",
        "dynamodb_table",
    ];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        wanted::alarms(blueprint, place)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let live = |(address, alarm): (String, MetricAlarm)| Live {
            address,
            id: alarm.alarm_name().unwrap_or_default().to_owned(),
            spec: spec_of(&alarm),
            attrs: attrs([("arn", alarm.alarm_arn().unwrap_or_default())]),
            state: State::Ready,
        };
        Ok(all(cx).await?.into_iter().map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        put(cx, &want.spec, Some(&want.address)).await?;
        let stack = &cx.stack;
        let arn = arn_of(stack, &want.spec.name);
        Ok(Created { id: want.spec.name.clone(), attrs: attrs([("arn", &arn)]) })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Put => {
                must_own(cx, change.live).await?;
                put(cx, change.want, None).await
            }
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        must_own(cx, live).await?;
        cx.aws.cloudwatch.delete_alarms().alarm_names(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// The stack's alarms with their addresses, by name and description.
pub async fn all(cx: &Cx) -> Result<Vec<(String, MetricAlarm)>> {
    let prefix = format!("{}-alarm-", cx.stack.name);
    let call = cx.aws.cloudwatch.describe_alarms().alarm_name_prefix(prefix).max_records(100);
    let mut pages = call.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for alarm in page.metric_alarms.unwrap_or_default() {
            let address = address_of(&cx.stack, alarm.alarm_description().unwrap_or_default());
            let own = |address: &String| alarm.alarm_name() == Some(name(&cx.stack, address).as_str());
            found.extend(address.filter(own).map(|address| (address, alarm)));
        }
    }
    Ok(found)
}

/// An alarm that tells of bad servers.
#[derive(Debug, Clone)]
pub struct Watching {
    /// Its name.
    pub name: String,
    /// Its short name: `server-errors`.
    pub what: String,
    /// Whether it is on.
    pub is_on: bool,
}

/// The alarms of the stack that tell of bad servers, where it has some.
pub async fn of_servers(cx: &Cx) -> Result<Vec<Watching>> {
    let addresses = wanted::OF_SERVERS.map(|what| format!("alarm/{what}"));
    let names = addresses.iter().map(|address| name(&cx.stack, address)).collect();
    let answer = cx.aws.cloudwatch.describe_alarms().set_alarm_names(Some(names)).send().await?;
    let watching = |alarm: &MetricAlarm| {
        let address = address_of(&cx.stack, alarm.alarm_description()?)?;
        let what = address.strip_prefix("alarm/")?.to_owned();
        let is_on = alarm.state_value() == Some(&StateValue::Alarm);
        Some(Watching { name: alarm.alarm_name()?.to_owned(), what, is_on })
    };
    Ok(answer.metric_alarms().iter().filter_map(watching).collect())
}

fn arn_of(stack: &Stack, name: &str) -> String {
    format!("arn:{}:cloudwatch:{}:{}:alarm:{name}", stack.partition(), stack.home, stack.account)
}

async fn must_own(cx: &Cx, live: &Live<Spec>) -> Result<()> {
    let arn = live.attrs.get("arn").cloned().unwrap_or_else(|| arn_of(&cx.stack, &live.id));
    let answer = cx.aws.cloudwatch.list_tags_for_resource().resource_arn(arn).send().await.gone_ok()?;
    if answer.is_none_or(|answer| cx.stack.owns(pairs(answer.tags()))) {
        return Ok(());
    }
    Err(Error::Refused {
        what: format!("the alarm {} does not carry the stack's tags", live.id),
        help: "delete or rename it, then run the command again".into(),
    })
}

fn spec_of(alarm: &MetricAlarm) -> Spec {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let statistic = alarm.statistic().map(Statistic::as_str).or(alarm.extended_statistic());
    let dimension = |d: &SdkDimension| Dimension { name: text(d.name()), value: Ref::from(text(d.value())) };
    Spec {
        name: text(alarm.alarm_name()),
        description: text(alarm.alarm_description()),
        namespace: text(alarm.namespace()),
        metric: text(alarm.metric_name()),
        dimensions: alarm.dimensions().iter().map(dimension).collect(),
        statistic: text(statistic),
        period: alarm.period().unwrap_or(0),
        evaluation_periods: alarm.evaluation_periods().unwrap_or(0),
        comparison: text(alarm.comparison_operator().map(ComparisonOperator::as_str)),
        threshold: alarm.threshold().unwrap_or(0.0),
        missing_data: alarm.treat_missing_data().unwrap_or("missing").to_owned(),
        actions: alarm.alarm_actions().iter().map(|arn| Ref::from(arn.as_str())).collect(),
    }
}

/// Tags are taken at creation alone.
async fn put(cx: &Cx, spec: &Spec, create: Option<&str>) -> Result<()> {
    let dimension =
        |d: &Dimension| SdkDimension::builder().name(&d.name).value(d.value.get()).build();
    let actions: Vec<String> = spec.actions.iter().map(|arn| arn.get().to_owned()).collect();
    let call = cx
        .aws
        .cloudwatch
        .put_metric_alarm()
        .alarm_name(&spec.name)
        .alarm_description(&spec.description)
        .namespace(&spec.namespace)
        .metric_name(&spec.metric)
        .set_dimensions(Some(spec.dimensions.iter().map(dimension).collect()))
        .period(spec.period)
        .evaluation_periods(spec.evaluation_periods)
        .comparison_operator(ComparisonOperator::from(spec.comparison.as_str()))
        .threshold(spec.threshold)
        .treat_missing_data(&spec.missing_data)
        .set_alarm_actions(Some(actions.clone()))
        .set_ok_actions(Some(actions))
        .set_tags(create.map(|address| cx.tags(address).cloudwatch()));
    let call = if spec.statistic.starts_with('p') {
        call.extended_statistic(&spec.statistic)
    } else {
        call.statistic(Statistic::from(spec.statistic.as_str()))
    };
    call.send().await?;
    Ok(())
}
