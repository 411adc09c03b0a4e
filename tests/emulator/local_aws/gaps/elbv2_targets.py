"""Targets: initial, healthy, draining; the data plane's word counts where there is one."""

import time
from typing import Any

from moto.elbv2.exceptions import TargetGroupNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from . import events, providers
from .lifecycle import Deadline, run_after_real, run_later
from .patching import wrap

INITIAL_SECONDS = 20
# An idle target's deregistration completes well before the delay has run out.
DRAINING_SECONDS_AT_MOST = 30
LOOK_SECONDS = 0.2


def drain_seconds(group: FakeTargetGroup) -> float:
    """How long a target of the group drains, in AWS seconds."""
    delay = float(group.attributes.get("deregistration_delay.timeout_seconds", 300))
    return min(delay, DRAINING_SECONDS_AT_MOST)


def target_groups(region: str, account: str) -> list[FakeTargetGroup]:
    """For the data plane: the target groups of a region."""
    from moto.elbv2.models import elbv2_backends

    return list(elbv2_backends[account][region].target_groups.values())


def registered(group: FakeTargetGroup) -> list[tuple[str, int]]:
    """The targets that may get new requests: (id, port)."""
    return [(target["Id"], int(target["Port"])) for target in group.targets.values()]


@wrap(FakeTargetGroup, "register")
def _register(original: Any, self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    new = [target for target in targets if target["Id"] not in self.targets]
    original(self, targets)
    since = self.__dict__.setdefault("_registered_at", {})
    for target in new:
        self.terminated_targets.pop(target["Id"], None)
        since[target["Id"]] = Deadline(INITIAL_SECONDS)
    if new:
        pairs = [(t["Id"], int(self.targets[t["Id"]]["Port"])) for t in new]
        events.emit(
            "targets-registered", region=self.region_name, target_group=self, targets=pairs
        )


@wrap(FakeTargetGroup, "deregister")
def _deregister(original: Any, self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    known = [target for target in targets if target["Id"] in self.targets]
    _drain(self, [target["Id"] for target in known])


def _drain(group: FakeTargetGroup, ids: list[str]) -> None:
    pairs = []
    for target_id in ids:
        target = group.targets.pop(target_id)
        # moto says `draining` of what it calls terminated targets.
        group.terminated_targets[target_id] = target
        pairs.append((target_id, int(target["Port"])))
    if not pairs:
        return
    region = group.region_name
    events.emit("targets-draining", region=region, target_group=group, targets=pairs)
    delay = float(group.attributes.get("deregistration_delay.timeout_seconds", 300))
    deadline = time.monotonic() + delay
    run_later(drain_seconds(group), lambda: _look(group, pairs, deadline, idle=0))


def _look(group: FakeTargetGroup, pairs: list[tuple[str, int]], deadline: float, idle: int) -> None:
    """Requests in flight take real time: they are waited for, as long as the delay is, however fast time goes."""
    asked = [providers.ask("target-busy", group.region_name, group, *pair) for pair in pairs]
    known = [busy for busy in asked if busy is not None]
    # Seen idle twice: what was sent a moment ago shows at the second look.
    idle = 0 if any(known) else idle + 1
    if not known or idle > 1 or time.monotonic() >= deadline:
        _drained(group, pairs)
    else:
        run_after_real(LOOK_SECONDS, lambda: _look(group, pairs, deadline, idle))


def is_draining(group: FakeTargetGroup, target_id: str) -> bool:
    """Whether a target still finishes its requests."""
    return target_id in group.terminated_targets


def _drained(group: FakeTargetGroup, pairs: list[tuple[str, int]]) -> None:
    for target_id, _ in pairs:
        target = group.terminated_targets.pop(target_id, None)
        if target is not None:
            group.deregistered_targets[target_id] = target
    region = group.region_name
    events.emit("targets-removed", region=region, target_group=group, targets=pairs)


@wrap(FakeTargetGroup, "deregister_terminated_instances")
def _terminated(original: Any, self: FakeTargetGroup, instance_ids: list[str]) -> None:
    _drain(self, [target_id for target_id in list(self.targets) if target_id in instance_ids])


@wrap(FakeTargetGroup, "health_for")
def _health(
    original: Any, self: FakeTargetGroup, target: dict[str, Any], ec2_backend: Any
) -> FakeHealthStatus:
    held = self.targets.get(target["Id"])
    if held is None:
        return original(self, target, ec2_backend)
    status = original(self, held, ec2_backend)
    if status.status != "healthy":
        return status
    state, reason, text = _judge(self, held, ec2_backend)
    return FakeHealthStatus(held["Id"], held["Port"], self.health_check_port, state, reason, text)


def _judge(group: FakeTargetGroup, held: dict[str, Any], ec2: Any) -> tuple[str, Any, Any]:
    instance = ec2.get_instance_by_id(held["Id"]) if held["Id"].startswith("i-") else None
    if instance is not None and instance.state != "running":
        return "unused", "Target.InvalidState", f"Target is in the {instance.state} state"
    if not _used(group):
        text = "Target group is not configured to receive traffic from the load balancer"
        return "unused", "Target.NotInUse", text
    answer = providers.ask(
        "target-health", group.region_name, group, held["Id"], int(held["Port"])
    )
    if answer is not None:
        return answer
    since = group.__dict__.get("_registered_at", {}).get(held["Id"])
    if since is not None and not since.passed:
        return "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
    return "healthy", None, None


def _used(group: FakeTargetGroup) -> bool:
    from moto.elbv2.models import elbv2_backends

    backend = elbv2_backends[group.account_id][group.region_name]
    return backend._any_listener_using(group.arn)


@wrap(ELBv2Backend, "describe_target_health")
def _describe(
    original: Any, self: ELBv2Backend, target_group_arn: str, targets: list[dict[str, Any]]
) -> list[FakeHealthStatus]:
    group = self.target_groups.get(target_group_arn)
    if group is None:
        raise TargetGroupNotFoundError()
    if not targets:
        targets = list(group.targets.values()) + list(group.terminated_targets.values())
    return [group.health_for(target, self.ec2_backend) for target in targets]
