"""What ElastiCache offers: engine versions and parameter group families."""

import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache.responses import ElastiCacheResponse

from .lifecycle import fault
from .patching import add

# (what one asks for, what is told, family); the last of an engine is its default.
VERSIONS = {
    "redis": [
        ("6.2", "6.2.6", "redis6.x"),
        ("7.0", "7.0.7", "redis7"),
        ("7.1", "7.1.0", "redis7"),
    ],
    "valkey": [
        ("7.2", "7.2.6", "valkey7"),
        ("8.0", "8.0.1", "valkey8"),
        ("8.1", "8.1.0", "valkey8"),
    ],
    "memcached": [("1.6.22", "1.6.22", "memcached1.6")],
}
FAMILIES = {family for rows in VERSIONS.values() for _, _, family in rows}

#: Families and sizes of nodes that can be had, and so reserved.
_FAMILIES = ("t3", "t4g", "m5", "m6g", "m7g", "r5", "r6g", "r7g")
_SIZES = ("micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge")


def _row(engine: str, version: str | None) -> tuple[str, str, str] | None:
    rows = VERSIONS.get(engine, [])
    if not version:
        return rows[-1] if rows else None
    matching = [row for row in rows if version in row[:2] or row[0].startswith(f"{version}.")]
    if version.endswith(".x"):
        matching = [row for row in rows if row[0].startswith(version[:-1])]
    return matching[-1] if matching else None


def check_version(engine: str, version: str | None) -> None:
    """Refuses engines and versions that are not there."""
    if engine not in VERSIONS:
        raise fault("InvalidParameterValue", f"Invalid cache engine: {engine}")
    if _row(engine, version) is None:
        raise fault("InvalidParameterCombination", f"Cannot find version {version} for {engine}")


def full_version(engine: str, version: str | None) -> str:
    """The version as the describe calls tell it."""
    row = _row(engine, version)
    return row[1] if row else str(version)


def family_of(engine: str, version: str | None) -> str:
    """The parameter group family of a version: `redis7`."""
    row = _row(engine, version)
    return row[2] if row else engine


def default_parameter_group(engine: str, version: str | None, cluster_mode: Any = None) -> str:
    """The group that is used where none is named."""
    name = f"default.{family_of(engine, version)}"
    return f"{name}.cluster.on" if cluster_mode == "enabled" else name


@add(ElastiCacheResponse)
def describe_cache_engine_versions(self: ElastiCacheResponse) -> ActionResult:
    engine, version = self._get_param("Engine"), self._get_param("EngineVersion")
    wanted_family = self._get_param("CacheParameterGroupFamily")
    listed = [
        {
            "Engine": name,
            "EngineVersion": short,
            "CacheParameterGroupFamily": family,
            "CacheEngineDescription": name.capitalize(),
            "CacheEngineVersionDescription": f"{name} version {full}",
        }
        for name, rows in VERSIONS.items()
        for short, full, family in rows
        if engine in (None, name)
        and version in (None, short, full)
        and wanted_family in (None, family)
    ]
    if self._get_bool_param("DefaultOnly", False):
        newest = {item["CacheParameterGroupFamily"]: item for item in listed}
        listed = list(newest.values())
    return ActionResult({"CacheEngineVersions": listed})


def newer(engine: str, version: str, wanted_engine: str, wanted: str) -> bool:
    """Whether an upgrade leads from one version to the other: onwards, or from Redis to Valkey."""
    if engine != wanted_engine:
        return (engine, wanted_engine) == ("redis", "valkey")
    order = [full for _, full, _ in VERSIONS[engine]]
    return order.index(full_version(engine, wanted)) >= order.index(full_version(engine, version))


def node_types(of: str) -> tuple[list[str], list[str]]:
    """The node types that a group of this one can be scaled up to, and down to."""
    rank = _SIZES.index(of.rsplit(".", 1)[1])
    up, down = [], []
    for node in (f"cache.{family}.{size}" for family in _FAMILIES for size in _SIZES):
        if node != of:
            (up if _SIZES.index(node.rsplit(".", 1)[1]) >= rank else down).append(node)
    return sorted(up), sorted(down)


@add(ElastiCacheResponse)
def describe_reserved_cache_nodes_offerings(self: ElastiCacheResponse) -> ActionResult:
    wanted = self._get_param("CacheNodeType")
    nodes = [f"cache.{family}.{size}" for family in _FAMILIES for size in _SIZES]
    offerings = [
        {
            "ReservedCacheNodesOfferingId": str(uuid.uuid5(uuid.NAMESPACE_DNS, node)),
            "CacheNodeType": node,
            "Duration": 31536000,
            "ProductDescription": "redis",
            "OfferingType": "No Upfront",
        }
        for node in nodes
        if wanted in (None, node)
    ]
    return ActionResult({"ReservedCacheNodesOfferings": offerings[: self._get_int_param("MaxRecords") or 100]})
