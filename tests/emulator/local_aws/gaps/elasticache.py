"""Replication groups whose members, endpoints, failovers and statuses are real."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends
from moto.elasticache.models import (
    CacheCluster,
    ElastiCacheBackend,
    ReplicationGroup,
    elasticache_backends,
)

from . import events, held_interfaces, providers
from .elasticache_catalog import check_version, default_parameter_group, full_version
from .lifecycle import Phases, fault, phases_of, run_later
from .patching import prop, wrap

CREATING_SECONDS = 480
DELETING_SECONDS = 300
MEMBER_SECONDS = 300
REMOVING_SECONDS = 180


@dataclass
class Member:
    """One node of a replication group."""

    id: str
    zone: str
    phases: Phases = field(default_factory=Phases)

    @property
    def status(self) -> str:
        return self.phases.current


def groups(region: str, account: str) -> list[ReplicationGroup]:
    """The replication groups of a region."""
    return list(elasticache_backends[account][region].replication_groups.values())


def members(group: ReplicationGroup) -> list[Member]:
    """The group's nodes, in the order of their numbers."""
    return group.__dict__.setdefault("_members", [])


def primary(group: ReplicationGroup) -> str:
    """The id of the member that takes writes."""
    return group._primary


def role_of(group: ReplicationGroup, member: Member) -> str:
    return "primary" if member.id == group._primary else "replica"


def region_of(group: ReplicationGroup) -> str:
    return group.arn.split(":")[3]


def backend_of(group: ReplicationGroup) -> ElastiCacheBackend:
    return elasticache_backends[group.arn.split(":")[4]][region_of(group)]


def address_of(group: ReplicationGroup, role: str) -> str:
    """The host of `primary`, `reader`, or a member's id."""
    region = region_of(group)
    known = providers.ask("cache-address", region, group, role)
    if known:
        return known
    domain = f"{group.dns_label}.{region.replace('-', '')}.cache.amazonaws.com"
    prefix = {"primary": "master.", "reader": "replica."}.get(role)
    name = f"{prefix}{group.replication_group_id}" if prefix else role
    return f"{name}.{domain}"


def _endpoint(group: ReplicationGroup, role: str) -> dict[str, Any]:
    return {"Address": address_of(group, role), "Port": int(group.port)}


@prop(ReplicationGroup, "status")
def _status(self: ReplicationGroup) -> str:
    return phases_of(self).current


@prop(ReplicationGroup, "member_clusters")
def _member_clusters(self: ReplicationGroup) -> list[str]:
    held = members(self)
    return [m.id for m in held] if held else self.__dict__.setdefault("_moto_member_clusters", [])


@prop(ReplicationGroup, "node_groups")
def _node_groups(self: ReplicationGroup) -> list[dict[str, Any]]:
    if not members(self):
        return self.__dict__.setdefault("_moto_node_groups", [])
    told: dict[str, Any] = {"NodeGroupId": "0001", "Status": self.status}
    if self.status == "creating":
        return [told]
    told["PrimaryEndpoint"] = _endpoint(self, "primary")
    told["ReaderEndpoint"] = _endpoint(self, "reader")
    told["NodeGroupMembers"] = [
        {
            "CacheClusterId": member.id,
            "CacheNodeId": "0001",
            "ReadEndpoint": _endpoint(self, member.id),
            "PreferredAvailabilityZone": member.zone,
            "CurrentRole": role_of(self, member),
        }
        for member in members(self)
    ]
    return [told]


@wrap(ElastiCacheBackend, "create_replication_group")
def _create(original: Any, self: ElastiCacheBackend, **given: Any) -> ReplicationGroup:
    group_id = given["replication_group_id"] = given["replication_group_id"].lower()
    given["engine"] = given["engine"] or "redis"
    check_version(given["engine"], given["engine_version"])
    _check_references(self, given)
    group = original(self, **given)
    group.dns_label = uuid.uuid4().hex[:6]
    group.cache_parameter_group_name = given["cache_parameter_group_name"] or default_parameter_group(
        given["engine"], given["engine_version"], given["cluster_mode"]
    )
    group.engine_version = full_version(given["engine"], given["engine_version"])
    group._auth_token = given["auth_token"]
    if group.cluster_enabled or (given["num_node_groups"] or 1) > 1:
        phases_of(group).begin("creating", CREATING_SECONDS)
        return group
    count = given["num_cache_clusters"] or (given["replicas_per_node_group"] or 0) + 1
    zones = list(given["preferred_cache_cluster_azs"] or [])
    group._primary = f"{group_id}-001"
    for number in range(count):
        add_member(self, group, zones[number] if number < len(zones) else None, CREATING_SECONDS)
    phases_of(group).begin("creating", CREATING_SECONDS)
    if group.snapshot_retention_limit:
        group.snapshotting_cluster_id = members(group)[-1].id
    events.emit("cache-creating", region=self.region_name, group=group)
    run_later(CREATING_SECONDS, lambda: available(group))
    return group


def _check_references(backend: ElastiCacheBackend, given: dict[str, Any]) -> None:
    from .elasticache_groups import parameter_group, subnet_group

    if given["cache_subnet_group_name"]:
        subnet_group(backend, given["cache_subnet_group_name"])
    if given["cache_parameter_group_name"]:
        parameter_group(backend, given["cache_parameter_group_name"])
    check_security_groups(backend, given["security_group_ids"] or [])
    count = given["num_cache_clusters"] or (given["replicas_per_node_group"] or 0) + 1
    if not 1 <= count <= 6:
        raise fault("InvalidParameterValue", "The number of cache clusters must be between 1 and 6.")


