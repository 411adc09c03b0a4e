"""DB instances: their times, endpoints, zones, replicas, deletion and snapshots."""

import copy
import uuid
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.logs.models import logs_backends
from moto.rds.exceptions import DBInstanceAlreadyExists
from moto.rds.models import DBInstance, DBSnapshot, RDSBackend, rds_backends

from . import events, held_interfaces, providers
from .lifecycle import Phases, fault, phases_of, run_later
from .patching import prop, wrap
from .rds_catalog import check_offer

CREATING_SECONDS = {True: 520, False: 280}  # by MultiAZ
REPLICA_SECONDS = 480
BACKING_UP_SECONDS = 80


def database(region: str, identifier: str, account: str) -> DBInstance | None:
    """The DB instance, while it exists."""
    return rds_backends[account][region].databases.get(identifier)


def databases(region: str, account: str) -> list[DBInstance]:
    """All DB instances of a region, replicas included."""
    return list(rds_backends[account][region].databases.values())


def source_of(replica: DBInstance) -> DBInstance | None:
    """The instance that a replica copies."""
    if not replica.is_replica or not replica.source_db_instance_identifier:
        return None
    return replica.backend.find_db_from_id(replica.source_db_instance_identifier)


def replicas_of(source: DBInstance) -> list[DBInstance]:
    """The replicas in the same region."""
    return [source.backend.databases[i] for i in source.replicas if i in source.backend.databases]


def address_of(db: DBInstance) -> str:
    """The host that the endpoint names, whether it is told yet or not."""
    known = providers.ask("database-address", db.region, db)
    return known or f"{db.db_instance_identifier}.{db.dns_label}.{db.region}.rds.amazonaws.com"


class _Status:
    """Phases first; what moto assigns (`stopped`) is what comes after them."""

    def __get__(self, db: Any, owner: Any = None) -> str:
        return phases_of(db).current if db is not None else self

    def __set__(self, db: Any, value: str) -> None:
        phases_of(db).rest = value


DBInstance.db_instance_status = DBInstance.status = _Status()
DBSnapshot.status = _Status()


@prop(DBInstance, "address")
def _address(self: DBInstance) -> str:
    return address_of(self)


@prop(DBInstance, "endpoint")
def _endpoint(self: DBInstance) -> dict[str, Any] | None:
    if self.status == "creating":
        return None
    return {"Address": address_of(self), "Port": self.port, "HostedZoneId": "Z2R2ITUGPM61AM"}


@wrap(DBInstance, "__init__")
def _init(original: Any, self: DBInstance, backend: Any, *args: Any, **kwargs: Any) -> None:
    kwargs.pop("backend", None)
    kwargs["engine_version"] = check_offer(
        kwargs.get("engine", ""), kwargs.get("engine_version"), kwargs.get("db_instance_class", "")
    )
    group_name = kwargs.get("db_subnet_group_name")
    group = backend.subnet_groups.get(group_name) if group_name else None
    _take_network(backend, group, kwargs)
    original(self, backend, *args, **kwargs)
    _own(self)
    self.secondary_availability_zone = _other_zone(self) if self.multi_az else None
    self.performance_insights_enabled = bool(kwargs.get("enable_performance_insights"))
    for name in (
        "performance_insights_retention_period",
        "engine_lifecycle_support",
        "database_insights_mode",
    ):
        if kwargs.get(name) is not None:
            setattr(self, name, kwargs[name])
    if self.storage_encrypted and not kwargs.get("kms_key_id"):
        self.kms_key_id = f"arn:aws:kms:{self.region}:{self.account_id}:key/{uuid.uuid4()}"


def _take_network(backend: RDSBackend, group: Any, kwargs: dict[str, Any]) -> None:
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for group_id in kwargs.get("vpc_security_group_ids") or []:
        if ec2.get_security_group_from_id(group_id) is None:
            message = f"Invalid security group , groupId= {group_id}, groupName=."
            raise fault("InvalidParameterValue", message)
    if group is None:
        return
    if not kwargs.get("vpc_security_group_ids"):
        default = ec2.get_security_group_by_name_or_id("default", group.vpc_id)
        kwargs["vpc_security_group_ids"] = [default.id] if default else None
    if not kwargs.get("availability_zone"):
        kwargs["availability_zone"] = sorted(s.availability_zone for s in group._subnets)[0]


def _own(db: DBInstance) -> None:
    """What every instance has for itself, replicas included."""
    db.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"
    db.dns_label = f"c{uuid.uuid4().hex[:11]}"
    db.instance_create_time = db.created = utcnow()


