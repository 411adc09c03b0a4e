"""Alarms on what the data plane measures: evaluated as CloudWatch does, in AWS's time."""

from __future__ import annotations

import json
import operator
import sys
import threading
import time
import traceback
from typing import Any

from local_aws import clock, hooks

from . import context
from .traffic import Traffic

NAMESPACE = "AWS/ApplicationELB"
#: CloudWatch evaluates every minute.
EVERY_SECONDS = 60.0
SHORTEST_SECONDS = 0.25
COMPARE = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def statistic(name: str, values: list[float]) -> float:
    """A statistic over a period's values. A percentile is that of the averages that HAProxy gives, twice a second."""
    ordered = sorted(values)
    if name == "Sum":
        return sum(ordered)
    if name == "SampleCount":
        return float(len(ordered))
    if name == "Maximum":
        return ordered[-1]
    if name == "Minimum":
        return ordered[0]
    if name.startswith("p"):
        return ordered[min(int(len(ordered) * float(name[1:]) / 100), len(ordered) - 1)]
    return sum(ordered) / len(ordered)


def judge(periods: list[list[float]], alarm: Any) -> str | None:
    """OK, ALARM or INSUFFICIENT_DATA from the values of each period, the newest first; None: as it was."""
    compare = COMPARE.get(alarm.comparison_operator)
    if compare is None:
        return None
    name = alarm.extended_statistic or alarm.statistic or "Average"
    missing = alarm.treat_missing_data or "missing"
    verdicts: list[bool] = []
    for values in periods:
        if values:
            verdicts.append(bool(compare(statistic(name, values), float(alarm.threshold))))
        elif missing in ("breaching", "notBreaching"):
            verdicts.append(missing == "breaching")
    needed = int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
    if sum(verdicts) >= needed:
        return "ALARM"
    if not verdicts:
        return None if missing == "ignore" else "INSUFFICIENT_DATA"
    return "OK"


class Evaluator:
    """Looks at every alarm on a load balancer's metrics."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def start(self) -> None:
        threading.Thread(
            target=self._run, args=(context.current(),), name="alarms", daemon=True
        ).start()

    def _run(self, mine: context.Context) -> None:
        while context.running() and context.current() is mine:
            time.sleep(max(clock.due(EVERY_SECONDS), SHORTEST_SECONDS))
            try:
                with hooks.lock:
                    for alarm in _alarms():
                        self._evaluate(alarm)
            except Exception:
                if context.running():
                    traceback.print_exc(file=sys.stderr)

    def _evaluate(self, alarm: Any) -> None:
        dimensions = {dimension.name: dimension.value for dimension in alarm.dimensions}
        period = clock.due(float(alarm.period or 60))
        if not period:
            return
        now = time.monotonic()
        periods = []
        for number in range(int(alarm.evaluation_periods)):
            end = now - number * period
            values = self._traffic.values(alarm.metric_name, dimensions, end - period, end)
            periods.append(values or [])
        state = judge(periods, alarm)
        if state is not None and state != alarm.state_value:
            shown = [round(statistic(alarm.extended_statistic or alarm.statistic, v), 3) for v in periods if v]
            reason = f"Threshold Crossed: the newest datapoints {shown} against the threshold ({alarm.threshold})"
            alarm.update_state(reason, json.dumps({"recentDatapoints": shown}), state)


def _alarms() -> list[Any]:
    from moto.cloudwatch.models import cloudwatch_backends
    from moto.core import DEFAULT_ACCOUNT_ID

    held = list(cloudwatch_backends[DEFAULT_ACCOUNT_ID].values())
    every = [alarm for backend in held for alarm in list(backend.alarms.values())]
    return [alarm for alarm in every if alarm.namespace == NAMESPACE and alarm.metric_name]
