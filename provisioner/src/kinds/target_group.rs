//! The target group: which instances get requests, and how their health is checked.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{self as elb, Matcher, ProtocolEnum, TargetGroupAttribute};
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Ref, ReplaceOrder, Result, State, Tagged};
use super::{Want, attrs};
use crate::aws::error::GoneOk;
use crate::aws::stack::{NameRule, Stack};
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "target-group";
/// Seconds between two health checks.
const INTERVAL: i32 = 10;
/// Seconds in which a leaving instance finishes its requests.
const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";

/// A target group of instances.
pub struct TargetGroup;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Name, unique in account and region; another port is another name, so that the new one can be made first.
    pub name: String,
    /// The VPC.
    pub vpc: Ref,
    /// Port on the instances.
    pub port: i32,
    /// Path of the health check.
    pub health_path: String,
    /// Seconds between two checks.
    pub health_interval: i32,
    /// Seconds that a leaving instance has to finish its requests.
    pub deregistration_delay: i32,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyTargetGroup`.
    Health,
    /// `ModifyTargetGroupAttributes`.
    Attributes,
}

impl Kind for TargetGroup {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "target_group";
    const TAGGED: Tagged = Tagged::LoadBalancing;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::replace("vpc"),
        Field::replace("port"),
        Field::update("health_path", Op::Health, Impact::InPlace),
        Field::update("health_interval", Op::Health, Impact::InPlace),
        Field::update("deregistration_delay", Op::Attributes, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &["vpc"];
    const REPLACE: ReplaceOrder = ReplaceOrder::CreateFirst;

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(servers) = &blueprint.servers else { return Vec::new() };
        let spec = Spec {
            name: place.stack.name_for(&format!("tg-{}", servers.port), NameRule::max(32)),
            vpc: super::vpc::reference(blueprint),
            port: i32::from(servers.port),
            health_path: servers.health.clone(),
            health_interval: INTERVAL,
            deregistration_delay: 30,
        };
        vec![Want::new(ADDRESS, spec)]
    }

    fn expected(&self, _phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(2)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let mut found = Vec::new();
        for group in candidates(cx).await? {
            let arn = group.target_group_arn().unwrap_or_default();
            let (tags, attributes) = futures::join!(
                cx.aws.elbv2.describe_tags().resource_arns(arn).send(),
                cx.aws.elbv2.describe_target_group_attributes().target_group_arn(arn).send(),
            );
            let tags = tags.gone_ok()?;
            let tags = tags.as_ref().and_then(|t| t.tag_descriptions().first()).map(|d| d.tags()).unwrap_or_default();
            let Some(address) = cx.node_of(Self::NAME, arn, pairs(tags)) else { continue };
            let attributes = attributes.gone_ok()?;
            let delay = attributes
                .as_ref()
                .and_then(|a| a.attributes().iter().find(|a| a.key() == Some(DEREGISTRATION_DELAY))?.value()?.parse().ok());
            found.push(Live {
                address,
                id: arn.to_owned(),
                attrs: outputs(arn),
                spec: Spec {
                    name: group.target_group_name().unwrap_or_default().into(),
                    vpc: group.vpc_id().unwrap_or_default().into(),
                    port: group.port().unwrap_or_default(),
                    health_path: group.health_check_path().unwrap_or_default().into(),
                    health_interval: group.health_check_interval_seconds().unwrap_or_default(),
                    deregistration_delay: delay.unwrap_or_default(),
                },
                state: State::Ready,
            });
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let spec = &want.spec;
        let answer = cx
            .aws
            .elbv2
            .create_target_group()
            .name(&spec.name)
            .target_type(elb::TargetTypeEnum::Instance)
            .protocol(ProtocolEnum::Http)
            .port(spec.port)
            .vpc_id(spec.vpc.get())
            .health_check_protocol(ProtocolEnum::Http)
            .health_check_path(&spec.health_path)
            .health_check_interval_seconds(spec.health_interval)
            .health_check_timeout_seconds(5)
            .healthy_threshold_count(2)
            .unhealthy_threshold_count(2)
            .matcher(Matcher::builder().http_code("200").build())
            .set_tags(Some(cx.tags(&want.address).elbv2()))
            .send()
            .await?;
        let arn = answer
            .target_groups
            .and_then(|all| all.into_iter().next()?.target_group_arn)
            .ok_or(Error::Incomplete { call: "elbv2 CreateTargetGroup", what: "TargetGroupArn" })?;
        put_attributes(cx, &arn, spec).await?;
        Ok(Created { attrs: outputs(&arn), id: arn })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Health => {
                cx.aws
                    .elbv2
                    .modify_target_group()
                    .target_group_arn(&change.live.id)
                    .health_check_path(&change.want.health_path)
                    .health_check_interval_seconds(change.want.health_interval)
                    .send()
                    .await?;
                Ok(())
            }
            Op::Attributes => put_attributes(cx, &change.live.id, change.want).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.elbv2.delete_target_group().target_group_arn(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// Groups whose name may be ours; their tags decide.
async fn candidates(cx: &Cx) -> Result<Vec<elb::TargetGroup>> {
    let prefix = name_prefix(&cx.stack);
    let mut found = Vec::new();
    let mut marker = None;
    loop {
        let page = cx.aws.elbv2.describe_target_groups().set_marker(marker).send().await?;
        marker = page.next_marker;
        let all = page.target_groups.unwrap_or_default();
        found.extend(all.into_iter().filter(|g| g.target_group_name().is_some_and(|name| name.starts_with(prefix))));
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// What every name of the stack's groups starts with, however it was cut.
fn name_prefix(stack: &Stack) -> &str {
    &stack.name[..stack.name.len().min(16)]
}

async fn put_attributes(cx: &Cx, arn: &str, spec: &Spec) -> Result<()> {
    let attribute = TargetGroupAttribute::builder().key(DEREGISTRATION_DELAY).value(spec.deregistration_delay.to_string());
    cx.aws
        .elbv2
        .modify_target_group_attributes()
        .target_group_arn(arn)
        .attributes(attribute.build())
        .send()
        .await?;
    Ok(())
}

fn outputs(arn: &str) -> super::Attrs {
    let suffix = arn.rsplit(':').next().unwrap_or(arn);
    attrs([("arn", arn), ("suffix", suffix)])
}
