//! Target tracking: the servers' number follows their CPU use.

use aws_sdk_autoscaling::types as asg;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Field, Impact, Kind, Live, Place, Ref, Result, State, Want, attrs, Tagged};
use super::fleet;
use crate::aws::error::CallError;
use crate::blueprint::Blueprint;

const NAME: &str = "cpu";

/// A target-tracking policy of the servers' group. It cannot be tagged: it is owned through the group.
pub struct ScalingPolicy;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The group's name.
    pub group: Ref,
    /// Average CPU use in percent.
    pub target: u8,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `PutScalingPolicy`.
    Put,
}

impl Kind for ScalingPolicy {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "scaling_policy";
    const TAGGED: Tagged = Tagged::Not;
    const FIELDS: &'static [Field<Op>] = &[Field::replace("group"), Field::update("target", Op::Put, Impact::None)];
    const AFTER: &'static [&'static str] = &["auto_scaling_group"];

    fn desired(&self, blueprint: &Blueprint, _place: &Place) -> Vec<Want<Spec>> {
        let (Some(servers), Some(_)) = (&blueprint.servers, &blueprint.network) else { return Vec::new() };
        vec![Want::new("scaling-policy/cpu", Spec { group: Ref::to(fleet::ADDRESS, "name"), target: servers.target })]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = fleet::name(&cx.stack);
        if fleet::find(cx).await?.is_none() {
            return Ok(Vec::new());
        }
        let answer = cx.aws.autoscaling.describe_policies().auto_scaling_group_name(&name).policy_names(NAME).send();
        let answer = match answer.await.map_err(CallError::from) {
            Err(error) if fleet::is_absent(&error) => return Ok(Vec::new()),
            answer => answer?,
        };
        let live = |policy: &asg::ScalingPolicy| {
            let id = policy.policy_arn().unwrap_or_default().to_owned();
            let target = policy.target_tracking_configuration().and_then(|t| t.target_value()).unwrap_or_default();
            // Percent, put as a whole number by us: anything else is a difference anyhow.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let target = target.clamp(0.0, 255.0) as u8;
            Live {
                address: "scaling-policy/cpu".into(),
                attrs: attrs([("arn", &id)]),
                id,
                spec: Spec { group: name.as_str().into(), target },
                state: State::Ready,
            }
        };
        Ok(answer.scaling_policies().iter().map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let arn = put(cx, &want.spec).await?;
        Ok(Created { attrs: attrs([("arn", &arn)]), id: arn })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Put => put(cx, change.want).await.map(|_| ()),
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let request = cx.aws.autoscaling.delete_policy().auto_scaling_group_name(live.spec.group.get());
        match request.policy_name(NAME).send().await.map_err(CallError::from) {
            Err(error) if !fleet::is_absent(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

async fn put(cx: &Cx, spec: &Spec) -> Result<String> {
    let metric = asg::PredefinedMetricSpecification::builder()
        .predefined_metric_type(asg::MetricType::AsgAverageCpuUtilization)
        .build();
    let tracking = asg::TargetTrackingConfiguration::builder()
        .predefined_metric_specification(metric)
        .target_value(f64::from(spec.target))
        .build();
    let answer = cx
        .aws
        .autoscaling
        .put_scaling_policy()
        .auto_scaling_group_name(spec.group.get())
        .policy_name(NAME)
        .policy_type("TargetTrackingScaling")
        .target_tracking_configuration(tracking)
        .send()
        .await?;
    Ok(answer.policy_arn().unwrap_or_default().to_owned())
}
