"""Starting, following, cancelling and rolling back instance refreshes, as calls."""

from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from . import autoscaling as members
from . import autoscaling_refresh as refreshing
from . import autoscaling_refresh_watch as watching
from .autoscaling_groups import check_template, group_named
from .lifecycle import fault
from .patching import add, plain


@add(AutoScalingResponse)
def start_instance_refresh(self: AutoScalingResponse) -> ActionResult:
    group = group_named(self)
    if refreshing.running(group):
        message = (
            "An Instance Refresh is already in progress and blocks the execution of this "
            "Instance Refresh."
        )
        raise fault("InstanceRefreshInProgress", message)
    preferences = plain(self._get_param("Preferences", {}))
    _check_preferences(preferences)
    watching.check(group, preferences)
    configuration = plain(self._get_param("DesiredConfiguration", {}))
    version = _desired_version(self, group, configuration)
    if preferences.get("AutoRollback") and version is None:
        message = "AutoRollback requires a desired configuration with a numbered launch template version"
        raise fault("ValidationError", message)
    if preferences.get("AutoRollback") and not _numbered(group):
        message = (
            "AutoRollback cannot be used: the Auto Scaling group has the $Latest or $Default "
            "launch template version"
        )
        raise fault("ValidationError", message)
    current = str(group.launch_template_version)
    number = version or str(group.ec2_launch_template.get_version(current).number)
    matching = preferences.get("SkipMatching", False)
    refresh = refreshing.Refresh(
        group=group,
        preferences={"MinHealthyPercentage": 90, "SkipMatching": False, **preferences},
        desired_configuration=configuration or None,
        version=version,
        previous={"version": current},
        to_replace={
            state.instance.id
            for state in members.active(group)
            if not (matching and (state.launch_template or {}).get("Version") == number)
        },
    )
    refreshing.begin(refresh)
    return ActionResult({"InstanceRefreshId": refresh.instance_refresh_id})


def _check_preferences(preferences: dict[str, Any]) -> None:
    low, high = preferences.get("MinHealthyPercentage"), preferences.get("MaxHealthyPercentage")
    if high is None:
        return
    if low is None:
        message = "You must specify MinHealthyPercentage with MaxHealthyPercentage"
        raise fault("ValidationError", message)
    if not 100 <= int(high) <= 200 or int(high) - int(low) > 100:
        message = "MaxHealthyPercentage must be 100 to 200 and at most 100 above MinHealthyPercentage"
        raise fault("ValidationError", message)


def _desired_version(
    response: AutoScalingResponse, group: FakeAutoScalingGroup, configuration: dict[str, Any]
) -> str | None:
    spec = configuration.get("LaunchTemplate")
    if not spec:
        return None
    check_template(response, spec)
    version = str(spec.get("Version") or "$Default")
    if not version.isdigit():
        message = "The launch template version of a desired configuration must be a number"
        if response._get_param("Preferences", {}).get("AutoRollback"):
            raise fault("ValidationError", message)
        return str(group.ec2_launch_template.get_version(version).number)
    return version


def _numbered(group: FakeAutoScalingGroup) -> bool:
    template = group.launch_template or {}
    return str(template.get("Version") or "$Default").isdigit()


@add(AutoScalingResponse)
def describe_instance_refreshes(self: AutoScalingResponse) -> ActionResult:
    wanted = self._get_param("InstanceRefreshIds", [])
    listed = [
        refresh.describe()
        for refresh in refreshing.refreshes(group_named(self))
        if not wanted or refresh.instance_refresh_id in wanted
    ]
    return ActionResult({"InstanceRefreshes": listed})


def _running_or_refused(response: AutoScalingResponse) -> refreshing.Refresh:
    refresh = refreshing.running(group_named(response))
    if refresh is None:
        message = "No in progress or pending Instance Refresh found for Auto Scaling group"
        raise fault("ActiveInstanceRefreshNotFound", message)
    return refresh


@add(AutoScalingResponse)
def cancel_instance_refresh(self: AutoScalingResponse) -> ActionResult:
    refresh = _running_or_refused(self)
    refresh.status = "Cancelling"
    refreshing.run_after_real(refreshing.clock.due(2), lambda: refreshing.step(refresh.group))
    return ActionResult({"InstanceRefreshId": refresh.instance_refresh_id})


@add(AutoScalingResponse)
def rollback_instance_refresh(self: AutoScalingResponse) -> ActionResult:
    refresh = _running_or_refused(self)
    if refresh.version is None or not _numbered(refresh.group):
        message = (
            "A desired configuration was not found, or the $Latest or $Default launch template "
            "version is present on the Auto Scaling group"
        )
        raise fault("IrreversibleInstanceRefresh", message)
    if refresh.status in ("RollbackInProgress", "Cancelling"):
        message = "No in progress or pending Instance Refresh found for Auto Scaling group"
        raise fault("ActiveInstanceRefreshNotFound", message)
    refreshing.begin_rollback(refresh, "The user requested a rollback")
    return ActionResult({"InstanceRefreshId": refresh.instance_refresh_id})
