"""ModifyDBInstance and RebootDBInstance: pending values, failovers, and when they take effect."""

from typing import Any

from moto.rds.exceptions import DBInstanceNotFoundError
from moto.rds.models import DBInstance, RDSBackend
from moto.rds.responses import RDSResponse

from . import events
from .lifecycle import fault, phases_of, run_later
from .patching import wrap
from .rds import _other_zone, _take_network, available, sync_interfaces
from .rds_catalog import check_offer, family
from .rds_upgrades import check_family, check_upgrade

# What takes time, in AWS seconds, and its name in PendingModifiedValues.
SLOW = {
    "db_instance_class": (600, "DBInstanceClass"),
    "engine_version": (600, "EngineVersion"),
    "multi_az": (300, "MultiAZ"),
    "allocated_storage": (180, "AllocatedStorage"),
    "storage_type": (180, "StorageType"),
    "iops": (180, "Iops"),
    "storage_throughput": (180, "StorageThroughput"),
    "master_user_password": (20, "MasterUserPassword"),
    "backup_retention_period": (20, "BackupRetentionPeriod"),
    "port": (60, "Port"),
    "ca_certificate_identifier": (60, "CACertificateIdentifier"),
}
# What takes effect without the maintenance window, whatever ApplyImmediately says.
ALWAYS_AT_ONCE = {"backup_retention_period", "allocated_storage", "master_user_password"}
# Waits with an upgrade to another major version.
GROUP = "db_parameter_group_name"
RESTARTS = {"db_instance_class", "engine_version", "port"}
QUICK_SECONDS = 20
REBOOT_SECONDS = 60
CONTROL = {
    "db_instance_identifier",
    "apply_immediately",
    "allow_major_version_upgrade",
    "enable_performance_insights",
}
MODIFIABLE = ("available", "storage-optimization", "storage-full", "incompatible-parameters")


def _existing(backend: RDSBackend, identifier: str) -> DBInstance:
    db = backend.databases.get(identifier)
    if db is None:
        raise DBInstanceNotFoundError(identifier)
    return db


@wrap(RDSBackend, "modify_db_instance")
def _modify(original: Any, self: RDSBackend, db_instance_identifier: str, db_kwargs: Any) -> DBInstance:
    db = _existing(self, db_instance_identifier)
    given = {key: value for key, value in dict(db_kwargs).items() if value is not None}
    if db.status not in MODIFIABLE:
        message = (
            "The DB instance is not in a state that allows this: database instance is not in "
            f"available state (it is {db.status}). Please try your request later."
        )
        raise fault("InvalidDBInstanceState", message)
    _take_network(self, None, given)
    if "db_instance_class" in given or "engine_version" in given:
        version = given.get("engine_version") or db.engine_version
        resolved = check_offer(db.engine, version, given.get("db_instance_class", db.db_instance_class))
        if "engine_version" in given:
            given["engine_version"] = resolved
            check_upgrade(db, resolved, given)
    check_family(db, given.get("engine_version") or db.engine_version, given)
    immediate = given.get("apply_immediately") in (True, "true")
    slow = {
        key: value
        for key, value in given.items()
        if key in SLOW and (key == "master_user_password" or getattr(db, key, None) != value)
    }
    quick = {key: v for key, v in given.items() if key not in SLOW and key not in CONTROL}
    _take_family_along(db, slow, quick)
    _take_back(db, given)
    _apply_quick(original, self, db, quick, given)
    pending = db.__dict__.setdefault("pending_modified_values", {})
    at_once = {k: v for k, v in slow.items() if immediate or k in ALWAYS_AT_ONCE}
    if immediate:
        at_once = {**db.__dict__.pop("_waiting", {}), **at_once}
    else:
        db.__dict__.setdefault("_waiting", {}).update(
            {k: v for k, v in slow.items() if k not in at_once}
        )
    for key, value in slow.items():
        if key == GROUP:
            continue
        pending[SLOW[key][1]] = "****" if key == "master_user_password" else value
    if at_once:
        _apply_slowly(self, db, at_once)
    elif _starts_phase(quick):
        phases_of(db).begin("modifying", QUICK_SECONDS)
    return db


def _take_family_along(db: DBInstance, slow: dict[str, Any], quick: dict[str, Any]) -> None:
    """With another major version comes a parameter group of its family, when it comes."""
    version = slow.get("engine_version")
    if version and family(db.engine, version) != family(db.engine, db.engine_version):
        slow[GROUP] = quick.pop(GROUP, None) or f"default.{family(db.engine, version)}"


