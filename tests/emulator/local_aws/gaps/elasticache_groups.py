"""Cache subnet groups and cache parameter groups."""

import re
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse

from . import events
from .elasticache_catalog import FAMILIES
from .lifecycle import fault
from .patching import add, wrap

MOST_PER_CALL = 20


class ParameterGroup:
    """A cache parameter group: what the user set, over the family's defaults."""

    def __init__(self, backend: ElastiCacheBackend, name: str, family: str, text: str) -> None:
        self.cache_parameter_group_name = name
        self.cache_parameter_group_family = family
        self.description = text
        self.is_global = False
        self.arn = (
            f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:parametergroup:{name}"
        )
        self.values: dict[str, str] = {}


def parameter_groups(backend: ElastiCacheBackend) -> dict[str, ParameterGroup]:
    """All of them, the defaults included."""
    held = backend.__dict__.get("cache_parameter_groups")
    if held is None:
        held = backend.__dict__["cache_parameter_groups"] = {}
        for family in sorted(FAMILIES):
            for name in (f"default.{family}", f"default.{family}.cluster.on"):
                text = f"Default parameter group for {family}"
                held[name] = ParameterGroup(backend, name, family, text)
    return held


def parameter_group(backend: ElastiCacheBackend, name: str) -> ParameterGroup:
    """One of them, or AWS's refusal."""
    group = parameter_groups(backend).get(name.lower())
    if group is None:
        raise fault("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.")
    return group


def subnet_group(backend: ElastiCacheBackend, name: str) -> Any:
    """A subnet group, or AWS's refusal."""
    group = backend.cache_subnet_groups.get(name.lower())
    if group is None:
        raise fault("CacheSubnetGroupNotFoundFault", f"CacheSubnetGroup {name} not found.")
    return group


def parameters_in_force(group: ReplicationGroup) -> dict[str, str]:
    """The parameters that the user set for a replication group."""
    from .elasticache import backend_of

    held = parameter_groups(backend_of(group)).get(group.cache_parameter_group_name or "")
    return dict(held.values) if held else {}


def _users(backend: ElastiCacheBackend, test: Callable[[ReplicationGroup], bool]) -> list[Any]:
    return [group for group in backend.replication_groups.values() if test(group)]


@wrap(ElastiCacheBackend, "__init__")
def _init(original: Any, self: ElastiCacheBackend, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    kinds = "cluster|snapshot|subnetgroup|replicationgroup|user|parametergroup"
    self.arn_regex = re.compile(rf"^arn:aws[a-z-]*:elasticache:.*:[0-9]*:({kinds}):.*$")


@wrap(ElastiCacheBackend, "create_cache_subnet_group")
def _create_subnet_group(original: Any, self: ElastiCacheBackend, **given: Any) -> Any:
    given["cache_subnet_group_name"] = given["cache_subnet_group_name"].lower()
    ec2 = ec2_backends[self.account_id][self.region_name]
    for subnet_id in given["subnet_ids"]:
        if subnet_id not in {s for held in ec2.subnets.values() for s in held}:
            raise fault("InvalidSubnet", f"Subnet {subnet_id} is invalid.")
    return original(self, **given)


@wrap(ElastiCacheBackend, "describe_cache_subnet_groups")
def _describe_subnet_groups(
    original: Any, self: ElastiCacheBackend, cache_subnet_group_name: str | None = None
) -> Any:
    return original(self, cache_subnet_group_name.lower() if cache_subnet_group_name else None)


@add(ElastiCacheResponse)
def modify_cache_subnet_group(self: ElastiCacheResponse) -> ActionResult:
    backend = self.elasticache_backend
    group = subnet_group(backend, self._get_param("CacheSubnetGroupName"))
    subnet_ids = self._get_param("SubnetIds", []) or group.subnet_ids
    text = self._get_param("CacheSubnetGroupDescription") or group.cache_subnet_group_description
    held = backend.tagging_service.list_tags_for_resource(group.arn)["Tags"]
    name = group.cache_subnet_group_name
    del backend.cache_subnet_groups[name]
    try:
        made = backend.create_cache_subnet_group(
            cache_subnet_group_name=name,
            cache_subnet_group_description=text,
            subnet_ids=list(subnet_ids),
            tags=held,
        )
    except Exception:
        backend.cache_subnet_groups[name] = group
        raise
    return ActionResult({"CacheSubnetGroup": made})


@add(ElastiCacheResponse)
def delete_cache_subnet_group(self: ElastiCacheResponse) -> ActionResult:
    backend = self.elasticache_backend
    group = subnet_group(backend, self._get_param("CacheSubnetGroupName"))
    name = group.cache_subnet_group_name
    if _users(backend, lambda user: (user.cache_subnet_group_name or "").lower() == name):
        message = f"Cache subnet group {name} is currently in use by a cache cluster."
        raise fault("CacheSubnetGroupInUse", message)
    del backend.cache_subnet_groups[name]
    backend.tagging_service.delete_all_tags_for_resource(group.arn)
    return EmptyResult()


@add(ElastiCacheResponse)
def create_cache_parameter_group(self: ElastiCacheResponse) -> ActionResult:
    backend = self.elasticache_backend
    name = self._get_param("CacheParameterGroupName").lower()
    family = self._get_param("CacheParameterGroupFamily")
    if name in parameter_groups(backend):
        message = f"CacheParameterGroup {name} already exists."
        raise fault("CacheParameterGroupAlreadyExists", message)
    if family not in FAMILIES:
        message = f"CacheParameterGroupFamily {family} is not a valid parameter group family."
        raise fault("InvalidParameterValue", message)
    group = ParameterGroup(backend, name, family, self._get_param("Description"))
    parameter_groups(backend)[name] = group
    tags = self._get_param("Tags", [])
    if tags:
        backend.tagging_service.tag_resource(group.arn, tags)
    return ActionResult({"CacheParameterGroup": group})


@add(ElastiCacheResponse)
def describe_cache_parameter_groups(self: ElastiCacheResponse) -> ActionResult:
    name = self._get_param("CacheParameterGroupName")
    backend = self.elasticache_backend
    held = [parameter_group(backend, name)] if name else list(parameter_groups(backend).values())
    return ActionResult({"CacheParameterGroups": held})


@add(ElastiCacheResponse)
def modify_cache_parameter_group(self: ElastiCacheResponse) -> ActionResult:
    group = _own_group(self)
    changes = self._get_param("ParameterNameValues", [])
    if len(changes) > MOST_PER_CALL:
        message = f"Only {MOST_PER_CALL} parameters can be modified in one call."
        raise fault("InvalidParameterValue", message)
    for change in changes:
        group.values[change["ParameterName"]] = change["ParameterValue"]
    _tell_users(self, group)
    return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})