def check_security_groups(backend: ElastiCacheBackend, ids: list[str]) -> None:
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for group_id in ids:
        if ec2.get_security_group_from_id(group_id) is None:
            message = f"Some security group Ids are invalid or do not exist: {group_id}"
            raise fault("InvalidParameterValue", message)


def _subnets(backend: ElastiCacheBackend, group: ReplicationGroup) -> list[Any]:
    held = backend.cache_subnet_groups.get(group.cache_subnet_group_name or "")
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    return ec2.describe_subnets(subnet_ids=held.subnet_ids) if held else []


def add_member(
    backend: ElastiCacheBackend, group: ReplicationGroup, zone: str | None, seconds: float
) -> Member:
    """One more node, in the emptiest zone if none is named."""
    held = members(group)
    numbers = {int(member.id.rsplit("-", 1)[1]) for member in held}
    number = next(n for n in range(1, len(numbers) + 2) if n not in numbers)
    zones = [subnet.availability_zone for subnet in _subnets(backend, group)]
    zones = sorted(set(zones)) or [f"{backend.region_name}a", f"{backend.region_name}b"]
    taken = [member.zone for member in held]
    member = Member(
        id=f"{group.replication_group_id}-{number:03}", zone=zone or min(zones, key=taken.count)
    )
    member.phases.begin("creating", seconds)
    held.append(member)
    held.sort(key=lambda m: m.id)
    _make_cluster(backend, group, member)
    sync_interfaces(backend, group)
    return member


def _make_cluster(backend: ElastiCacheBackend, group: ReplicationGroup, member: Member) -> None:
    empty = dict.fromkeys(
        CacheCluster.__init__.__code__.co_varnames[1 : CacheCluster.__init__.__code__.co_argcount]
    )
    cluster = CacheCluster(
        **{
            **empty,
            "account_id": backend.account_id,
            "region_name": backend.region_name,
            "cache_cluster_id": member.id,
            "cache_node_type": group.cache_node_type,
            "replication_group_id": group.replication_group_id,
            "engine": group.engine,
        }
    )
    cluster.group, cluster.member = group, member
    backend.cache_clusters[member.id] = cluster
    tags = backend.tagging_service.list_tags_for_resource(group.arn)["Tags"]
    if tags:
        backend.tagging_service.tag_resource(cluster.arn, tags)


def drop_member(backend: ElastiCacheBackend, group: ReplicationGroup, member: Member) -> None:
    """A node is gone for good."""
    members(group)[:] = [kept for kept in members(group) if kept is not member]
    cluster = backend.cache_clusters.pop(member.id, None)
    if cluster is not None:
        backend.tagging_service.delete_all_tags_for_resource(cluster.arn)
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    held_interfaces.drop(ec2, "amazon-elasticache", f"ElastiCache {member.id}")


def sync_interfaces(backend: ElastiCacheBackend, group: ReplicationGroup) -> None:
    """Every member's interface, in the group's security groups."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    subnets = _subnets(backend, group)
    for member in members(group):
        own = [subnet for subnet in subnets if subnet.availability_zone == member.zone][:1]
        held_interfaces.sync(
            ec2,
            owner="amazon-elasticache",
            description=f"ElastiCache {member.id}",
            subnets=own,
            group_ids=group.security_group_ids or [],
        )


def is_live(group: ReplicationGroup) -> bool:
    return backend_of(group).replication_groups.get(group.replication_group_id) is group


def available(group: ReplicationGroup) -> None:
    """A group has come to rest."""
    if not is_live(group) or phases_of(group).rest != "available":
        return
    events.emit("cache-available", region=region_of(group), group=group)


def existing(backend: ElastiCacheBackend, group_id: str) -> ReplicationGroup:
    """The group, or AWS's refusal."""
    group = backend.replication_groups.get(group_id.lower())
    if group is None:
        raise fault("ReplicationGroupNotFoundFault", f"ReplicationGroup {group_id} not found.")
    return group


def usable(backend: ElastiCacheBackend, group_id: str) -> ReplicationGroup:
    """The group if it may be changed now."""
    group = existing(backend, group_id)
    if group.status != "available":
        message = (
            f"Replication group {group_id} has status {group.status} which is not valid "
            "for this operation."
        )
        raise fault("InvalidReplicationGroupState", message)
    return group


@wrap(ElastiCacheBackend, "delete_replication_group")
def _delete(
    original: Any, self: ElastiCacheBackend, replication_group_id: str, retain_primary_cluster: Any
) -> ReplicationGroup:
    group = usable(self, replication_group_id)
    phases = phases_of(group)
    phases.rest = "deleting"
    phases.begin("deleting", DELETING_SECONDS, replace=True)
    for member in members(group):
        member.phases.rest = "deleting"
    events.emit("cache-deleting", region=self.region_name, group=group)
    run_later(DELETING_SECONDS, lambda: _gone(self, group))
    return group


def _gone(backend: ElastiCacheBackend, group: ReplicationGroup) -> None:
    if not is_live(group):
        return
    for member in list(members(group)):
        drop_member(backend, group, member)
    backend.replication_groups.pop(group.replication_group_id)
    backend.tagging_service.delete_all_tags_for_resource(group.arn)
    events.emit("cache-deleted", region=backend.region_name, group=group)
