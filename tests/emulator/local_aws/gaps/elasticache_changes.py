"""Changing a replication group: replicas, failover, settings; and its cache clusters."""

from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse

from . import elasticache as cache
from . import events
from .elasticache_catalog import node_types
from .elasticache_groups import parameter_group
from .elasticache_upgrades import check_group, engine_changes, tell_waiting
from .lifecycle import fault, phases_of, run_later
from .patching import add

FAILOVER_SECONDS = 60
SETTING_SECONDS = 60
NODE_TYPE_SECONDS = 600
VERSION_SECONDS = 600
MOST_REPLICAS = 5


def _group(response: ElastiCacheResponse) -> ReplicationGroup:
    return cache.usable(response.elasticache_backend, response._get_param("ReplicationGroupId"))


def _wanted_replicas(response: ElastiCacheResponse) -> int | None:
    configured = response._get_param("ReplicaConfiguration", [])
    if configured:
        return int(configured[0]["NewReplicaCount"])
    return response._get_int_param("NewReplicaCount")


@add(ElastiCacheResponse)
def increase_replica_count(self: ElastiCacheResponse) -> ActionResult:
    group, wanted = _group(self), _wanted_replicas(self)
    present = len(cache.members(group)) - 1
    if wanted is None or wanted <= present:
        message = f"The new replica count must be greater than the present one, {present}."
        raise fault("InvalidParameterValue", message)
    if wanted > MOST_REPLICAS:
        raise fault("InvalidParameterValue", f"The replica count cannot exceed {MOST_REPLICAS}.")
    configured = self._get_param("ReplicaConfiguration", [])
    zones = list((configured[0] if configured else {}).get("PreferredAvailabilityZones") or [])
    backend = self.elasticache_backend
    added = [
        cache.add_member(backend, group, zones.pop() if zones else None, cache.MEMBER_SECONDS)
        for _ in range(wanted - present)
    ]
    _modifying(group, cache.MEMBER_SECONDS)
    _members_changed(group, added=[member.id for member in added])
    return ActionResult({"ReplicationGroup": group})


@add(ElastiCacheResponse)
def decrease_replica_count(self: ElastiCacheResponse) -> ActionResult:
    group, wanted = _group(self), _wanted_replicas(self)
    named = self._get_param("ReplicasToRemove", [])
    replicas = [m for m in cache.members(group) if m.id != group._primary]
    leaving = [m for m in replicas if m.id in named]
    if len(leaving) != len(named):
        raise fault("InvalidParameterValue", "Only replicas of the group can be removed.")
    if not named:
        if wanted is None or wanted >= len(replicas):
            message = f"The new replica count must be less than the present one, {len(replicas)}."
            raise fault("InvalidParameterValue", message)
        leaving = replicas[wanted:]
    if len(leaving) == len(replicas) and group.automatic_failover == "enabled":
        message = "At least one replica is needed while automatic failover is enabled."
        raise fault("InvalidParameterCombination", message)
    for member in leaving:
        member.phases.rest = "deleting"
    _modifying(group, cache.REMOVING_SECONDS)
    run_later(cache.REMOVING_SECONDS, lambda: _removed(self.elasticache_backend, group, leaving))
    return ActionResult({"ReplicationGroup": group})


def _removed(backend: ElastiCacheBackend, group: ReplicationGroup, leaving: list[Any]) -> None:
    if cache.is_live(group):
        for member in leaving:
            cache.drop_member(backend, group, member)
        _members_changed(group, removed=[member.id for member in leaving])


def _members_changed(
    group: ReplicationGroup, added: list[str] | None = None, removed: list[str] | None = None
) -> None:
    events.emit(
        "cache-members",
        region=cache.region_of(group),
        group=group,
        added=added or [],
        removed=removed or [],
    )


def _modifying(group: ReplicationGroup, seconds: float) -> None:
    phases_of(group).begin("modifying", seconds)
    run_later(seconds, lambda: cache.available(group))


@add(ElastiCacheResponse)
def test_failover(self: ElastiCacheResponse) -> ActionResult:
    group = _group(self)
    if group.automatic_failover != "enabled":
        message = "Automatic failover must be enabled for the replication group."
        raise fault("InvalidReplicationGroupState", message)
    if self._get_param("NodeGroupId") != "0001":
        message = f"NodeGroup {self._get_param('NodeGroupId')} not found."
        raise fault("NodeGroupNotFoundFault", message)
    _modifying(group, FAILOVER_SECONDS)
    run_later(FAILOVER_SECONDS / 2, lambda: fail_over(group))
    return ActionResult({"ReplicationGroup": group})


