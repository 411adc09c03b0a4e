"""What ElastiCache checks: replication groups, and groups in use."""

from __future__ import annotations

import re
from typing import Any

from ..hooks import AwsError, Request, before
from . import state

_IDENTIFIER = re.compile(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{0,39}(?<!-)")
_AUTH_TOKEN = re.compile(r"[a-zA-Z0-9!&#$^<>-]{16,128}")
_NO_FAILOVER = re.compile(r"cache\.(t1|t2|m1)\.")
_NODE_TYPE = re.compile(r"cache\.[a-z0-9]+\.[a-z0-9]+")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def _combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)


@before("elasticache", "CreateReplicationGroup")
def create(request: Request) -> None:
    params = request.params
    if not _IDENTIFIER.fullmatch(params["ReplicationGroupId"]):
        raise _invalid(
            "The parameter ReplicationGroupIdentifier is not a valid identifier. Identifiers must "
            "begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not "
            "end with a hyphen or contain two consecutive hyphens."
        )
    node_type = params.get("CacheNodeType")
    if node_type is not None and not _NODE_TYPE.fullmatch(node_type):
        raise _invalid(f"Invalid Cache Node Type: {node_type}.")
    _auth(params)
    _members(params)
    _references(request)


def _auth(params: dict[str, Any]) -> None:
    token = params.get("AuthToken")
    if token is None:
        return
    if not params.get("TransitEncryptionEnabled"):
        raise _invalid("The AUTH token is only supported when encryption-in-transit is enabled.")
    if not _AUTH_TOKEN.fullmatch(token):
        raise _invalid(
            "Invalid AuthToken provided. It must be 16 to 128 printable characters long, and the only "
            "symbols allowed are ! & # $ ^ < > -"
        )
    if params.get("UserGroupIds"):
        raise _combination("AuthToken and UserGroupIds cannot be specified together.")


def _members(params: dict[str, Any]) -> None:
    count = params.get("NumCacheClusters")
    failover = params.get("AutomaticFailoverEnabled")
    by_group = params.get("NumNodeGroups") or params.get("ReplicasPerNodeGroup")
    if count is not None and by_group:
        raise _combination(
            "Cannot specify NumCacheClusters together with NumNodeGroups or ReplicasPerNodeGroup."
        )
    replicas = (count or 1) - 1 if count is not None else params.get("ReplicasPerNodeGroup", 0)
    if failover and replicas < 1:
        raise _invalid(
            "When using automatic failover, there must be at least 2 cache clusters in the replication group."
        )
    if params.get("MultiAZEnabled") and not failover:
        raise _invalid("Must enable automatic failover when Multi-AZ is enabled.")
    if failover and _NO_FAILOVER.match(params.get("CacheNodeType") or ""):
        raise _invalid("Automatic failover is not supported for T1 and T2 cache node types.")
    zones = params.get("PreferredCacheClusterAZs")
    if zones and len(zones) != (count or 1):
        raise _invalid("PreferredCacheClusterAZs must have as many members as NumCacheClusters.")


def _references(request: Request) -> None:
    params = request.params
    name = params.get("CacheSubnetGroupName")
    groups = state.backend("elasticache", request).cache_subnet_groups
    if name is not None and name.lower() not in {g.lower() for g in groups}:
        raise AwsError(
            "CacheSubnetGroupNotFoundFault", f"Cache Subnet Group {name} does not exist."
        )
    if params.get("TransitEncryptionEnabled") and name is None:
        raise _combination(
            "Encryption features are supported in a VPC only: specify a cache subnet group."
        )
    for group in params.get("SecurityGroupIds") or []:
        if state.security_group(request, group) is None:
            raise _invalid(f"Invalid security group, groupId= {group}.")


@before(
    "elasticache",
    "ModifyReplicationGroup",
    "IncreaseReplicaCount",
    "DecreaseReplicaCount",
    "DeleteReplicationGroup",
    "TestFailover",
)
def available(request: Request) -> None:
    name = request.params["ReplicationGroupId"]
    group = state.backend("elasticache", request).replication_groups.get(name)
    if group is not None and group.status != "available":
        raise AwsError(
            "InvalidReplicationGroupState",
            f"Replication group {name} is not in available state: {group.status}.",
        )


@before("elasticache", "DeleteCacheSubnetGroup")
def subnet_group(request: Request) -> None:
    name = request.params["CacheSubnetGroupName"].lower()
    if _used(request, "cache_subnet_group_name", name):
        raise AwsError(
            "CacheSubnetGroupInUse",
            f"Cache subnet group {name} is currently in use by a cache cluster.",
        )


@before("elasticache", "DeleteCacheParameterGroup")
def parameter_group(request: Request) -> None:
    name = request.params["CacheParameterGroupName"].lower()
    if name.startswith("default."):
        raise AwsError(
            "InvalidCacheParameterGroupState", "Default CacheParameterGroup cannot be deleted."
        )
    if _used(request, "cache_parameter_group_name", name):
        raise AwsError(
            "InvalidCacheParameterGroupState",
            f"One or more cache clusters are still members of this parameter group {name}, "
            "so the group cannot be deleted.",
        )


def _used(request: Request, attribute: str, name: str) -> bool:
    backend = state.backend("elasticache", request)
    users = [*backend.replication_groups.values(), *backend.cache_clusters.values()]
    return any(str(getattr(u, attribute, None) or "").lower() == name for u in users)


@before("elasticache", "DeleteCacheCluster")
def member(request: Request) -> None:
    name = request.params["CacheClusterId"]
    for group in state.replication_groups(request):
        if name in group.member_clusters:
            raise AwsError(
                "InvalidCacheClusterState",
                f"Cache cluster {name} is serving as a member of replication group "
                f"{group.replication_group_id} and cannot be deleted on its own.",
            )