def _other_zone(db: DBInstance) -> str | None:
    group = getattr(db, "db_subnet_group", None)
    zones = {subnet.availability_zone for subnet in group._subnets} if group else set()
    zones = zones or {f"{db.region}a", f"{db.region}b"}
    return next(iter(sorted(zones - {db.availability_zone})), None)


@wrap(RDSBackend, "create_db_instance")
def _create(original: Any, self: RDSBackend, db_kwargs: Any) -> DBInstance:
    db = original(self, db_kwargs)
    _begin(self, db, CREATING_SECONDS[bool(db.multi_az)])
    return db


def sync_interfaces(db: DBInstance) -> None:
    """An interface in the zone of the instance and of its standby."""
    group = getattr(db, "db_subnet_group", None)
    if group is None:
        return
    zones = {db.availability_zone, db.secondary_availability_zone}
    held_interfaces.sync(
        ec2_backends[db.account_id][db.region],
        owner="amazon-rds",
        description="RDSNetworkInterface",
        subnets=[subnet for subnet in group._subnets if subnet.availability_zone in zones],
        group_ids=db.vpc_security_group_ids,
        holder=db.dbi_resource_id,
    )


def _begin(backend: RDSBackend, db: DBInstance, seconds: float) -> None:
    sync_interfaces(db)
    phases = phases_of(db)
    phases.begin("creating", seconds)
    if int(db.backup_retention_period or 0) > 0:
        phases.begin("backing-up", BACKING_UP_SECONDS)
        seconds += BACKING_UP_SECONDS
    events.emit(
        "database-creating",
        region=db.region,
        database=db,
        password=getattr(db, "_master_user_password", None),
    )
    run_later(seconds, lambda: available(backend, db))


def available(backend: RDSBackend, db: DBInstance) -> None:
    """An instance has come to rest; its log groups exist from now on."""
    live = backend.databases.get(db.db_instance_identifier) is db
    if not live or phases_of(db).rest != "available":
        return
    logs = logs_backends[db.account_id][db.region]
    for kind in db.enabled_cloudwatch_logs_exports or []:
        name = f"/aws/rds/instance/{db.db_instance_identifier}/{kind}"
        if name not in logs.groups:
            logs.create_log_group(name, {})
    events.emit("database-available", region=db.region, database=db)


@wrap(RDSBackend, "create_db_instance_read_replica")
def _create_replica(original: Any, self: RDSBackend, db_kwargs: Any) -> DBInstance:
    identifier = db_kwargs["db_instance_identifier"]
    if identifier in self.databases:
        raise DBInstanceAlreadyExists()
    source = self.find_db_from_id(db_kwargs["source_db_instance_identifier"])
    if int(source.backup_retention_period or 0) < 1:
        message = (
            "Automated backups are not enabled for this database instance. To enable automated "
            "backups, use ModifyDBInstance to set the backup retention period to a non-zero value."
        )
        raise fault("InvalidDBInstanceState", message)
    if source.status != "available":
        message = f"Database instance {source.db_instance_identifier} is not in available state."
        raise fault("InvalidDBInstanceState", message)
    if getattr(source, "manage_master_user_password", False):
        message = (
            "You can't create a read replica of a DB instance whose master user password "
            "is managed by RDS in AWS Secrets Manager."
        )
        raise fault("InvalidParameterCombination", message)
    replica = _copied(self, source, dict(db_kwargs))
    self.databases[replica.db_instance_identifier] = replica
    source.add_replica(replica)
    _begin(self, replica, REPLICA_SECONDS)
    return replica


def _copied(backend: RDSBackend, source: DBInstance, given: dict[str, Any]) -> DBInstance:
    instance_class = given.get("db_instance_class") or source.db_instance_class
    check_offer(source.engine, source.engine_version, instance_class)
    replica = copy.copy(source)
    replica.__dict__["_phases"] = Phases()
    replica.backend = backend
    exports = given.pop("enable_cloudwatch_logs_exports", None)
    replica.enabled_cloudwatch_logs_exports = list(exports or [])
    replica.tags = given.pop("tags", None) or []
    replica.multi_az = False
    replica.backup_retention_period = 0
    replica.vpc_security_group_ids = list(source.vpc_security_group_ids)
    replica._associated_roles = []
    replica.pending_modified_values = {}
    if not given.get("availability_zone"):
        given["availability_zone"] = _other_zone(source) or source.availability_zone
    _take_network(backend, None, given)
    replica.set_as_replica()
    replica.update(**{key: value for key, value in given.items() if key != "backend"})
    replica.secondary_availability_zone = _other_zone(replica) if replica.multi_az else None
    _own(replica)
    return replica
