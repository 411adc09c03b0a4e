//! The Auto Scaling group of the servers.

use std::time::Duration;

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::types::Filter;
use serde::{Deserialize, Serialize};

use super::tagging::group_tags;
use super::{Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Ref, Result, State, Tagged};
use super::fleet::refresh::{self, Watch};
use super::{Want, attrs, fleet, launch_template, subnet, target_group, vpc};
use crate::aws::error::CallError;
use crate::blueprint::{Blueprint, Tier};

pub use super::fleet::ADDRESS;

/// An Auto Scaling group over the servers' subnets.
pub struct AutoScalingGroup;

/// What it can be told to be. The desired capacity is the scaling policy's to decide.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Name, unique in account and region.
    pub name: String,
    /// Fewest instances.
    pub min: i32,
    /// Most instances.
    pub max: i32,
    /// The VPC of its subnets: instances of two are never one group.
    pub vpc: Ref,
    /// Where instances are launched.
    pub subnets: Vec<Ref>,
    /// The launch template's id.
    pub launch_template: Ref,
    /// The numbered version that instances are launched from.
    pub version: Ref,
    /// The target group's ARN.
    pub target_group: Ref,
    /// Seconds after launch in which a failed health check does not count.
    pub grace_period: i32,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `UpdateAutoScalingGroup`.
    Update,
    /// `DetachLoadBalancerTargetGroups`, `AttachLoadBalancerTargetGroups`.
    TargetGroup,
    /// `StartInstanceRefresh` to the numbered version.
    Refresh,
}

