"""Load balancers as HAProxy processes: moto's listeners and target groups, read and followed."""

from __future__ import annotations

import socket
import sys
from typing import Any

from local_aws import clock, hooks
from local_aws.gaps import events, providers
from local_aws.hooks import Request, after

from . import context
from .alarms import Evaluator
from .balancer import Balancer, Wanted
from .balancer_config import Listener, Rule, Target, pool_name, pool_of
from .traffic import Traffic

_ACTIONS = (
    "CreateLoadBalancer ModifyLoadBalancerAttributes CreateListener ModifyListener DeleteListener"
    " AddListenerCertificates RemoveListenerCertificates CreateRule ModifyRule DeleteRule SetRulePriorities"
    " ModifyTargetGroup ModifyTargetGroupAttributes DeleteTargetGroup"
).split()

_balancers: dict[str, Balancer] = {}
_draining: set[tuple[str, str, int]] = set()


def address_of(region: str, arn: str) -> str:
    return context.current().addresses.of("elb", region, arn)


def _backend(region: str) -> Any:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.elbv2.models import elbv2_backends

    return elbv2_backends[DEFAULT_ACCOUNT_ID][region]


def _changed(region: str) -> None:
    """Something of the region's load balancers is new: each looks for itself, on its own lane."""
    if not context.running():
        return
    for arn in list(_backend(region).load_balancers):
        balancer = _balancers.get(arn)
        if balancer is None:
            balancer = _balancers[arn] = Balancer(region, arn, address_of(region, arn))
        balancer.lane.put(lambda held=balancer: _reconcile(held))


def _reconcile(balancer: Balancer) -> None:
    with hooks.lock:
        backend = _backend(balancer.region)
        load_balancer = backend.load_balancers.get(balancer.arn)
        wanted = _wanted(backend, balancer, load_balancer) if load_balancer else None
    if wanted is not None:
        balancer.reconcile(wanted)


def _wanted(backend: Any, balancer: Balancer, load_balancer: Any) -> Wanted:
    found = sorted(load_balancer.listeners.values(), key=lambda item: int(item.port))
    listeners = tuple(
        _listener(backend, balancer, item) for item in found if _can_bind(balancer, item)
    )
    arns = {arn for listener in listeners for rule in listener.rules for arn in _groups_of(rule)}
    groups = [backend.target_groups[arn] for arn in sorted(arns) if arn in backend.target_groups]
    return Wanted(
        listeners=listeners,
        pools={pool_name(group.arn): pool_of(group, clock.due) for group in groups},
        targets={pool_name(group.arn): _targets(backend, group) for group in groups},
        idle_seconds=int(load_balancer.attrs.get("idle_timeout.timeout_seconds") or 60),
    )


def _listener(backend: Any, balancer: Balancer, listener: Any) -> Listener:
    rules = sorted(
        listener.rules.values(), key=lambda r: (r.is_default, 0 if r.is_default else int(r.priority))
    )
    certificate = None
    if listener.protocol == "HTTPS":
        names = [balancer.address, *_certificate_names(backend, listener)]
        certificate = balancer.certificate(int(listener.port), names)
    return Listener(
        port=int(listener.port),
        protocol=listener.protocol,
        certificate=certificate,
        rules=tuple(_rule(rule, listener) for rule in rules),
    )


def _rule(rule: Any, listener: Any) -> Rule:
    # The default action is the listener's own; moto changes that one.
    actions = listener.default_actions if rule.is_default else rule.actions
    return Rule(tuple(rule.conditions or ()), dict(actions[-1].data))


def _groups_of(rule: Rule) -> list[str]:
    config = rule.action.get("ForwardConfig") or {}
    arns = [group["TargetGroupArn"] for group in config.get("TargetGroups") or []]
    return arns + ([rule.action["TargetGroupArn"]] if rule.action.get("TargetGroupArn") else [])


