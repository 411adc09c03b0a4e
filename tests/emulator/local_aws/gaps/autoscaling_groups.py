"""Making, changing and deleting groups, as calls."""

from typing import Any

from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    autoscaling_backends,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from local_aws import hooks

from . import autoscaling as members
from . import autoscaling_refresh as refreshing
from .autoscaling_activities import record
from .lifecycle import fault
from .patching import add, wrap

ALL_METRICS = [
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
]
EXTRAS = {
    "DefaultInstanceWarmup": "default_instance_warmup",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
    "DefaultCooldown": "default_cooldown",
    "TerminationPolicies": "termination_policies",
    "CapacityRebalance": "capacity_rebalance",
}


def group_named(response: AutoScalingResponse) -> FakeAutoScalingGroup:
    """The group that a request names."""
    name = response._get_param("AutoScalingGroupName")
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        message = f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        raise fault("ValidationError", message)
    return group


def _check_sizes(low: int, high: int, desired: int | None) -> None:
    if high < low:
        message = (
            f"Max bound, {high}, must be greater than or equal to the min bound, {low}"
        )
        raise fault("ValidationError", message)
    if desired is not None and not low <= desired <= high:
        side = "above max value" if desired > high else "below min value"
        bound = high if desired > high else low
        message = (
            f"Desired capacity:{desired} must be between the specified min size:{low} and "
            f"max size:{high} ({side}:{bound})"
        )
        raise fault("ValidationError", message)


def check_template(response: AutoScalingResponse, spec: dict[str, Any]) -> None:
    """Refuses a launch template that instances could not be launched from."""
    backend = response.autoscaling_backend
    if not spec:
        return
    if spec.get("LaunchTemplateId"):
        template = backend.ec2_backend.get_launch_template(spec["LaunchTemplateId"])
    else:
        template = backend.ec2_backend.get_launch_template_by_name(spec["LaunchTemplateName"])
    version = template.get_version(spec.get("Version") or "$Default")
    profile = version.data.get("IamInstanceProfile")
    if profile:
        problem = members.profile_problem(response.current_account, response.partition, profile)
        if problem:
            message = f"You must use a valid fully-formed launch template. {problem}"
            raise fault("ValidationError", message)
    image_id = version.data.get("ImageId")
    if not image_id or image_id not in backend.ec2_backend.amis:
        message = (
            "You must use a valid fully-formed launch template. "
            f"The image id '[{image_id}]' does not exist"
        )
        raise fault("ValidationError", message)


@wrap(AutoScalingResponse, "create_auto_scaling_group")
def _create(original: Any, self: AutoScalingResponse) -> ActionResult:
    name = self._get_param("AutoScalingGroupName")
    if name in self.autoscaling_backend.autoscaling_groups:
        message = (
            "AutoScalingGroup by this name already exists - "
            f"A group with the name {name} already exists"
        )
        raise fault("AlreadyExists", message)
    low, high = self._get_int_param("MinSize"), self._get_int_param("MaxSize")
    _check_sizes(low, high, self._get_int_param("DesiredCapacity"))
    check_template(self, self._get_param("LaunchTemplate", {}))
    for arn in self._get_param("TargetGroupARNs", []):
        if arn not in self.autoscaling_backend.elbv2_backend.target_groups:
            raise fault("ValidationError", "Provided Target Groups may not be valid.")
    result = original(self)
    group = self.autoscaling_backend.autoscaling_groups[name]
    group.health_check_grace_period = self._get_int_param("HealthCheckGracePeriod", 0)
    _take_extras(self, group)
    members.converge_soon(group)
    return result


def _take_extras(response: AutoScalingResponse, group: FakeAutoScalingGroup) -> None:
    for parameter, attribute in EXTRAS.items():
        value = response._get_param(parameter)
        if value is not None:
            setattr(group, attribute, value)


@wrap(AutoScalingResponse, "update_auto_scaling_group")
def _update(original: Any, self: AutoScalingResponse) -> ActionResult:
    group = group_named(self)
    if getattr(group, "deleting", False):
        message = f"You cannot update AutoScalingGroup {group.name} while it is being deleted"
        raise fault("ScalingActivityInProgress", message)
    low = self._get_int_param("MinSize", group.min_size)
    high = self._get_int_param("MaxSize", group.max_size)
    desired = self._get_int_param("DesiredCapacity")
    _check_sizes(low, high, desired)
    if self._get_param("LaunchTemplate"):
        check_template(self, self._get_param("LaunchTemplate"))
    # moto counts instances where AWS clamps the desired capacity.
    wanted = group.desired_capacity if desired is None else desired
    self.params["DesiredCapacity"] = min(max(wanted or 0, low), high)
    mixed = group.mixed_instances_policy
    result = original(self)
    if self._get_param("MixedInstancesPolicy") is None:
        group.mixed_instances_policy = mixed
    _take_extras(self, group)
    return result


@wrap(AutoScalingResponse, "set_desired_capacity")
def _set_desired(original: Any, self: AutoScalingResponse) -> ActionResult:
    group = group_named(self)
    desired = self._get_int_param("DesiredCapacity")
    if not group.min_size <= desired <= group.max_size:
        bound = "max" if desired > group.max_size else "min"
        side = "above" if bound == "max" else "below"
        value = group.max_size if bound == "max" else group.min_size
        message = (
            f"New SetDesiredCapacity value {desired} is {side} {bound} value {value} "
            "for the AutoScalingGroup."
        )
        raise fault("ValidationError", message)
    return original(self)


