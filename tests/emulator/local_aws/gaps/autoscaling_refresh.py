"""Instance refreshes: real replacements in the bounds of MinHealthy and MaxHealthy percentages."""

import math
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState
from moto.core.utils import utcnow

from local_aws import clock

from .autoscaling import active, is_live, launch, retire
from .autoscaling_refresh_watch import alarming, allowed, baked, pass_checkpoint
from .lifecycle import Deadline, run_after_real

RUNNING = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
POLL_SECONDS = 5
SHORTEST_POLL = 0.2
# A real process needs real time to boot, whatever the scale says.
PATIENCE_SECONDS = 120
SHORTEST_PATIENCE = 120


@dataclass
class Refresh:
    """One instance refresh of a group."""

    group: FakeAutoScalingGroup
    preferences: dict[str, Any]
    desired_configuration: dict[str, Any] | None
    version: str | None
    previous: dict[str, Any]
    to_replace: set[str]
    instance_refresh_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Pending"
    status_reason: str | None = None
    start_time: datetime = field(default_factory=utcnow)
    end_time: datetime | None = None
    rollback: dict[str, Any] | None = None
    total: int = 0
    in_service_since: dict[str, Deadline] = field(default_factory=dict)
    launched: dict[str, float] = field(default_factory=dict)
    baking: Deadline | None = None
    checkpoint: int = 0
    waiting: Deadline | None = None

    @property
    def left(self) -> int:
        return sum(1 for state in active(self.group) if state.instance.id in self.to_replace)

    @property
    def percentage_complete(self) -> int:
        if self.status == "Successful" or not self.total:
            return 100
        return int(100 * (self.total - self.left) / self.total)

    def describe(self) -> dict[str, Any]:
        """The InstanceRefresh structure."""
        told = {
            "InstanceRefreshId": self.instance_refresh_id,
            "AutoScalingGroupName": self.group.name,
            "Status": self.status,
            "StatusReason": self.status_reason,
            "StartTime": self.start_time,
            "EndTime": self.end_time,
            "PercentageComplete": self.percentage_complete,
            "InstancesToUpdate": self.left,
            "Preferences": self.preferences,
            "DesiredConfiguration": self.desired_configuration,
            "RollbackDetails": self.rollback,
        }
        return {key: value for key, value in told.items() if value is not None}


def refreshes(group: FakeAutoScalingGroup) -> list[Refresh]:
    """A group's refreshes, the newest first."""
    return group.__dict__.setdefault("_refreshes", [])


def running(group: FakeAutoScalingGroup) -> Refresh | None:
    """The refresh in progress."""
    newest = refreshes(group)[:1]
    return newest[0] if newest and newest[0].status in RUNNING else None


def begin(refresh: Refresh) -> None:
    """Starts it; the caller has checked that none is running."""
    group = refresh.group
    refreshes(group).insert(0, refresh)
    refresh.total = len(refresh.to_replace)
    run_after_real(clock.due(2), lambda: _proceed(group, refresh))


def _proceed(group: FakeAutoScalingGroup, refresh: Refresh) -> None:
    if refresh.status == "Pending":
        refresh.status = "InProgress"
    step(group)


def begin_rollback(refresh: Refresh, reason: str) -> None:
    """Turns a refresh round: what it launched is replaced by the version before."""
    group = refresh.group
    refresh.rollback = {
        "RollbackReason": reason,
        "RollbackStartTime": utcnow(),
        "PercentageCompleteOnRollback": refresh.percentage_complete,
        "InstancesToUpdateOnRollback": refresh.left,
    }
    old = refresh.to_replace
    refresh.to_replace = {s.instance.id for s in active(group) if s.instance.id not in old}
    refresh.total = max(len(refresh.to_replace), 1)
    refresh.version = refresh.previous["version"]
    refresh.launched.clear()
    refresh.status = "RollbackInProgress"
    run_after_real(clock.due(2), lambda: step(group))


def step(group: FakeAutoScalingGroup) -> None:
    """As much as may be done now; called after every change and by a timer while running."""
    # What a step does may change the group at once and so ask for the next step.
    if getattr(group, "_stepping", False):
        group._step_again = True
        return
    group._stepping = True
    try:
        group._step_again = True
        while group._step_again:
            group._step_again = False
            _step(group)
    finally:
        group._stepping = False


def _step(group: FakeAutoScalingGroup) -> None:
    refresh = running(group)
    if refresh is None or not is_live(group):
        return
    if refresh.status == "Cancelling":
        _finish(refresh, "Cancelled")
        return
    if refresh.status == "Pending":
        return
    names = [] if refresh.rollback else alarming(refresh)
    if names:
        _failed(refresh, f"The following CloudWatch alarms are in the ALARM state: {', '.join(names)}")
        return
    healthy = [state for state in active(group) if _healthy(refresh, state)]
    if _late(refresh, healthy):
        _failed(refresh, "The new instances did not pass their health checks in time")
        return
    old = [state for state in active(group) if state.instance.id in refresh.to_replace]
    replaced = refresh.total - len(old) >= allowed(refresh)
    if replaced and len(healthy) >= (group.desired_capacity or 0) == len(active(group)):
        pass_checkpoint(refresh)
        if refresh.total - len(old) >= allowed(refresh) and refresh.waiting is None:
            _complete(refresh)
            return
    _retire_old(refresh, old, healthy)
    _launch_new(refresh)
    _poll(group, refresh)


