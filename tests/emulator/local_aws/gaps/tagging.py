"""GetResources: what the Tagging API finds on AWS and moto leaves out, without the dead."""

from collections.abc import Iterator
from typing import Any

from moto.core.resource_tagging import TaggedResource
from moto.ec2.models import EC2Backend
from moto.elasticache.models import ElastiCacheBackend
from moto.rds.models import RDSBackend

from .elasticache_groups import parameter_groups
from .patching import wrap


@wrap(EC2Backend, "iter_tagged_resources")
def _ec2(original: Any, self: EC2Backend) -> Iterator[TaggedResource]:
    dead = {
        instance.id
        for reservation in self.reservations.values()
        for instance in reservation.instances
        if instance.state == "terminated"
    }
    dead |= {gateway.id for gateway in self.nat_gateways.values() if gateway.state == "deleted"}
    for resource in original(self):
        if resource.arn.rsplit("/", 1)[1] not in dead:
            yield resource
    missing: dict[str, list[str]] = {
        "elastic-ip": [address.allocation_id for address in self.addresses],
        "vpc-endpoint": list(self.vpc_end_points),
        "launch-template": list(self.launch_templates),
        "network-acl": list(self.network_acls),
        "security-group-rule": _rules(self),
    }
    for kind, ids in missing.items():
        for identifier in ids:
            yield TaggedResource(
                arn=f"arn:{self.partition}:ec2:{self.region_name}:{self.account_id}:{kind}/{identifier}",
                tags=dict(self.tags.get(identifier, {})),
                resource_type=f"ec2:{kind}",
            )


def _rules(backend: EC2Backend) -> list[str]:
    groups = [group for groups in backend.groups.values() for group in groups.values()]
    rules = [rule for group in groups for rule in [*group.ingress_rules, *group.egress_rules]]
    return [rule.id for rule in rules if getattr(rule, "id", None)]


@wrap(RDSBackend, "iter_tagged_resources")
def _rds(original: Any, self: RDSBackend) -> Iterator[TaggedResource]:
    seen = set()
    for resource in original(self):
        seen.add(resource.arn)
        yield resource
    for kind, held in (("subgrp", self.subnet_groups), ("pg", self.db_parameter_groups)):
        for group in held.values():
            if group.arn not in seen:
                yield TaggedResource(
                    arn=group.arn,
                    tags={tag["Key"]: tag["Value"] for tag in group.tags},
                    resource_type=f"rds:{kind}",
                )


@wrap(ElastiCacheBackend, "iter_tagged_resources")
def _elasticache(original: Any, self: ElastiCacheBackend) -> Iterator[TaggedResource]:
    yield from original(self)
    for group in parameter_groups(self).values():
        yield TaggedResource(
            arn=group.arn,
            tags=self.tagging_service.get_tag_dict_for_resource(group.arn),
            resource_type="elasticache:parametergroup",
        )
