"""What holds an instance refresh up, or turns it round: checkpoints, the time to bake, alarms."""

import math
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import cloudwatch_backends

from .lifecycle import Deadline, fault

if TYPE_CHECKING:
    from .autoscaling_refresh import Refresh

MOST_ALARMS = 10
CHECKPOINT_DELAY_SECONDS = 3600


def check(group: Any, preferences: dict[str, Any]) -> None:
    """Refuses preferences that AWS does not take."""
    percentages = [int(p) for p in preferences.get("CheckpointPercentages") or []]
    if preferences.get("CheckpointDelay") is not None and not percentages:
        raise fault("ValidationError", "CheckpointDelay requires CheckpointPercentages")
    if percentages != sorted(set(percentages)) or not all(1 <= p <= 100 for p in percentages):
        message = "CheckpointPercentages must be unique, in ascending order, and between 1 and 100"
        raise fault("ValidationError", message)
    names = alarms_of(preferences)
    if len(names) > MOST_ALARMS:
        raise fault("ValidationError", f"At most {MOST_ALARMS} alarms can be specified")
    held = _alarms(group)
    missing = [name for name in names if name not in held]
    if missing:
        raise fault("ValidationError", f"The following alarms do not exist: {', '.join(missing)}")


def alarms_of(preferences: dict[str, Any]) -> list[str]:
    return list((preferences.get("AlarmSpecification") or {}).get("Alarms") or [])


def _alarms(group: Any) -> dict[str, Any]:
    return cloudwatch_backends[group.account_id][group.region].alarms


def alarming(refresh: "Refresh") -> list[str]:
    """The names of its alarms that are on."""
    held = _alarms(refresh.group)
    names = alarms_of(refresh.preferences)
    return [name for name in names if name in held and held[name].state_value == "ALARM"]


def baked(refresh: "Refresh") -> bool:
    """Whether the time to bake is over; it begins at the first question."""
    seconds = float(refresh.preferences.get("BakeTime") or 0)
    if not seconds:
        return True
    if refresh.baking is None:
        refresh.baking = Deadline(seconds)
        refresh.status = "Baking"
        refresh.status_reason = "Waiting for the bake time to end"
    return refresh.baking.passed


def allowed(refresh: "Refresh") -> int:
    """How many of the instances may have been replaced by now."""
    percentages = refresh.preferences.get("CheckpointPercentages") or []
    if refresh.rollback or not percentages:
        return refresh.total
    return math.ceil(refresh.total * int(percentages[refresh.checkpoint]) / 100)


def pass_checkpoint(refresh: "Refresh") -> None:
    """At a checkpoint: waits there, and then goes on to the next."""
    percentages = refresh.preferences.get("CheckpointPercentages") or []
    if refresh.rollback or refresh.checkpoint + 1 >= len(percentages):
        return
    if refresh.waiting is None:
        delay = refresh.preferences.get("CheckpointDelay")
        refresh.waiting = Deadline(float(CHECKPOINT_DELAY_SECONDS if delay is None else delay))
        refresh.status_reason = f"Waiting at the checkpoint of {percentages[refresh.checkpoint]} percent"
    if refresh.waiting.passed:
        refresh.checkpoint += 1
        refresh.waiting = None
        refresh.status_reason = None