def fail_over(group: ReplicationGroup) -> str | None:
    """Makes a replica the primary; its id, or None where there is no replica."""
    old = group._primary
    candidates = [m.id for m in cache.members(group) if m.id != old and m.status == "available"]
    if not candidates or not cache.is_live(group):
        return None
    group._primary = candidates[0]
    region = cache.region_of(group)
    events.emit("cache-failover", region=region, group=group, old=old, new=group._primary)
    return group._primary


@add(ElastiCacheResponse)
def modify_replication_group(self: ElastiCacheResponse) -> ActionResult:
    group = _group(self)
    _check_failover(self, group)
    slow, seconds = _slow_changes(self, group)
    check_group(self, group, slow)
    _quick_changes(self, group)
    waiting = group.__dict__.setdefault("_waiting", {})
    if not self._get_bool_param("ApplyImmediately", False):
        for name in set(waiting) & _named(self) - set(slow):
            del waiting[name]
        waiting.update(slow)
        if slow:
            return ActionResult({"ReplicationGroup": group})
    else:
        slow = {**waiting, **slow}
        waiting.clear()
        if "cache_node_type" in slow or "engine_version" in slow:
            seconds = max(seconds, NODE_TYPE_SECONDS)
    _modifying(group, seconds)
    run_later(seconds * 0.8, lambda: _apply(group, slow))
    return ActionResult({"ReplicationGroup": group})


def _named(response: ElastiCacheResponse) -> set[str]:
    """Those of the slow settings that the request names."""
    named = set()
    if response._get_param("CacheNodeType"):
        named.add("cache_node_type")
    if response._get_param("EngineVersion") or response._get_param("Engine"):
        named |= {"engine", "engine_version"}
    return named


def _slow_changes(response: ElastiCacheResponse, group: ReplicationGroup) -> tuple[dict, float]:
    slow: dict[str, Any] = {}
    seconds = SETTING_SECONDS
    node_type = response._get_param("CacheNodeType")
    if node_type and node_type != group.cache_node_type:
        if node_type not in sum(node_types(group.cache_node_type), []):
            message = f"The cache node type {node_type} is not one that the group can be scaled to."
            raise fault("InvalidParameterValue", message)
        slow["cache_node_type"], seconds = node_type, NODE_TYPE_SECONDS
    changed = engine_changes(response, group)
    if changed:
        slow.update(changed)
        seconds = VERSION_SECONDS
    return slow, seconds


def _check_failover(response: ElastiCacheResponse, group: ReplicationGroup) -> None:
    automatic = response._get_bool_param("AutomaticFailoverEnabled")
    zones = response._get_bool_param("MultiAZEnabled")
    will_be = group.automatic_failover == "enabled" if automatic is None else automatic
    spread = group.multi_az == "enabled" if zones is None else zones
    if will_be and len(cache.members(group)) < 2:
        message = "Automatic failover needs at least one replica."
        raise fault("InvalidParameterCombination", message)
    if spread and not will_be:
        message = "Multi-AZ needs automatic failover."
        raise fault("InvalidParameterCombination", message)


def _quick_changes(response: ElastiCacheResponse, group: ReplicationGroup) -> None:
    backend = response.elasticache_backend
    text = response._get_param("ReplicationGroupDescription")
    if text is not None:
        group.description = text
    automatic = response._get_bool_param("AutomaticFailoverEnabled")
    if automatic is not None:
        group.automatic_failover = "enabled" if automatic else "disabled"
    zones = response._get_bool_param("MultiAZEnabled")
    if zones is not None:
        group.multi_az = "enabled" if zones else "disabled"
    limit = response._get_int_param("SnapshotRetentionLimit")
    if limit is not None:
        group.snapshot_retention_limit = limit
        group.snapshotting_cluster_id = cache.members(group)[-1].id if limit else None
    for parameter, attribute in (
        ("SnapshotWindow", "snapshot_window"),
        ("PreferredMaintenanceWindow", "preferred_maintenance_window"),
        ("NotificationTopicArn", "notification_topic_arn"),
        ("AutoMinorVersionUpgrade", "auto_minor_version_upgrade"),
    ):
        value = response._get_param(parameter)
        if value is not None:
            setattr(group, attribute, value)
    name = response._get_param("CacheParameterGroupName")
    if name:
        group.cache_parameter_group_name = parameter_group(backend, name).cache_parameter_group_name
    ids = response._get_param("SecurityGroupIds")
    if ids:
        cache.check_security_groups(backend, ids)
        group.security_group_ids = list(ids)
        cache.sync_interfaces(backend, group)
    token = response._get_param("AuthToken")
    if token:
        group._auth_token, group.auth_token_enabled = token, True