def _certificate_names(backend: Any, listener: Any) -> list[str]:
    """The names that the listener's certificates are for."""
    from moto.acm.models import acm_backends

    held = acm_backends[backend.account_id][backend.region_name]._certificates
    names: list[str] = []
    for arn in filter(None, [listener.certificate, *listener.certificates]):
        arn = arn["CertificateArn"] if isinstance(arn, dict) else arn
        if arn in held:
            names += [held[arn].common_name, *held[arn].sans]
    return [name for name in names if name]


def _can_bind(balancer: Balancer, listener: Any) -> bool:
    """HAProxy starts with all its ports or not at all; one that it may not have is left out, aloud."""
    if balancer.listens_on(int(listener.port)):
        return True
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((balancer.address, int(listener.port)))
        return True
    except OSError as error:
        where = f"{balancer.address}:{listener.port}"
        print(f"local AWS: listener {where} cannot be served: {error}", file=sys.stderr)
        return False


def _targets(backend: Any, group: Any) -> list[Target]:
    rows = []
    for held in [*group.targets.values(), *group.terminated_targets.values()]:
        target_id, port = held["Id"], int(held["Port"])
        address = target_address(backend, target_id)
        if address is not None:
            draining = (group.arn, target_id, port) in _draining
            rows.append(Target(target_id, port, address, draining))
    return rows


def target_address(backend: Any, target_id: str) -> str | None:
    """Where a target listens: an instance's private address, or the target itself."""
    if not target_id.startswith("i-"):
        return target_id
    instance = backend.ec2_backend.get_instance_by_id(target_id)
    return instance.private_ip if instance is not None and instance.nics else None


def _registered(region: str, target_group: Any, targets: list[tuple[str, int]]) -> None:
    _draining.difference_update({(target_group.arn, i, p) for i, p in targets})
    _changed(region)


def _drain(region: str, target_group: Any, targets: list[tuple[str, int]]) -> None:
    _draining.update({(target_group.arn, i, p) for i, p in targets})
    _changed(region)


def _removed(region: str, target_group: Any, targets: list[tuple[str, int]]) -> None:
    _draining.difference_update({(target_group.arn, i, p) for i, p in targets})
    _changed(region)


def _deleted(region: str, load_balancer: Any) -> None:
    balancer = _balancers.pop(load_balancer.arn, None)
    if balancer is not None:
        balancer.gone = True
        balancer.lane.put(balancer.delete)
    context.current().addresses.release("elb", region, load_balancer.arn)


def _health(region: str, target_group: Any, target_id: str, port: int) -> Any:
    """The answer to DescribeTargetHealth; None where no load balancer uses the group."""
    pool = pool_name(target_group.arn)
    for balancer in list(_balancers.values()):
        if balancer.region == region and balancer.uses(pool):
            return balancer.health(pool, f"{target_id}_{port}")
    return None


def _busy(region: str, target_group: Any, target_id: str, port: int) -> bool:
    """Whether a target still answers requests that it was sent before it was deregistered."""
    pool = pool_name(target_group.arn)
    held = [b for b in list(_balancers.values()) if b.region == region and b.uses(pool)]
    return any(balancer.busy(pool, f"{target_id}_{port}") for balancer in held)


def open_load_balancers() -> None:
    _balancers.clear()
    _draining.clear()
    traffic = Traffic(lambda: list(_balancers.values()))
    traffic.start()
    Evaluator(traffic).start()
    providers.provide("target-busy", _busy)
    providers.provide("load-balancer-address", lambda region, held: address_of(region, held.arn))
    providers.provide("target-health", _health)


@after("elbv2", *_ACTIONS)
def _called(req: Request, result: dict[str, Any] | None) -> None:
    _changed(req.region)


events.on("targets-registered", _registered)
events.on("targets-draining", _drain)
events.on("targets-removed", _removed)
events.on("load-balancer-deleted", _deleted)