impl Kind for AutoScalingGroup {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "auto_scaling_group";
    const TAGGED: Tagged = Tagged::AutoScaling;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::replace("vpc"),
        Field::update("min", Op::Update, Impact::None),
        Field::update("max", Op::Update, Impact::None),
        Field::update("subnets", Op::Update, Impact::Rolling),
        Field::update("grace_period", Op::Update, Impact::None),
        Field::update("target_group", Op::TargetGroup, Impact::InPlace),
        Field::update("launch_template", Op::Refresh, Impact::Rolling),
        Field::update("version", Op::Refresh, Impact::Rolling),
    ];
    const AFTER: &'static [&'static str] =
        &["launch_template", "listener", "nat_gateway", "route_table", "subnet", "target_group", "vpc_endpoint"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let (Some(servers), Some(network)) = (&blueprint.servers, &blueprint.network) else { return Vec::new() };
        let tier = network.server_tier().as_str();
        let spec = Spec {
            name: fleet::name(&place.stack),
            min: i32::from(servers.min),
            max: i32::from(servers.max),
            vpc: vpc::reference(blueprint),
            subnets: (1..=place.zones.len()).map(|n| Ref::to(format!("subnet/{tier}-{n}"), "id")).collect(),
            launch_template: Ref::to(launch_template::ADDRESS, "id"),
            version: Ref::to(launch_template::ADDRESS, "version"),
            target_group: Ref::to(target_group::ADDRESS, "arn"),
            grace_period: refresh::GRACE,
        };
        // Instances are healthy only once a listener uses the target group, and boot only where there is a way to S3.
        let mut want = Want::new(ADDRESS, spec).after("listener/http");
        for n in 1..=network.nat_gateways(place.zones.len()) {
            want = want.after(format!("nat-gateway/{n}"));
        }
        for n in 1..=place.zones.len() {
            want = want.after(match network.server_tier() {
                Tier::Public => "route-table/public".to_owned(),
                tier => format!("route-table/{}-{n}", tier.as_str()),
            });
        }
        vec![want.after("vpc-endpoint/s3")]
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(match phase {
            Phase::Create => 60,
            Phase::Update => 240,
            Phase::Delete => 60,
        })
    }

    fn class(&self, spec: &Spec) -> String {
        format!("{} instances", spec.min)
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(3600)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let Some(group) = fleet::find(cx).await? else { return Ok(Vec::new()) };
        let tags: Vec<(&str, &str)> =
            group.tags().iter().map(|t| (t.key().unwrap_or_default(), t.value().unwrap_or_default())).collect();
        let Some(address) = cx.node_of(Self::NAME, group.auto_scaling_group_name().unwrap_or_default(), tags) else { return Ok(Vec::new()) };
        let id = group.auto_scaling_group_name().unwrap_or_default().to_owned();
        let template = group.launch_template();
        let subnets: Vec<&str> = group.vpc_zone_identifier().unwrap_or_default().split(',').collect();
        let state = match group.status() {
            Some(_) => State::Deleting,
            None if fleet::in_service(&group) < usize::try_from(group.min_size().unwrap_or_default()).unwrap_or(0) => {
                State::Pending("instances are on their way".into())
            }
            None => State::Ready,
        };
        Ok(vec![Live {
            address,
            attrs: attrs([("name", &id), ("arn", group.auto_scaling_group_arn().unwrap_or_default())]),
            spec: Spec {
                name: id.clone(),
                min: group.min_size().unwrap_or_default(),
                max: group.max_size().unwrap_or_default(),
                vpc: subnet::vpc_of(cx, subnets.first().copied()).await?.into(),
                subnets: subnets.into_iter().map(Ref::from).collect(),
                launch_template: template.and_then(|t| t.launch_template_id()).unwrap_or_default().into(),
                version: template.and_then(|t| t.version()).unwrap_or_default().into(),
                target_group: group.target_group_arns().first().map_or("", String::as_str).into(),
                grace_period: group.health_check_grace_period().unwrap_or_default(),
            },
            id,
            state,
        }])
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let spec = &want.spec;
        prove_launch(cx, spec).await?;
        cx.aws
            .autoscaling
            .create_auto_scaling_group()
            .auto_scaling_group_name(&spec.name)
            .min_size(spec.min)
            .max_size(spec.max)
            .vpc_zone_identifier(joined(&spec.subnets))
            .launch_template(template(spec))
            .target_group_arns(spec.target_group.get())
            .health_check_type("ELB")
            .health_check_grace_period(spec.grace_period)
            .set_tags(Some(group_tags(&spec.name, &cx.tags(&want.address))))
            .send()
            .await?;
        Ok(Created { id: spec.name.clone(), attrs: attrs([("name", &spec.name)]) })
    }

    /// Usable when at least `min` instances answer the load balancer's health check and no refresh is under way.
    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let Some(group) = fleet::find(cx).await? else { return Ok(Progress::Pending("creating".into())) };
        if let Some(pending) = refreshing(cx).await? {
            return Ok(Progress::Pending(pending));
        }
        let min = usize::try_from(group.min_size().unwrap_or_default()).unwrap_or(0);
        let healthy = match group.target_group_arns().first() {
            Some(arn) => healthy_targets(cx, arn).await?,
            None => fleet::in_service(&group),
        };
        if healthy >= min {
            let arn = group.auto_scaling_group_arn().unwrap_or_default();
            return Ok(Progress::Ready(attrs([("name", id), ("arn", arn)])));
        }
        let mut state = format!("{healthy} of {min} instances healthy, {} in service", fleet::in_service(&group));
        if let Some(trouble) = last_failure(cx, id).await? {
            state.push_str(&format!("; last launch failed: {trouble}"));
        }
        Ok(Progress::Pending(state))
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Update => {
                cx.aws
                    .autoscaling
                    .update_auto_scaling_group()
                    .auto_scaling_group_name(&change.live.id)
                    .min_size(change.want.min)
                    .max_size(change.want.max)
                    .vpc_zone_identifier(joined(&change.want.subnets))
                    .health_check_grace_period(change.want.grace_period)
                    .send()
                    .await?;
                Ok(())
            }
            Op::TargetGroup => move_to_group(cx, change).await,
            Op::Refresh => exchange(cx, change).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let request = cx.aws.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(&live.id);
        match request.force_delete(true).send().await.map_err(CallError::from) {
            Err(error) if !fleet::is_absent(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn gone(&self, cx: &Cx, _live: &Live<Spec>) -> Result<Progress> {
        if fleet::find(cx).await?.is_some() {
            return Ok(Progress::Pending("deleting".into()));
        }
        // The instances hold on to subnets and security groups until they are terminated.
        let alive = Filter::builder()
            .name("instance-state-name")
            .set_values(Some(["pending", "running", "shutting-down", "stopping"].map(String::from).into()))
            .build();
        let request = cx.aws.ec2.describe_instances().set_filters(Some(cx.ec2_filters())).filters(alive);
        let count: usize = request.send().await?.reservations().iter().map(|r| r.instances().len()).sum();
        Ok(match count {
            0 => Progress::Ready(Attrs::new()),
            n => Progress::Pending(format!("{n} instances shutting down")),
        })
    }
}

fn joined(subnets: &[Ref]) -> String {
    subnets.iter().map(Ref::get).collect::<Vec<_>>().join(",")
}

fn template(spec: &Spec) -> asg::LaunchTemplateSpecification {
    asg::LaunchTemplateSpecification::builder()
        .launch_template_id(spec.launch_template.get())
        .version(spec.version.get())
        .build()
}

/// Only a dry run proves that EC2 sees a new instance profile; it also shows a bad type or subnet at once.
async fn prove_launch(cx: &Cx, spec: &Spec) -> Result<()> {
    let template = aws_sdk_ec2::types::LaunchTemplateSpecification::builder()
        .launch_template_id(spec.launch_template.get())
        .version(spec.version.get())
        .build();
    let request = cx.aws.ec2.run_instances().launch_template(template).min_count(1).max_count(1).dry_run(true);
    match request.set_subnet_id(spec.subnets.first().map(|s| s.get().to_owned())).send().await.map_err(CallError::from) {
        Ok(_) => Ok(()),
        Err(error) if error.is(&["DryRunOperation"]) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn healthy_targets(cx: &Cx, group_arn: &str) -> Result<usize> {
    use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum::Healthy;
    let answer = cx.aws.elbv2.describe_target_health().target_group_arn(group_arn).send().await?;
    let healthy = |d: &&aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
        d.target_health().and_then(|h| h.state()) == Some(&Healthy)
    };
    Ok(answer.target_health_descriptions().iter().filter(healthy).count())
}

/// The reason of the newest activity, where that failed.
async fn last_failure(cx: &Cx, name: &str) -> Result<Option<String>> {
    let request = cx.aws.autoscaling.describe_scaling_activities().auto_scaling_group_name(name).max_records(5);
    let answer = request.send().await?;
    let newest = answer.activities().first();
    Ok(newest
        .filter(|a| a.status_code() == Some(&asg::ScalingActivityStatusCode::Failed))
        .map(|a| a.status_message().unwrap_or("no reason given").to_owned()))
}

/// What an instance refresh under way says; an error where the one that this run started was turned back.
async fn refreshing(cx: &Cx) -> Result<Option<String>> {
    use asg::InstanceRefreshStatus as Status;
    let Some(newest) = refresh::newest(cx).await? else { return Ok(None) };
    if refresh::is_running(&newest) {
        let status = newest.status().map_or("Pending", Status::as_str);
        return Ok(Some(format!("refresh {status} ({} %)", newest.percentage_complete().unwrap_or_default())));
    }
    // An earlier run's failure is told by what serves: it is no failure of this run.
    let failed = matches!(newest.status(), Some(Status::Failed | Status::RollbackFailed | Status::RollbackSuccessful));
    if failed && cx.refresh.get().map(String::as_str) == newest.instance_refresh_id() {
        let why = newest.rollback_details().and_then(|details| details.rollback_reason()).or(newest.status_reason());
        let reason = why.unwrap_or("no reason given").to_owned();
        return Err(Error::Failed { resource: format!("instance refresh of {}", fleet::name(&cx.stack)), reason });
    }
    Ok(None)
}

/// Exchanges the instances for such of the wanted version.
async fn exchange(cx: &Cx, change: &Change<'_, Spec>) -> Result<()> {
    let (template, version) = (change.want.launch_template.get(), change.want.version.get());
    let id = match refresh::start(cx, template, version, &Watch::default()).await {
        Ok(id) => id,
        Err(error) if refresh::is_in_progress(&error) => {
            let running = refresh::newest(cx).await?.filter(refresh::is_running);
            // An earlier run started it and was killed: `ready` awaits it.
            match running.as_ref().filter(|running| refresh::target(running) == Some(version)) {
                Some(running) => running.instance_refresh_id().unwrap_or_default().to_owned(),
                None => {
                    return Err(Error::Refused {
                        what: "another instance refresh is under way (a deploy that was interrupted)".into(),
                        help: "`provision deploy` follows it; run `provision up` again when it is over".into(),
                    });
                }
            }
        }
        Err(error) => return Err(error.into()),
    };
    let _ = cx.refresh.set(id);
    Ok(())
}

async fn move_to_group(cx: &Cx, change: &Change<'_, Spec>) -> Result<()> {
    let (autoscaling, name) = (&cx.aws.autoscaling, &change.live.id);
    let attach = autoscaling.attach_load_balancer_target_groups().auto_scaling_group_name(name);
    attach.target_group_arns(change.want.target_group.get()).send().await?;
    let old = change.live.spec.target_group.get();
    if !old.is_empty() {
        let detach = autoscaling.detach_load_balancer_target_groups().auto_scaling_group_name(name);
        detach.target_group_arns(old).send().await?;
    }
    Ok(())
}