def _complete(refresh: Refresh) -> None:
    if refresh.rollback:
        _finish(refresh, "RollbackSuccessful")
    elif baked(refresh):
        _finish(refresh, "Successful")
    else:
        _poll(refresh.group, refresh)


def _bounds(refresh: Refresh) -> tuple[int, int]:
    desired = refresh.group.desired_capacity or 0
    low = int(refresh.preferences.get("MinHealthyPercentage", 90))
    high = int(refresh.preferences.get("MaxHealthyPercentage", max(100, low)))
    return math.ceil(desired * low / 100), max(desired * high // 100, desired)


def _retire_old(refresh: Refresh, old: list[InstanceState], healthy: list[InstanceState]) -> None:
    group = refresh.group
    least, most = _bounds(refresh)
    desired = group.desired_capacity or 0
    waiting = [state for state in active(group) if state not in healthy and state not in old]
    room = most - len(active(group))
    spare = len(healthy) - least
    if old and spare < 1 and room < 1 and not waiting and len(active(group)) <= desired:
        # Neither bound leaves room: one at a time.
        spare = 1
    sick = [state for state in old if _is_sick(group, state)]
    chosen = sick + [state for state in old if state in healthy][: max(spare, 0)]
    if old and not sick and len(active(group)) > desired:
        chosen = chosen[: max(len(active(group)) - desired, spare)]
    may_go = allowed(refresh) - (refresh.total - len(old))
    for state in chosen[: max(may_go, 0)]:
        retire(group, state, "in response to an instance refresh")


def _launch_new(refresh: Refresh) -> None:
    group = refresh.group
    _, most = _bounds(refresh)
    now = active(group)
    old = sum(1 for state in now if state.instance.id in refresh.to_replace)
    new = len(now) - old
    wanted = (group.desired_capacity or 0) - new
    # What a checkpoint keeps is not replaced; what scaling adds is launched.
    kept = max(refresh.total - allowed(refresh), 0)
    count = min(wanted - kept, most - len(now))
    if count > 0:
        version = refresh.version or group.launch_template_version
        for state in launch(group, count, version):
            patience = max(clock.due(_warm_up(refresh) + PATIENCE_SECONDS), SHORTEST_PATIENCE)
            refresh.launched[state.instance.id] = utcnow().timestamp() + patience
    elif wanted < 0 and not old:
        for state in now[:-wanted]:
            retire(group, state, "to shrink the capacity")


def _warm_up(refresh: Refresh) -> float:
    group = refresh.group
    warm_up = refresh.preferences.get("InstanceWarmup")
    if warm_up is None:
        warm_up = getattr(group, "default_instance_warmup", None)
    return float(group.health_check_grace_period or 0) if warm_up is None else float(warm_up)


def _healthy(refresh: Refresh, state: InstanceState) -> bool:
    if state.lifecycle_state != "InService" or state.health_status != "Healthy":
        return False
    if state.instance.id in refresh.launched:
        warm_up = refresh.in_service_since.setdefault(
            state.instance.id, Deadline(_warm_up(refresh))
        )
        if not warm_up.passed:
            return False
    return _answers(refresh.group, state)


def _answers(group: FakeAutoScalingGroup, state: InstanceState) -> bool:
    """What the load balancer says, where there is one that says anything."""
    return _told(group, state) <= {"healthy", "unused"}


def _is_sick(group: FakeAutoScalingGroup, state: InstanceState) -> bool:
    return state.health_status != "Healthy" or "unhealthy" in _told(group, state)


def _told(group: FakeAutoScalingGroup, state: InstanceState) -> set[str]:
    held = group.autoscaling_backend.elbv2_backend.target_groups
    target = {"Id": state.instance.id}
    return {
        held[arn].health_for(target, group.ec2_backend).status
        for arn in group.target_group_arns
        if arn in held
    }


def _late(refresh: Refresh, healthy: list[InstanceState]) -> bool:
    """An instance of the new version that should have been healthy long ago."""
    well = {state.instance.id for state in healthy}
    present = {state.instance.id for state in active(refresh.group)}
    now = utcnow().timestamp()
    return any(
        deadline < now and instance_id in present and instance_id not in well
        for instance_id, deadline in refresh.launched.items()
    )


def _failed(refresh: Refresh, reason: str) -> None:
    if refresh.rollback:
        refresh.status_reason = reason
        _finish(refresh, "RollbackFailed")
    elif refresh.preferences.get("AutoRollback"):
        begin_rollback(refresh, f"The instance refresh failed: {reason}")
    else:
        refresh.status_reason = reason
        _finish(refresh, "Failed")


def _finish(refresh: Refresh, status: str) -> None:
    group = refresh.group
    if status == "Successful" and refresh.version is not None:
        group.launch_template_version = refresh.version
        group.provided_launch_template_version = refresh.version
    if status in ("Successful", "RollbackSuccessful"):
        refresh.status_reason = None
    refresh.status = status
    refresh.end_time = utcnow()
    if status in ("Cancelled", "Failed", "RollbackFailed"):
        from .autoscaling import converge_soon

        converge_soon(group)


def _poll(group: FakeAutoScalingGroup, refresh: Refresh) -> None:
    """Health changes without a call to tell: look again soon."""
    if getattr(refresh, "_polling", False):
        return
    refresh._polling = True

    def again() -> None:
        refresh._polling = False
        step(group)

    run_after_real(max(clock.due(POLL_SECONDS), SHORTEST_POLL), again)
