"""What RDS checks before it upgrades an engine or takes another parameter group."""

from typing import Any

from moto.rds.models import DBInstance

from .lifecycle import fault
from .rds import replicas_of
from .rds_catalog import family, upgrade_targets


def check_upgrade(db: DBInstance, version: str, given: dict[str, Any]) -> None:
    """Refuses what cannot be upgraded to, and an upgrade of a source before its replicas."""
    if version == db.engine_version:
        return
    targets = upgrade_targets(db.engine, db.engine_version)
    if version not in targets:
        message = f"Cannot upgrade {db.engine} from {db.engine_version} to {version}"
        raise fault("InvalidParameterCombination", message)
    if targets[version]:
        _check_major(db, given)
    behind = [
        replica.db_instance_identifier
        for replica in replicas_of(db)
        if replica.engine_version != version
        and version in upgrade_targets(replica.engine, replica.engine_version)
    ]
    if behind:
        message = (
            "One or more of the DB Instance's read replicas need to be upgraded: "
            f"{', '.join(sorted(behind))}"
        )
        raise fault("DBUpgradeDependencyFailure", message)


def _check_major(db: DBInstance, given: dict[str, Any]) -> None:
    if given.get("allow_major_version_upgrade") not in (True, "true"):
        message = (
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
        )
        raise fault("InvalidParameterCombination", message)
    held = str(db.db_parameter_group_name or "")
    if held and not held.startswith("default.") and not given.get("db_parameter_group_name"):
        message = (
            f"The current DB instance parameter group {held} is custom. You must explicitly specify a "
            "new DB instance parameter group, either default or custom, for the engine version upgrade."
        )
        raise fault("InvalidParameterCombination", message)


def check_family(db: DBInstance, version: str, given: dict[str, Any]) -> None:
    """A parameter group is of the family of the version that uses it."""
    group = db.backend.db_parameter_groups.get(given.get("db_parameter_group_name") or "")
    wanted = family(db.engine, version)
    if group is not None and group.family != wanted:
        message = (
            f"The parameter group {group.name} with DBParameterGroupFamily {group.family} can't be used "
            f"for this instance. Please use a parameter group with DBParameterGroupFamily {wanted}."
        )
        raise fault("InvalidParameterCombination", message)
