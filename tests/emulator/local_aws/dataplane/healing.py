"""Auto Scaling groups replace members that their load balancer, or their host, calls unhealthy."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import Any

from local_aws import clock, hooks
from local_aws.gaps.autoscaling import active, suspended
from local_aws.gaps.autoscaling_refresh import running as refreshing

from . import context, instances

INTERVAL_SECONDS = 1.0
#: A first boot takes real time, however fast time goes.
FIRST_BOOT_SECONDS = 60.0

#: Since when each member is in service; and which have been healthy since.
_since: dict[str, float] = {}
_proven: set[str] = set()


def open_healing() -> None:
    """Look at every group from now on, until the data plane closes."""
    _since.clear()
    _proven.clear()
    threading.Thread(target=_watch, args=(context.current(),), name="healing", daemon=True).start()


def _watch(mine: context.Context) -> None:
    while context.running() and context.current() is mine:
        time.sleep(INTERVAL_SECONDS)
        try:
            with hooks.lock:
                for backend, group in _groups():
                    _look_at(backend, group)
        except Exception:
            if context.running():
                traceback.print_exc(file=sys.stderr)


def _groups() -> list[tuple[Any, Any]]:
    from moto.autoscaling.models import autoscaling_backends
    from moto.core import DEFAULT_ACCOUNT_ID

    held = list(autoscaling_backends[DEFAULT_ACCOUNT_ID].values())
    return [(b, group) for b in held for group in list(b.autoscaling_groups.values())]


def _look_at(backend: Any, group: Any) -> None:
    # A refresh judges the members itself.
    if {"HealthCheck", "ReplaceUnhealthy"} & set(suspended(group)) or refreshing(group):
        return
    for state in list(active(group)):
        instance_id = state.instance.id
        if state.lifecycle_state != "InService" or state.health_status != "Healthy":
            continue
        since = _since.setdefault(instance_id, time.monotonic())
        told = _load_balancers_say(backend, group, state.instance)
        if "healthy" in told:
            _proven.add(instance_id)
        by_load_balancer = str(group.health_check_type).upper() == "ELB" and "unhealthy" in told
        if not by_load_balancer and not _host_failed(instance_id):
            continue
        grace = clock.due(float(group.health_check_grace_period or 0))
        if instance_id not in _proven:
            grace = max(grace, FIRST_BOOT_SECONDS)
        if time.monotonic() >= since + grace:
            _since.pop(instance_id, None)
            _proven.discard(instance_id)
            backend.set_instance_health(instance_id, "Unhealthy")


def _host_failed(instance_id: str) -> bool:
    held = instances.find(instance_id)
    return held is not None and held.failed


def _load_balancers_say(backend: Any, group: Any, instance: Any) -> set[str]:
    told = set()
    groups = backend.elbv2_backend.target_groups
    for arn in group.target_group_arns:
        target = groups[arn].targets.get(instance.id) if arn in groups else None
        if target is not None:
            told.add(groups[arn].health_for(target, group.ec2_backend).status)
    return told
