//! The application load balancer in front of the servers.

use std::time::Duration;

use aws_sdk_ec2::types::Filter;
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerSchemeEnum, LoadBalancerStateEnum, LoadBalancerTypeEnum};
use serde::{Deserialize, Serialize};

use super::{Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Ref, Result, State, Tagged};
use super::{Want, attrs, vpc};
use crate::aws::error::GoneOk;
use crate::aws::stack::NameRule;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "load-balancer";

/// An internet-facing application load balancer.
pub struct LoadBalancer;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Name, unique in account and region, at most 32 characters.
    pub name: String,
    /// The VPC of its subnets: it cannot move to another.
    pub vpc: Ref,
    /// One public subnet a zone.
    pub subnets: Vec<Ref>,
    /// Its security groups.
    pub security_groups: Vec<Ref>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `SetSubnets`.
    Subnets,
    /// `SetSecurityGroups`.
    SecurityGroups,
}

impl Kind for LoadBalancer {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "load_balancer";
    const TAGGED: Tagged = Tagged::LoadBalancing;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::replace("vpc"),
        Field::update("subnets", Op::Subnets, Impact::InPlace),
        Field::update("security_groups", Op::SecurityGroups, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] =
        &["internet_gateway", "route_table", "security_group", "security_group_rule", "subnet"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.servers.is_none() {
            return Vec::new();
        }
        let subnets = (1..=place.zones.len()).map(|n| Ref::to(format!("subnet/public-{n}"), "id")).collect();
        let spec = Spec {
            name: name(&place.stack),
            vpc: vpc::reference(blueprint),
            subnets,
            security_groups: vec![Ref::to("security-group/load-balancer", "id")],
        };
        vec![Want::new(ADDRESS, spec).after_any(super::internet_gateway::node(place))]
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(match phase {
            Phase::Create => 120,
            Phase::Update => 5,
            Phase::Delete => 60,
        })
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(2100)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let Some(balancer) = find(cx).await? else { return Ok(Vec::new()) };
        let arn = balancer.load_balancer_arn().unwrap_or_default().to_owned();
        let tags = cx.aws.elbv2.describe_tags().resource_arns(&arn).send().await?;
        let tags = tags.tag_descriptions().first().map(|d| d.tags()).unwrap_or_default();
        let Some(address) = cx.node_of(Self::NAME, &arn, pairs(tags)) else { return Ok(Vec::new()) };
        let state = balancer.state();
        let state = match state.and_then(|s| s.code()) {
            Some(LoadBalancerStateEnum::Failed) => {
                State::Failed(state.and_then(|s| s.reason()).unwrap_or("no reason given").to_owned())
            }
            Some(LoadBalancerStateEnum::Provisioning) => State::Pending("provisioning".into()),
            _ => State::Ready,
        };
        let subnets = balancer.availability_zones().iter().filter_map(|z| z.subnet_id()).map(Ref::from).collect();
        let security_groups = balancer.security_groups().iter().map(|g| g.as_str().into()).collect();
        Ok(vec![Live {
            address,
            attrs: outputs(&balancer),
            spec: Spec {
                name: balancer.load_balancer_name().unwrap_or_default().into(),
                vpc: balancer.vpc_id().unwrap_or_default().into(),
                subnets,
                security_groups,
            },
            id: arn,
            state,
        }])
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let values = |refs: &[Ref]| Some(refs.iter().map(|r| r.get().to_owned()).collect());
        let answer = cx
            .aws
            .elbv2
            .create_load_balancer()
            .name(&want.spec.name)
            .r#type(LoadBalancerTypeEnum::Application)
            .scheme(LoadBalancerSchemeEnum::InternetFacing)
            .set_subnets(values(&want.spec.subnets))
            .set_security_groups(values(&want.spec.security_groups))
            .set_tags(Some(cx.tags(&want.address).elbv2()))
            .send()
            .await?;
        let balancer = answer
            .load_balancers
            .and_then(|all| all.into_iter().next())
            .ok_or(Error::Incomplete { call: "elbv2 CreateLoadBalancer", what: "the load balancer" })?;
        Ok(Created { id: balancer.load_balancer_arn().unwrap_or_default().to_owned(), attrs: outputs(&balancer) })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let answer = cx.aws.elbv2.describe_load_balancers().load_balancer_arns(id).send().await?;
        let balancer = answer.load_balancers().first();
        let state = balancer.and_then(|b| b.state());
        match (balancer, state.and_then(|s| s.code())) {
            (Some(balancer), Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired)) => {
                Ok(Progress::Ready(outputs(balancer)))
            }
            (_, Some(LoadBalancerStateEnum::Failed)) => Err(Error::Failed {
                resource: id.to_owned(),
                reason: state.and_then(|s| s.reason()).unwrap_or("no reason given").to_owned(),
            }),
            (_, state) => Ok(Progress::Pending(state.map_or("provisioning", |s| s.as_str()).to_owned())),
        }
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        let values = |refs: &[Ref]| Some(refs.iter().map(|r| r.get().to_owned()).collect());
        let (elbv2, arn) = (&cx.aws.elbv2, &change.live.id);
        match op {
            Op::Subnets => {
                elbv2.set_subnets().load_balancer_arn(arn).set_subnets(values(&change.want.subnets)).send().await?;
            }
            Op::SecurityGroups => {
                let groups = values(&change.want.security_groups);
                elbv2.set_security_groups().load_balancer_arn(arn).set_security_groups(groups).send().await?;
            }
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.elbv2.delete_load_balancer().load_balancer_arn(&live.id).send().await.gone_ok()?;
        Ok(())
    }

    /// The call returns before the interfaces go, which hold on to subnets and security groups.
    async fn gone(&self, cx: &Cx, live: &Live<Spec>) -> Result<Progress> {
        let only = |name: &str, value: String| Filter::builder().name(name).values(value).build();
        let answer = cx
            .aws
            .ec2
            .describe_network_interfaces()
            .filters(only("attachment.instance-owner-id", "amazon-elb".into()))
            .filters(only("description", format!("ELB {}", suffix(&live.id))))
            .send()
            .await?;
        Ok(match answer.network_interfaces().len() {
            0 => Progress::Ready(Attrs::new()),
            n => Progress::Pending(format!("{n} network interfaces left")),
        })
    }
}

pub(super) fn name(stack: &crate::aws::stack::Stack) -> String {
    stack.name_for("lb", NameRule::max(32))
}

/// The stack's load balancer by its name.
pub(super) async fn find(cx: &Cx) -> Result<Option<aws_sdk_elasticloadbalancingv2::types::LoadBalancer>> {
    let answer = cx.aws.elbv2.describe_load_balancers().names(name(&cx.stack)).send().await.gone_ok()?;
    Ok(answer.and_then(|answer| answer.load_balancers?.into_iter().next()))
}

/// `app/NAME/ID`, as CloudWatch and scaling policies name it.
fn suffix(arn: &str) -> &str {
    arn.split_once(":loadbalancer/").map_or(arn, |(_, suffix)| suffix)
}

fn outputs(balancer: &aws_sdk_elasticloadbalancingv2::types::LoadBalancer) -> Attrs {
    let arn = balancer.load_balancer_arn().unwrap_or_default();
    attrs([
        ("arn", arn),
        ("dns_name", balancer.dns_name().unwrap_or_default()),
        ("zone_id", balancer.canonical_hosted_zone_id().unwrap_or_default()),
        ("suffix", suffix(arn)),
    ])
}
