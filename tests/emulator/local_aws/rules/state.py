"""moto's state, as the rules look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from moto.backends import get_backend

from ..hooks import Request

#: Services whose backend is kept for the whole partition.
_GLOBAL = {"iam", "cloudfront", "route53", "s3"}

#: Instances in these states hold nothing any more.
_ENDED = {"terminated"}


def backend(service: str, request: Request, region: str | None = None) -> Any:
    """The backend of a service for the caller's account and region."""
    place = "aws" if service in _GLOBAL else region or request.region
    return get_backend(service)[request.account][place]  # type: ignore[call-overload]


def load_balancers(request: Request) -> list[Any]:
    return list(backend("elbv2", request).load_balancers.values())


def databases(request: Request) -> list[Any]:
    return list(backend("rds", request).databases.values())


def replication_groups(request: Request) -> list[Any]:
    return list(backend("elasticache", request).replication_groups.values())


def nat_gateways(request: Request) -> list[Any]:
    """Those that are not gone."""
    gateways = backend("ec2", request).nat_gateways.values()
    return [g for g in gateways if g.state not in ("deleted", "failed")]


def instances(request: Request) -> list[Any]:
    """Those that are not terminated."""
    found = backend("ec2", request).all_instances()
    return [i for i in found if i.state not in _ENDED]


def interfaces(request: Request) -> Iterator[Any]:
    """Network interfaces that still belong to something that lives, or to nothing."""
    for interface in list(backend("ec2", request).enis.values()):
        owner = interface.instance
        if owner is None or owner.state not in _ENDED:
            yield interface


def endpoints(request: Request) -> list[Any]:
    """VPC endpoints that are not deleted."""
    found = backend("ec2", request).vpc_end_points.values()
    return [e for e in found if e.state not in ("deleted",)]


def subnet(request: Request, subnet_id: str) -> Any | None:
    """A subnet, in whatever zone; None if there is none."""
    for by_id in backend("ec2", request).subnets.values():
        if subnet_id in by_id:
            return by_id[subnet_id]
    return None


def subnets_of(request: Request, vpc_id: str) -> list[Any]:
    every = backend("ec2", request).subnets.values()
    return [s for by_id in every for s in by_id.values() if s.vpc_id == vpc_id]


def security_group(request: Request, group_id: str) -> Any | None:
    return backend("ec2", request).get_security_group_from_id(group_id)


def security_groups(request: Request) -> Iterator[Any]:
    for groups in backend("ec2", request).groups.values():
        yield from groups.values()


def ids(things: Iterable[Any]) -> set[str]:
    """Ids of things that moto keeps as objects, dicts or plain ids."""
    found = set()
    for thing in things or ():
        if isinstance(thing, str):
            found.add(thing)
        elif isinstance(thing, dict):
            found.add(str(thing.get("VpcSecurityGroupId") or thing.get("id")))
        else:
            found.add(str(thing.id))
    return found