@wrap(AutoScalingResponse, "delete_auto_scaling_group")
def _delete(original: Any, self: AutoScalingResponse) -> ActionResult:
    group = group_named(self)
    if getattr(group, "deleting", False):
        return EmptyResult()
    if not self._get_bool_param("ForceDelete", False):
        _refuse_while_busy(group)
    group.deleting = True
    group.status = "Delete in progress"
    group.desired_capacity = group.min_size = group.max_size = 0
    refresh = refreshing.running(group)
    if refresh is not None:
        refresh.status = "Cancelled"
    for state in list(group.instance_states):
        members.retire(group, state, "in response to the group's deletion", drain=False)
    members.finish_deletion(group)
    return EmptyResult()


def _refuse_while_busy(group: FakeAutoScalingGroup) -> None:
    leaving = [s for s in group.instance_states if s.lifecycle_state.startswith("Terminating")]
    if len(leaving) < len(group.instance_states) or group.desired_capacity:
        message = (
            "You cannot delete an AutoScalingGroup while there are instances or pending "
            "Spot instance request(s) still in the group."
        )
        raise fault("ResourceInUse", message)
    if leaving:
        message = (
            "You cannot delete an AutoScalingGroup while there are scaling activities "
            "in progress for that group."
        )
        raise fault("ScalingActivityInProgress", message)


@add(AutoScalingBackend)
def forget_group(self: AutoScalingBackend, group: FakeAutoScalingGroup) -> None:
    """The end of a group: its policies and their alarms go with it."""
    from .autoscaling_policies import drop_policies

    if self.autoscaling_groups.get(group.name) is group:
        drop_policies(self, group.name)
        self.autoscaling_groups.pop(group.name)
        for key, hook in list(self.lifecycle_hooks.items()):
            if hook.auto_scaling_group_name == group.name:
                del self.lifecycle_hooks[key]


@wrap(AutoScalingResponse, "resume_processes")
def _resume(original: Any, self: AutoScalingResponse) -> ActionResult:
    result = original(self)
    group = group_named(self)
    if getattr(group, "deleting", False):
        for state in list(group.instance_states):
            members.retire(group, state, "in response to the group's deletion", drain=False)
    else:
        members.converge_soon(group)
    return result


@add(AutoScalingResponse)
def terminate_instance_in_auto_scaling_group(self: AutoScalingResponse) -> ActionResult:
    instance_id = self._get_param("InstanceId")
    for group in self.autoscaling_backend.autoscaling_groups.values():
        for state in group.instance_states:
            if state.instance.id == instance_id:
                if self._get_bool_param("ShouldDecrementDesiredCapacity", False):
                    group.desired_capacity = max(group.desired_capacity - 1, group.min_size)
                activity = record(group, f"Terminating EC2 instance: {instance_id}", "InProgress")
                members.retire(group, state, "in response to a user request")
                members.converge_soon(group)
                return ActionResult({"Activity": activity})
    message = f"Instance Id not found - No managed instance found for {instance_id}"
    raise fault("ValidationError", message)


@add(AutoScalingResponse)
def enable_metrics_collection(self: AutoScalingResponse) -> ActionResult:
    group = group_named(self)
    wanted = self._get_param("Metrics", []) or ALL_METRICS
    group.metrics = sorted(set(group.metrics) | set(wanted))
    return EmptyResult()


@add(AutoScalingResponse)
def disable_metrics_collection(self: AutoScalingResponse) -> ActionResult:
    group = group_named(self)
    unwanted = self._get_param("Metrics", []) or ALL_METRICS
    group.metrics = [metric for metric in group.metrics if metric not in unwanted]
    return EmptyResult()


@hooks.before(
    "autoscaling",
    "AttachLoadBalancerTargetGroups",
    "DetachLoadBalancerTargetGroups",
    "DescribeLoadBalancerTargetGroups",
    "AttachInstances",
    "DetachInstances",
    "SuspendProcesses",
    "ResumeProcesses",
    "SetInstanceProtection",
    "EnterStandby",
    "ExitStandby",
    "PutLifecycleHook",
    "PutWarmPool",
    "DescribeWarmPool",
    "DeleteWarmPool",
)
def _known_group(request: hooks.Request) -> None:
    name = request.params.get("AutoScalingGroupName")
    if name not in autoscaling_backends[request.account][request.region].autoscaling_groups:
        message = f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        raise hooks.AwsError("ValidationError", message)


@hooks.before("autoscaling", "CreateOrUpdateTags", "DeleteTags")
def _known_groups(request: hooks.Request) -> None:
    held = autoscaling_backends[request.account][request.region].autoscaling_groups
    for tag in request.params.get("Tags") or []:
        if tag.get("ResourceId") not in held:
            message = (
                "Resource validation exception - auto-scaling-group "
                f"'{tag.get('ResourceId')}' does not exist"
            )
            raise hooks.AwsError("ValidationError", message)