def _take_back(db: DBInstance, given: dict[str, Any]) -> None:
    """What is asked to be as it is does not wait any longer to become something else."""
    waiting = db.__dict__.get("_waiting", {})
    for key in [key for key in waiting if key in given and given[key] == getattr(db, key, None)]:
        del waiting[key]
        db.pending_modified_values.pop(SLOW[key][1], None)
        if key == "engine_version":
            waiting.pop(GROUP, None)


def _starts_phase(quick: dict[str, Any]) -> bool:
    return bool(set(quick) & {"vpc_security_group_ids", "db_parameter_group_name",
                              "cloudwatch_logs_export_configuration", "monitoring_interval"})


def _apply_quick(
    original: Any, backend: RDSBackend, db: DBInstance, quick: dict[str, Any], given: dict[str, Any]
) -> None:
    if "enable_performance_insights" in given:
        db.performance_insights_enabled = bool(given["enable_performance_insights"])
    group = quick.get("db_parameter_group_name")
    changed_group = group is not None and group != db.db_parameter_group_name
    if quick:
        original(backend, db.db_instance_identifier, quick)
    if changed_group:
        db._parameters_pending = True
    if "vpc_security_group_ids" in quick:
        sync_interfaces(db)
    exports = quick.get("cloudwatch_logs_export_configuration")
    if exports:
        db.enabled_cloudwatch_logs_exports = sorted(set(db.enabled_cloudwatch_logs_exports))
        run_later(QUICK_SECONDS, lambda: available(backend, db))


def _apply_slowly(backend: RDSBackend, db: DBInstance, changes: dict[str, Any]) -> None:
    seconds = max(SLOW[key][0] for key in changes if key != GROUP)
    phases_of(db).begin("modifying", seconds)
    # The instance itself changes over near the end; before that its standby does.
    run_later(seconds * 0.8, lambda: _change_over(backend, db, changes))
    run_later(seconds, lambda: _settled(backend, db, changes))


def _change_over(backend: RDSBackend, db: DBInstance, changes: dict[str, Any]) -> None:
    if backend.databases.get(db.db_instance_identifier) is not db:
        return
    failover = bool(set(changes) & {"db_instance_class", "engine_version"}) and bool(db.multi_az)
    for key, value in changes.items():
        setattr(db, key, value)
        if key != GROUP:
            db.__dict__.get("pending_modified_values", {}).pop(SLOW[key][1], None)
    if "multi_az" in changes:
        db.secondary_availability_zone = _other_zone(db) if db.multi_az else None
        sync_interfaces(db)
    if failover:
        swap_zones(db)
    events.emit("database-modified", region=db.region, database=db, changes=dict(changes))
    if set(changes) & RESTARTS:
        db._parameters_pending = False
        events.emit("database-rebooting", region=db.region, database=db, failover=failover)


def _settled(backend: RDSBackend, db: DBInstance, changes: dict[str, Any]) -> None:
    available(backend, db)


def swap_zones(db: DBInstance) -> None:
    """A failover: the standby's zone is the instance's from now on."""
    if db.secondary_availability_zone:
        zones = db.availability_zone, db.secondary_availability_zone
        db.secondary_availability_zone, db.availability_zone = zones


@wrap(RDSResponse, "reboot_db_instance")
def _reboot(original: Any, self: RDSResponse) -> Any:
    db = _existing(self.backend, self.params.get("DBInstanceIdentifier"))
    if db.status != "available":
        message = f"Instance {db.db_instance_identifier} is not in available state."
        raise fault("InvalidDBInstanceState", message)
    failover = self.params.get("ForceFailover") in (True, "true")
    if failover and not db.multi_az:
        message = "ForceFailover cannot be specified since the instance is not configured for MultiAZ."
        raise fault("InvalidParameterCombination", message)
    result = original(self)
    phases_of(db).begin("rebooting", REBOOT_SECONDS)
    if failover:
        swap_zones(db)
    db._parameters_pending = False
    events.emit("database-rebooting", region=db.region, database=db, failover=failover)
    run_later(REBOOT_SECONDS, lambda: available(self.backend, db))
    return result


@wrap(RDSBackend, "modify_db_subnet_group")
def _modify_subnet_group(original: Any, self: RDSBackend, subnet_name: str, *args: Any, **kwargs: Any) -> Any:
    """moto takes the group out of its books and does not put it back."""
    group = original(self, subnet_name.lower(), *args, **kwargs)
    self.subnet_groups[group.name] = group
    return group
