"""Deleting DB instances, and the snapshots that stay of them."""

from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.exceptions import DBInstanceNotFoundError
from moto.rds.models import DBInstance, DBSnapshot, RDSBackend

from . import events, held_interfaces
from .lifecycle import fault, phases_of, run_later
from .patching import prop, wrap
from .rds import replicas_of

DELETING_SECONDS = 300
SNAPSHOT_SECONDS = 120
DELETABLE = ("available", "stopped", "failed", "storage-full", "incompatible-parameters")


@wrap(RDSBackend, "delete_db_instance")
def _delete(
    original: Any,
    self: RDSBackend,
    db_instance_identifier: str,
    final_db_snapshot_identifier: str | None = None,
    skip_final_snapshot: bool | None = False,
    delete_automated_backups: bool | None = True,
) -> DBInstance:
    db = self.databases.get(db_instance_identifier)
    if db is None:
        raise DBInstanceNotFoundError(db_instance_identifier)
    _refuse_deletion(db, final_db_snapshot_identifier, bool(skip_final_snapshot))
    seconds = DELETING_SECONDS
    if final_db_snapshot_identifier:
        self.create_db_snapshot(db_instance_identifier, final_db_snapshot_identifier)
        seconds += SNAPSHOT_SECONDS
    phases = phases_of(db)
    phases.rest = "deleting"
    phases.begin("deleting", seconds, replace=True)
    events.emit("database-deleting", region=db.region, database=db)
    run_later(seconds, lambda: _gone(original, self, db, delete_automated_backups))
    return db


def _refuse_deletion(db: DBInstance, final: str | None, skip: bool) -> None:
    if db.deletion_protection:
        message = (
            "Cannot delete protected DB Instance, please disable deletion protection and "
            "try again."
        )
        raise fault("InvalidParameterCombination", message)
    if db.status == "deleting":
        message = f"Instance {db.db_instance_identifier} is already being deleted."
        raise fault("InvalidDBInstanceState", message)
    if db.status not in DELETABLE:
        message = (
            f"Instance {db.db_instance_identifier} is currently {db.status} - "
            "please try again later."
        )
        raise fault("InvalidDBInstanceState", message)
    if skip and final:
        message = "FinalDBSnapshotIdentifier cannot be specified when SkipFinalSnapshot is enabled."
        raise fault("InvalidParameterCombination", message)
    if db.is_replica and not skip:
        message = "No final snapshot of a read replica: SkipFinalSnapshot must be true."
        raise fault("InvalidParameterCombination", message)
    if not skip and not final:
        message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        raise fault("InvalidParameterCombination", message)
    if final and final.lower() in db.backend.database_snapshots:
        message = (
            "Cannot create the snapshot because a snapshot with the identifier "
            f"{final} already exists."
        )
        raise fault("DBSnapshotAlreadyExists", message)


def _gone(original: Any, backend: RDSBackend, db: DBInstance, backups: Any) -> None:
    if backend.databases.get(db.db_instance_identifier) is not db:
        return
    for replica in replicas_of(db):
        # Without its source a replica stands alone.
        replica.is_replica = False
        replica.source_db_instance_identifier = None
    original(backend, db.db_instance_identifier, None, True, backups)
    ec2 = ec2_backends[db.account_id][db.region]
    held_interfaces.drop(ec2, "amazon-rds", "RDSNetworkInterface", db.dbi_resource_id)
    events.emit("database-deleted", region=db.region, database=db)


@wrap(RDSBackend, "create_db_snapshot")
def _snapshot(original: Any, self: RDSBackend, *args: Any, **kwargs: Any) -> DBSnapshot:
    snapshot = original(self, *args, **kwargs)
    if snapshot.snapshot_type == "manual":
        phases_of(snapshot).begin("creating", SNAPSHOT_SECONDS)
    return snapshot


@prop(DBSnapshot, "percent_progress")
def _progress(self: DBSnapshot) -> int:
    return 100 if self.status == "available" else 50
