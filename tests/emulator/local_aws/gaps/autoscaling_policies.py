"""Scaling policies: named within their group, target tracking with alarms of its own."""

import uuid
from typing import Any

from moto.autoscaling.models import AutoScalingBackend, FakeScalingPolicy
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult, EmptyResult

from .autoscaling_groups import group_named
from .lifecycle import fault
from .patching import add, plain, prop

SIDES = (("AlarmHigh", "GreaterThanThreshold", 3), ("AlarmLow", "LessThanThreshold", 15))
METRICS = {
    "ASGAverageCPUUtilization": ("AWS/EC2", "CPUUtilization"),
    "ASGAverageNetworkIn": ("AWS/EC2", "NetworkIn"),
    "ASGAverageNetworkOut": ("AWS/EC2", "NetworkOut"),
    "ALBRequestCountPerTarget": ("AWS/ApplicationELB", "RequestCountPerTarget"),
}


@prop(FakeScalingPolicy, "arn")
def _arn(self: FakeScalingPolicy) -> str:
    unique = self.__dict__.setdefault("_unique_id", str(uuid.uuid4()))
    backend = self.autoscaling_backend
    return (
        f"arn:{backend.partition}:autoscaling:{backend.region_name}:{backend.account_id}:"
        f"scalingPolicy:{unique}:autoScalingGroupName/{self.auto_scaling_group_name}"
        f":policyName/{self.name}"
    )


FakeScalingPolicy.policy_arn = FakeScalingPolicy.arn


def _key(group_name: str, policy_name: str) -> str:
    return f"{group_name}/{policy_name}"


@add(AutoScalingResponse)
def put_scaling_policy(self: AutoScalingResponse) -> ActionResult:
    group = group_named(self)
    params = self._get_params()
    kind = params.get("PolicyType") or "SimpleScaling"
    tracking = params.get("TargetTrackingConfiguration", {})
    if kind == "TargetTrackingScaling":
        _check_label(self, group, tracking)
    policy = FakeScalingPolicy(
        name=params["PolicyName"],
        policy_type=kind,
        metric_aggregation_type=params.get("MetricAggregationType"),
        adjustment_type=params.get("AdjustmentType"),
        as_name=group.name,
        min_adjustment_magnitude=params.get("MinAdjustmentMagnitude"),
        scaling_adjustment=self._get_int_param("ScalingAdjustment"),
        cooldown=self._get_int_param("Cooldown"),
        target_tracking_config=plain(tracking),
        step_adjustments=params.get("StepAdjustments", []),
        estimated_instance_warmup=params.get("EstimatedInstanceWarmup"),
        predictive_scaling_configuration=params.get("PredictiveScalingConfiguration", {}),
        autoscaling_backend=self.autoscaling_backend,
    )
    policy.enabled = self._get_bool_param("Enabled", True)
    key = _key(group.name, policy.name)
    before = self.autoscaling_backend.policies.get(key)
    if before is not None:
        policy._unique_id = before.arn.split(":")[6]
        _drop_alarms(self.autoscaling_backend, before)
    self.autoscaling_backend.policies[key] = policy
    policy.alarms = _make_alarms(policy, plain(tracking)) if kind == "TargetTrackingScaling" else []
    return ActionResult({"PolicyARN": policy.arn, "Alarms": policy.alarms})


def _check_label(response: AutoScalingResponse, group: Any, tracking: Any) -> None:
    spec = tracking.get("PredefinedMetricSpecification") or {}
    if spec.get("PredefinedMetricType") != "ALBRequestCountPerTarget":
        return
    label = spec.get("ResourceLabel") or ""
    balancer, _, target = label.partition("/targetgroup/")
    backend = response.autoscaling_backend.elbv2_backend
    arn = next((a for a in group.target_group_arns if a.endswith(f":targetgroup/{target}")), None)
    known = any(a.endswith(f":loadbalancer/{balancer}") for a in backend.load_balancers)
    if arn is None or not known or not backend._any_listener_using(arn):
        message = (
            f"The load balancer does not route traffic to the target group: {label}"
            if arn and known
            else f"Resource label '{label}' is not valid for the Auto Scaling group"
        )
        raise fault("ValidationError", message)


def _make_alarms(policy: FakeScalingPolicy, tracking: dict[str, Any]) -> list[dict[str, str]]:
    backend = policy.autoscaling_backend
    spec = tracking.get("PredefinedMetricSpecification") or {}
    space, metric = METRICS.get(spec.get("PredefinedMetricType", ""), ("AWS/EC2", "CPUUtilization"))
    dimension = {"Name": "AutoScalingGroupName", "Value": policy.auto_scaling_group_name}
    if space == "AWS/ApplicationELB":
        target = (spec.get("ResourceLabel") or "").partition("/targetgroup/")[2]
        dimension = {"Name": "TargetGroup", "Value": f"targetgroup/{target}"}
    target_value = float(tracking.get("TargetValue", 0))
    made = []
    for side, operator, periods in SIDES:
        if side == "AlarmLow" and tracking.get("DisableScaleIn"):
            continue
        alarm = cloudwatch_backends[backend.account_id][backend.region_name].put_metric_alarm(
            name=f"TargetTracking-{policy.auto_scaling_group_name}-{side}-{uuid.uuid4()}",
            namespace=space,
            metric_name=metric,
            comparison_operator=operator,
            evaluation_periods=periods,
            period=60,
            threshold=target_value if side == "AlarmHigh" else target_value * 0.9,
            statistic="Sum" if space == "AWS/ApplicationELB" else "Average",
            description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
            dimensions=[dimension],
            alarm_actions=[policy.arn],
        )
        made.append({"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn})
    return made


def _drop_alarms(backend: AutoScalingBackend, policy: FakeScalingPolicy) -> None:
    names = [alarm["AlarmName"] for alarm in getattr(policy, "alarms", [])]
    cloudwatch_backends[backend.account_id][backend.region_name].delete_alarms(names)


@add(AutoScalingResponse)
def delete_policy(self: AutoScalingResponse) -> ActionResult:
    policy = _find(self)
    _drop_alarms(self.autoscaling_backend, policy)
    del self.autoscaling_backend.policies[_key(policy.auto_scaling_group_name, policy.name)]
    return EmptyResult()


@add(AutoScalingResponse)
def execute_policy(self: AutoScalingResponse) -> ActionResult:
    _find(self).execute()
    return EmptyResult()


def _find(response: AutoScalingResponse) -> FakeScalingPolicy:
    wanted, group = response._get_param("PolicyName"), response._get_param("AutoScalingGroupName")
    for policy in response.autoscaling_backend.policies.values():
        named = policy.name == wanted and group in (None, policy.auto_scaling_group_name)
        if named or policy.arn == wanted:
            return policy
    raise fault("ValidationError", f"The policy '{wanted}' does not exist")


@add(AutoScalingBackend)
def describe_policies(
    self: AutoScalingBackend,
    autoscaling_group_name: str | None = None,
    policy_names: list[str] | None = None,
    policy_types: list[str] | None = None,
) -> list[FakeScalingPolicy]:
    return [
        policy
        for policy in self.policies.values()
        if autoscaling_group_name in (None, policy.auto_scaling_group_name)
        and (not policy_names or policy.name in policy_names or policy.arn in policy_names)
        and (not policy_types or policy.policy_type in policy_types)
    ]


def drop_policies(backend: AutoScalingBackend, group_name: str) -> None:
    """Removes every policy of a group, alarms included."""
    for policy in backend.describe_policies(group_name):
        _drop_alarms(backend, policy)
        del backend.policies[_key(group_name, policy.name)]