def _apply(group: ReplicationGroup, changes: dict[str, Any]) -> None:
    if not cache.is_live(group):
        return
    for name, value in changes.items():
        setattr(group, name, value)
    events.emit("cache-modified", region=cache.region_of(group), group=group)


@add(ElastiCacheResponse)
def describe_cache_clusters(self: ElastiCacheResponse) -> ActionResult:
    backend = self.elasticache_backend
    wanted = self._get_param("CacheClusterId")
    nodes = self._get_bool_param("ShowCacheNodeInfo", False)
    alone = self._get_bool_param("ShowCacheClustersNotInReplicationGroups", False)
    held = backend.describe_cache_clusters(wanted.lower() if wanted else None)
    listed = [
        _told(backend, cluster, nodes) if hasattr(cluster, "group") else cluster
        for cluster in held
        if not (alone and hasattr(cluster, "group"))
    ]
    return ActionResult({"CacheClusters": listed})


def _told(backend: ElastiCacheBackend, cluster: Any, nodes: bool) -> dict[str, Any]:
    group, member = cluster.group, cluster.member
    status = member.status if member.status != "available" else group.status
    told = {
        "CacheClusterId": member.id,
        "ReplicationGroupId": group.replication_group_id,
        "CacheClusterStatus": status,
        "CacheNodeType": group.cache_node_type,
        "Engine": group.engine,
        "EngineVersion": group.engine_version,
        "NumCacheNodes": 1,
        "PreferredAvailabilityZone": member.zone,
        "CacheClusterCreateTime": cluster.cache_cluster_create_time,
        "PreferredMaintenanceWindow": group.preferred_maintenance_window or "sun:05:00-sun:06:00",
        "CacheParameterGroup": {
            "CacheParameterGroupName": group.cache_parameter_group_name,
            "ParameterApplyStatus": "in-sync",
            "CacheNodeIdsToReboot": [],
        },
        "CacheSubnetGroupName": group.cache_subnet_group_name,
        "AutoMinorVersionUpgrade": group.auto_minor_version_upgrade is not False,
        "SecurityGroups": [
            {"SecurityGroupId": i, "Status": "active"} for i in group.security_group_ids or []
        ],
        "SnapshotRetentionLimit": 0,
        "AuthTokenEnabled": group.auth_token_enabled,
        "TransitEncryptionEnabled": group.transit_encryption_enabled,
        "AtRestEncryptionEnabled": group.at_rest_encryption_enabled,
        "ARN": cluster.arn,
        "PendingModifiedValues": tell_waiting(group),
    }
    if nodes:
        node = {
            "CacheNodeId": "0001",
            "CacheNodeStatus": status,
            "CacheNodeCreateTime": cluster.cache_cluster_create_time,
            "ParameterGroupStatus": "in-sync",
            "CustomerAvailabilityZone": member.zone,
        }
        if "creating" not in (group.status, member.status):
            node["Endpoint"] = cache._endpoint(group, member.id)
        told["CacheNodes"] = [node]
    return told


@add(ElastiCacheResponse)
def delete_cache_cluster(self: ElastiCacheResponse) -> ActionResult:
    backend = self.elasticache_backend
    cluster = backend.describe_cache_clusters(self._get_param("CacheClusterId").lower())[0]
    if not hasattr(cluster, "group"):
        cluster = backend.delete_cache_cluster(cluster.cache_cluster_id)
        name = cluster.cache_cluster_id
        run_later(cache.DELETING_SECONDS, lambda: backend.cache_clusters.pop(name, None))
        return ActionResult({"CacheCluster": cluster})
    message = (
        f"Cache cluster {cluster.cache_cluster_id} is a member of the replication group "
        f"{cluster.group.replication_group_id} and cannot be deleted on its own."
    )
    raise fault("InvalidCacheClusterState", message)
