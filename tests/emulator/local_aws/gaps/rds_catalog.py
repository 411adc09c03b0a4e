"""What RDS offers: engine versions, instance classes, and which go together."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.rds.responses import RDSResponse

from .lifecycle import fault
from .patching import add

# major version -> minor versions, oldest first; the last is the default.
VERSIONS = {
    "mysql": {
        "8.0": ["8.0.39", "8.0.40", "8.0.41", "8.0.42", "8.0.43"],
        "8.4": ["8.4.3", "8.4.4", "8.4.5", "8.4.6"],
    },
    "mariadb": {
        "10.11": ["10.11.10", "10.11.11", "10.11.13"],
        "11.4": ["11.4.4", "11.4.5", "11.4.7"],
    },
    "postgres": {"16": ["16.8", "16.9"], "17": ["17.4", "17.5"]},
}
SIZES = {
    "t3": "micro small medium large xlarge 2xlarge",
    "t4g": "micro small medium large xlarge 2xlarge",
    "m5": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge",
    "m6g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "m6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "m7g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "m7i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "r5": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge",
    "r6g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "r6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "r7g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "r7i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
}
CLASSES = [f"db.{family}.{size}" for family, sizes in SIZES.items() for size in sizes.split()]
STORAGE = {"gp2": (20, 65536), "gp3": (20, 65536), "io1": (100, 65536), "io2": (100, 65536)}


def family(engine: str, version: str) -> str:
    """The parameter group family of a version: `mysql8.4`."""
    return f"{engine}{_major(engine, version)}"


def _major(engine: str, version: str) -> str:
    parts = version.split(".")
    return parts[0] if engine == "postgres" else ".".join(parts[:2])


def resolve_version(engine: str, wanted: str | None) -> str | None:
    """The full version that RDS makes of what was asked for; None if it has none."""
    if engine not in VERSIONS:
        return wanted
    majors = VERSIONS[engine]
    if wanted is None:
        return list(majors.values())[-1][-1]
    if wanted in majors:
        return majors[wanted][-1]
    return next((wanted for minors in majors.values() if wanted in minors), None)


def check_offer(engine: str, version: str | None, instance_class: str) -> str | None:
    """Refuses what RDS does not offer; the full engine version otherwise."""
    resolved = resolve_version(engine, version)
    if resolved is None:
        raise fault("InvalidParameterCombination", f"Cannot find version {version} for {engine}")
    if engine in VERSIONS and not _runs_on(engine, resolved, instance_class):
        message = (
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={instance_class}, Engine={engine}, EngineVersion={resolved}, "
            "LicenseModel=general-public-license. For supported combinations of instance class "
            "and database engine version, see the documentation."
        )
        raise fault("InvalidParameterCombination", message)
    return resolved


def _runs_on(engine: str, version: str, instance_class: str) -> bool:
    return instance_class in CLASSES


def _versions(engine: str | None) -> list[tuple[str, str, str]]:
    return [
        (name, major, minor)
        for name, majors in VERSIONS.items()
        if engine in (None, name)
        for major, minors in majors.items()
        for minor in minors
    ]


@add(RDSResponse)
def describe_db_engine_versions(self: RDSResponse) -> ActionResult:
    wanted = self.params.get("EngineVersion")
    wanted_family = self.params.get("DBParameterGroupFamily")
    listed = [
        _version_item(engine, major, minor)
        for engine, major, minor in _versions(self.params.get("Engine"))
        if wanted in (None, major, minor) and wanted_family in (None, family(engine, minor))
    ]
    if self.params.get("DefaultOnly"):
        newest = {(item["Engine"], item["MajorEngineVersion"]): item for item in listed}
        listed = list(newest.values()) if wanted else list(newest.values())[-1:]
    return ActionResult({"DBEngineVersions": listed})


def upgrade_targets(engine: str, version: str) -> dict[str, bool]:
    """The versions that an instance can be upgraded to, and whether that is a major upgrade: later minor versions of the
    same major one, and those of the next."""
    majors = list(VERSIONS.get(engine, {}).items())
    for index, (_, minors) in enumerate(majors):
        if version in minors:
            later = dict.fromkeys(minors[minors.index(version) + 1 :], False)
            following = majors[index + 1][1] if index + 1 < len(majors) else []
            return {**later, **dict.fromkeys(following, True)}
    return {}


def _version_item(engine: str, major: str, minor: str) -> dict[str, Any]:
    return {
        "Engine": engine,
        "MajorEngineVersion": major,
        "EngineVersion": minor,
        "DBParameterGroupFamily": family(engine, minor),
        "DBEngineDescription": {"mysql": "MySQL Community Edition"}.get(engine, engine),
        "DBEngineVersionDescription": f"{engine} {minor}",
        "Status": "available",
        "SupportsReadReplica": True,
        "SupportsLogExportsToCloudwatchLogs": True,
        "ExportableLogTypes": ["audit", "error", "general", "iam-db-auth-error", "slowquery"],
        "SupportedCACertificateIdentifiers": ["rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"],
        "ValidUpgradeTarget": [
            {"Engine": engine, "EngineVersion": up, "AutoUpgrade": False, "IsMajorVersionUpgrade": major_one}
            for up, major_one in upgrade_targets(engine, minor).items()
        ],
    }


@add(RDSResponse)
def describe_orderable_db_instance_options(self: RDSResponse) -> ActionResult:
    engine = self.params.get("Engine")
    version = self.params.get("EngineVersion")
    wanted_class = self.params.get("DBInstanceClass")
    if engine not in VERSIONS:
        listed = self.backend.describe_orderable_db_instance_options(engine, version)
        return ActionResult({"OrderableDBInstanceOptions": listed})
    zones = ec2_backends[self.current_account][self.region].describe_availability_zones()
    names = [{"Name": zone.name} for zone in zones if zone.zone_type == "availability-zone"]
    listed = [
        _option(engine, minor, instance_class, storage, names)
        for _, major, minor in _versions(engine)
        if version in (None, major, minor)
        for instance_class in CLASSES
        if wanted_class in (None, instance_class) and _runs_on(engine, minor, instance_class)
        for storage in STORAGE
    ]
    limit = int(self.params.get("MaxRecords") or 100)
    self.params["MaxRecords"] = limit
    return ActionResult({"OrderableDBInstanceOptions": listed})


def _option(
    engine: str, minor: str, instance_class: str, storage: str, zones: list[dict[str, str]]
) -> dict[str, Any]:
    least, most = STORAGE[storage]
    small = instance_class.endswith((".micro", ".small"))
    return {
        "Engine": engine,
        "EngineVersion": minor,
        "DBInstanceClass": instance_class,
        "LicenseModel": "general-public-license",
        "AvailabilityZones": zones,
        "MultiAZCapable": True,
        "ReadReplicaCapable": True,
        "Vpc": True,
        "SupportsStorageEncryption": True,
        "StorageType": storage,
        "SupportsIops": storage != "gp2",
        "SupportsStorageThroughput": storage == "gp3",
        "SupportsEnhancedMonitoring": True,
        "SupportsIAMDatabaseAuthentication": True,
        "SupportsPerformanceInsights": not small,
        "SupportsStorageAutoscaling": True,
        "MinStorageSize": least,
        "MaxStorageSize": most,
    }
