"""Scaling activities: what a group did, kept and told."""

from typing import Any

from moto.autoscaling.models import Activity, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.core.utils import utcnow

from .patching import add

KEPT = 200


class GroupActivity(Activity):
    """An activity that ends, with a message where it failed."""

    status_message: str | None = None

    def finish(self, status: str, message: str | None = None) -> None:
        self.status_code = status
        self.status_message = message
        self.end_time = utcnow()
        self.progress = 100


def record(
    group: FakeAutoScalingGroup,
    description: str,
    status: str,
    message: str | None = None,
    cause: str | None = None,
) -> GroupActivity:
    """Notes an activity; the newest is told first."""
    now = utcnow()
    text = cause or "an instance was started in response to a difference between desired and actual"
    cause = f"At {now:%Y-%m-%dT%H:%M:%SZ} {text}, the desired capacity being {group.desired_capacity}."
    activity = GroupActivity(description, cause, group, start_time=now, status_code=status)
    activity.end_time = None
    if status in ("Failed", "Successful", "Cancelled"):
        activity.finish(status, message)
    kept = group.autoscaling_backend.__dict__.setdefault("_activities", {})
    kept.setdefault(group.name, []).insert(0, activity)
    del kept[group.name][KEPT:]
    return activity


@add(AutoScalingResponse)
def describe_scaling_activities(self: AutoScalingResponse) -> ActionResult:
    name = self._get_param("AutoScalingGroupName")
    ids = self._get_param("ActivityIds", [])
    backend = self.autoscaling_backend
    kept: dict[str, list[Any]] = backend.__dict__.get("_activities", {})
    deleted_too = self._get_bool_param("IncludeDeletedGroups", False)
    activities = [
        activity
        for group_name, listed in kept.items()
        for activity in listed
        if (not name or group_name == name)
        and (not ids or activity.activity_id in ids)
        and (deleted_too or group_name in backend.autoscaling_groups)
    ]
    activities.sort(key=lambda activity: activity.start_time, reverse=True)
    return ActionResult({"Activities": activities})
