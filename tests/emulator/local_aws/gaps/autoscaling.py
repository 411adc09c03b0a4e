"""Auto Scaling groups: instances that come and go in time, from the group's own template version.

`converge` brings a group to its desired capacity; everything that changes a group calls it.
"""

from collections import Counter
from typing import Any

from moto.autoscaling.models import (
    ASG_NAME_TAG,
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
)
from moto.core.exceptions import ServiceException

from local_aws import clock

from .autoscaling_activities import record
from .elbv2_targets import drain_seconds, is_draining
from .iam import profile_problem
from .lifecycle import fault, run_after_real, run_later
from .patching import add, prop, wrap

LAUNCH_SECONDS = 3
IN_SERVICE_SECONDS = 22
GONE_SECONDS = 30
REPLACE_SECONDS = 30
DRAIN_LOOK_SECONDS = 0.1
ACTIVE = ("Pending", "InService")


def group_of(instance: Any) -> FakeAutoScalingGroup | None:
    """The group that launched an instance, for the data plane."""
    return getattr(instance, "autoscaling_group", None)


def active(group: FakeAutoScalingGroup) -> list[InstanceState]:
    """The members that count towards the desired capacity."""
    return [state for state in group.instance_states if state.lifecycle_state in ACTIVE]


def converge(group: FakeAutoScalingGroup) -> None:
    """Launches or terminates what is missing or too much."""
    from .autoscaling_refresh import running, step

    if getattr(group, "deleting", False) or running(group):
        if running(group):
            step(group)
        return
    missing = (group.desired_capacity or 0) - len(active(group))
    if missing > 0:
        launch(group, missing, group.launch_template_version)
    elif missing < 0:
        for state in victims(group, -missing):
            retire(group, state, "to shrink the capacity")


def converge_soon(group: FakeAutoScalingGroup, seconds: float = LAUNCH_SECONDS) -> None:
    run_later(seconds, lambda: converge(group) if is_live(group) else None)


def is_live(group: FakeAutoScalingGroup) -> bool:
    return group.autoscaling_backend.autoscaling_groups.get(group.name) is group


def launch(group: FakeAutoScalingGroup, count: int, version: Any) -> list[InstanceState]:
    """Launches `count` members from one version of the group's launch template."""
    if "Launch" in suspended(group):
        return []
    launched = []
    for _ in range(count):
        try:
            launched.append(_launch_one(group, version))
        except ServiceException as error:
            record(group, "Launching a new EC2 instance", "Failed", error.message)
            # Never at once, even where nothing waits: it may fail for ever.
            seconds = max(clock.due(REPLACE_SECONDS), 1.0)
            run_after_real(seconds, lambda: converge(group) if is_live(group) else None)
            break
    for state in launched:
        instance_id = state.instance.id
        activity = record(group, f"Launching a new EC2 instance: {instance_id}", "PreInService")
        run_later(IN_SERVICE_SECONDS, lambda s=state, a=activity: _in_service(group, s, a))
    return launched


def _launch_one(group: FakeAutoScalingGroup, version: Any) -> InstanceState:
    template = group.ec2_launch_template
    request: dict[str, Any] = {"is_instance_type_default": True, "instance_type": "m1.small"}
    if template is not None:
        # Deleted meanwhile, it is refused in EC2's words.
        resolved = group.ec2_backend.get_launch_template(template.id).get_version(version)
        _refuse_bad_profile(group, resolved.data)
        spec = {"LaunchTemplateId": template.id, "Version": str(resolved.number)}
        request["launch_template"] = spec
        recorded = {**spec, "LaunchTemplateName": template.name}
    else:
        recorded = None
        request.update(
            launch_config=group.launch_config,
            instance_type=group.instance_type,
            is_instance_type_default=False,
            associate_public_ip=group.launch_config.associate_public_ip_address,
        )
    _place(group, request)
    tags = {**group.get_propagated_tags(), ASG_NAME_TAG: group.name}
    reservation = group.ec2_backend.run_instances(
        None if template else group.image_id,
        1,
        None if template else group.user_data,
        [] if template else group.security_groups,
        tags={"instance": tags},
        region_name=group.region,
        **request,
    )
    instance = reservation.instances[0]
    instance.autoscaling_group = group
    state = InstanceState(
        instance,
        lifecycle_state="Pending",
        protected_from_scale_in=group.new_instances_protected_from_scale_in,
    )
    state.template = recorded
    group.instance_states.append(state)
    return state


def _place(group: FakeAutoScalingGroup, request: dict[str, Any]) -> None:
    """Into the emptiest zone."""
    taken = Counter(state.instance.subnet_id for state in active(group))
    subnets = (group.vpc_zone_identifier or "").split(",")
    subnet_ids = [subnet.strip() for subnet in subnets if subnet.strip()]
    if subnet_ids:
        request["subnet_id"] = min(subnet_ids, key=lambda subnet: taken[subnet])
    else:
        zones = Counter(state.availability_zone for state in active(group))
        request["placement"] = min(group.availability_zones, key=lambda zone: zones[zone])


def _refuse_bad_profile(group: FakeAutoScalingGroup, data: dict[str, Any]) -> None:
    spec = data.get("IamInstanceProfile")
    if not spec:
        return
    problem = profile_problem(group.account_id, group.autoscaling_backend.partition, spec)
    if problem:
        message = f"You must use a valid fully-formed launch template. {problem}"
        raise fault("ValidationError", message)


