"""The group's own health check: what the load balancer finds unhealthy is replaced."""

import time

from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState

from local_aws import clock

from . import autoscaling as members
from . import providers
from .lifecycle import run_after_real

CHECK_SECONDS = 30
SHORTEST_CHECK = 1.0
# A real process needs real time to boot, whatever the scale says.
SHORTEST_GRACE = 30.0


def watch(group: FakeAutoScalingGroup) -> None:
    """Looks after a group while it lives; without a data plane everybody is well."""
    if providers.answers("target-health"):
        seconds = max(clock.due(CHECK_SECONDS), SHORTEST_CHECK)
        run_after_real(seconds, lambda: _look(group))


def _look(group: FakeAutoScalingGroup) -> None:
    if not members.is_live(group) or getattr(group, "deleting", False):
        return
    watch(group)
    if group.health_check_type != "ELB" or "HealthCheck" in members.suspended(group):
        return
    sick = [state for state in members.active(group) if _is_sick(group, state)]
    for state in sick:
        state.health_status = "Unhealthy"
        group.__dict__.setdefault("_failed_checks", set()).add(state.instance.id)
        members.retire(group, state, "in response to an ELB system health check failure")
    if sick:
        members.converge_soon(group)


def _is_sick(group: FakeAutoScalingGroup, state: InstanceState) -> bool:
    since = getattr(state, "in_service_at", None)
    grace = max(clock.due(float(group.health_check_grace_period or 0)), SHORTEST_GRACE)
    if since is None or time.time() < since + grace:
        return False
    held = group.autoscaling_backend.elbv2_backend.target_groups
    target = {"Id": state.instance.id}
    return any(
        held[arn].health_for(target, group.ec2_backend).status == "unhealthy"
        for arn in group.target_group_arns
        if arn in held
    )