@add(ElastiCacheResponse)
def reset_cache_parameter_group(self: ElastiCacheResponse) -> ActionResult:
    group = _own_group(self)
    if self._get_bool_param("ResetAllParameters", False):
        group.values.clear()
    for change in self._get_param("ParameterNameValues", []):
        group.values.pop(change["ParameterName"], None)
    _tell_users(self, group)
    return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})


def _own_group(response: ElastiCacheResponse) -> ParameterGroup:
    name = response._get_param("CacheParameterGroupName")
    group = parameter_group(response.elasticache_backend, name)
    if group.cache_parameter_group_name.startswith("default."):
        message = f"The parameter group {name} is a default one and cannot be changed."
        raise fault("InvalidCacheParameterGroupState", message)
    return group


def _tell_users(response: ElastiCacheResponse, group: ParameterGroup) -> None:
    name = group.cache_parameter_group_name
    for user in _users(response.elasticache_backend, lambda g: g.cache_parameter_group_name == name):
        events.emit("cache-modified", region=response.region, group=user)


@add(ElastiCacheResponse)
def delete_cache_parameter_group(self: ElastiCacheResponse) -> ActionResult:
    group = _own_group(self)
    backend = self.elasticache_backend
    name = group.cache_parameter_group_name
    if _users(backend, lambda user: user.cache_parameter_group_name == name):
        message = (
            "One or more cache clusters are still members of the parameter group "
            f"{name}, so the group cannot be deleted."
        )
        raise fault("InvalidCacheParameterGroupState", message)
    del parameter_groups(backend)[name]
    backend.tagging_service.delete_all_tags_for_resource(group.arn)
    return EmptyResult()


@add(ElastiCacheResponse)
def describe_cache_parameters(self: ElastiCacheResponse) -> ActionResult:
    group = parameter_group(self.elasticache_backend, self._get_param("CacheParameterGroupName"))
    source = self._get_param("Source")
    listed = [
        {
            "ParameterName": name,
            "ParameterValue": value,
            "Source": "user",
            "DataType": "string",
            "IsModifiable": True,
            "ChangeType": "immediate",
        }
        for name, value in sorted(group.values.items())
        if source in (None, "user")
    ]
    return ActionResult({"Parameters": listed})