def _in_service(group: FakeAutoScalingGroup, state: InstanceState, activity: Any) -> None:
    if state.lifecycle_state != "Pending" or state not in group.instance_states:
        return
    # Everything the instance still had to pass through lies behind it now.
    state.instance._state.name, state.instance._state.code = "running", 16
    state.lifecycle_state = "InService"
    activity.finish("Successful")
    register(group, [state])
    events_follow(group)


def events_follow(group: FakeAutoScalingGroup) -> None:
    """After a member changed: a running refresh takes its next step."""
    from .autoscaling_refresh import running, step

    if running(group):
        step(group)


def register(group: FakeAutoScalingGroup, states: list[InstanceState]) -> None:
    """Adds members to the group's target groups."""
    backend = group.autoscaling_backend.elbv2_backend
    for arn in group.target_group_arns:
        target_group = backend.target_groups.get(arn)
        if target_group is not None and states:
            port = target_group.port
            target_group.register([{"Id": s.instance.id, "Port": port} for s in states])


def victims(group: FakeAutoScalingGroup, count: int) -> list[InstanceState]:
    """Whom the default policy terminates: the fullest zone's oldest, unprotected members."""
    chosen: list[InstanceState] = []
    left = [state for state in active(group) if not state.protected_from_scale_in]
    while left and len(chosen) < count:
        zones = Counter(state.availability_zone for state in left)
        fullest = max(zones, key=lambda zone: zones[zone])
        state = next(state for state in left if state.availability_zone == fullest)
        left.remove(state)
        chosen.append(state)
    return chosen


def retire(
    group: FakeAutoScalingGroup, state: InstanceState, why: str, *, drain: bool = True
) -> None:
    """Out of the load balancer, then terminated, then out of the group."""
    if state.lifecycle_state.startswith("Terminating") or "Terminate" in suspended(group):
        return
    registered = state.lifecycle_state == "InService"
    state.lifecycle_state = "Terminating"
    instance_id = state.instance.id
    cause = f"instance {instance_id} was taken out of service {why}"
    activity = record(group, f"Terminating EC2 instance: {instance_id}", "InProgress", cause=cause)
    seconds = _deregister(group, instance_id) if registered else 0.0
    run_later(seconds if drain else 0.0, lambda: _terminate(group, state, activity, drain))


def _deregister(group: FakeAutoScalingGroup, instance_id: str) -> float:
    seconds = 0.0
    for arn in group.target_group_arns:
        target_group = group.autoscaling_backend.elbv2_backend.target_groups.get(arn)
        if target_group is not None and instance_id in target_group.targets:
            target_group.deregister([{"Id": instance_id}])
            seconds = max(seconds, drain_seconds(target_group))
    return seconds


def _drains(group: FakeAutoScalingGroup, instance_id: str) -> bool:
    held = group.autoscaling_backend.elbv2_backend.target_groups
    return any(is_draining(held[arn], instance_id) for arn in group.target_group_arns if arn in held)


def _terminate(
    group: FakeAutoScalingGroup, state: InstanceState, activity: Any, drain: bool
) -> None:
    if drain and _drains(group, state.instance.id):
        run_after_real(DRAIN_LOOK_SECONDS, lambda: _terminate(group, state, activity, drain))
        return
    if state.instance.state not in ("shutting-down", "terminated"):
        group.ec2_backend.terminate_instances([state.instance.id])
    run_later(GONE_SECONDS, lambda: _gone(group, state, activity))


def _gone(group: FakeAutoScalingGroup, state: InstanceState, activity: Any) -> None:
    group.instance_states = [kept for kept in group.instance_states if kept is not state]
    activity.finish("Successful")
    if getattr(group, "deleting", False):
        finish_deletion(group)
    else:
        events_follow(group)


def finish_deletion(group: FakeAutoScalingGroup) -> None:
    """A group being deleted goes when its last instance is gone."""
    if not group.instance_states:
        group.autoscaling_backend.forget_group(group)


def suspended(group: FakeAutoScalingGroup) -> list[str]:
    return list(group._suspended_processes)


@add(FakeAutoScalingGroup)
def set_desired_capacity(self: FakeAutoScalingGroup, new_capacity: int | None) -> None:
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity
    if is_live(self):
        converge_soon(self)


@prop(InstanceState, "launch_template")
def _launch_template(self: InstanceState) -> dict[str, Any] | None:
    return getattr(self, "template", None)


@add(AutoScalingBackend)
def notify_terminate_instances(self: AutoScalingBackend, instance_ids: list[str]) -> None:
    """Somebody terminated members behind the group's back: it notices, and replaces them."""
    for group in list(self.autoscaling_groups.values()):
        for state in list(group.instance_states):
            if state.instance.id in instance_ids and state.lifecycle_state in ACTIVE:
                state.health_status = "Unhealthy"
                retire(group, state, "in response to an EC2 health check", drain=False)
        converge_soon(group, REPLACE_SECONDS)


@add(AutoScalingBackend)
def update_attached_target_groups(self: AutoScalingBackend, group_name: str) -> None:
    group = self.autoscaling_groups[group_name]
    register(group, [s for s in group.instance_states if s.lifecycle_state == "InService"])


@wrap(AutoScalingBackend, "set_instance_health")
def _set_health(original: Any, self: Any, instance_id: str, health_status: str) -> None:
    original(self, instance_id, health_status)
    for group in self.autoscaling_groups.values():
        for state in list(group.instance_states):
            if state.instance.id == instance_id and health_status == "Unhealthy":
                retire(group, state, "in response to a user health-check")
                converge_soon(group)
