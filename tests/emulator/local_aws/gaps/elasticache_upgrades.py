"""What ElastiCache checks before it upgrades a replication group or scales its nodes."""

from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache.models import ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse

from . import elasticache as cache
from .elasticache_catalog import check_version, family_of, full_version, newer, node_types
from .elasticache_groups import parameter_group
from .lifecycle import fault
from .patching import add


def engine_changes(response: ElastiCacheResponse, group: ReplicationGroup) -> dict[str, Any]:
    """Engine and version that the request changes; refused where they lead back."""
    version = response._get_param("EngineVersion")
    engine = response._get_param("Engine") or group.engine
    if not version and engine == group.engine:
        return {}
    check_version(engine, version)
    full = full_version(engine, version)
    if not newer(group.engine, group.engine_version, engine, full):
        message = (
            f"The engine cannot be downgraded from {group.engine} {group.engine_version} to {engine} {full}."
        )
        raise fault("InvalidParameterCombination", message)
    if (engine, full) == (group.engine, group.engine_version):
        return {}
    return {"engine": engine, "engine_version": full}


def check_group(response: ElastiCacheResponse, group: ReplicationGroup, changes: dict[str, Any]) -> None:
    """The parameter group is of the family of the version that is to use it."""
    engine = changes.get("engine", group.engine)
    wanted = family_of(engine, changes.get("engine_version", group.engine_version))
    name = response._get_param("CacheParameterGroupName") or group.cache_parameter_group_name or ""
    held = parameter_group(response.elasticache_backend, name)
    if held.cache_parameter_group_family != wanted:
        if name.startswith("default.") and not response._get_param("CacheParameterGroupName"):
            group.cache_parameter_group_name = f"default.{wanted}"
            return
        message = (
            f"Expected a parameter group of family {wanted} but found one of family "
            f"{held.cache_parameter_group_family}."
        )
        raise fault("InvalidParameterCombination", message)


def tell_waiting(group: ReplicationGroup) -> dict[str, Any]:
    """What waits for the maintenance window: each cache cluster tells it, the group does not."""
    names = {"engine_version": "EngineVersion", "cache_node_type": "CacheNodeType"}
    waiting = group.__dict__.get("_waiting", {})
    return {told: waiting[name] for name, told in names.items() if name in waiting}


@add(ElastiCacheResponse)
def list_allowed_node_type_modifications(self: ElastiCacheResponse) -> ActionResult:
    group = cache.usable(self.elasticache_backend, self._get_param("ReplicationGroupId"))
    up, down = node_types(group.cache_node_type)
    return ActionResult({"ScaleUpModifications": up, "ScaleDownModifications": down})
