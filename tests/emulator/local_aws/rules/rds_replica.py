"""Read replicas, and the end of DB instances."""

from __future__ import annotations

from ..hooks import AwsError, Request, before
from . import state
from .rds_instance import combination, find, invalid


@before("rds", "CreateDBInstanceReadReplica")
def replica(request: Request) -> None:
    params = request.params
    given = params.get("SourceDBInstanceIdentifier")
    if not given:
        raise invalid("The parameter SourceDBInstanceIdentifier must be provided.")
    by_arn = given.startswith("arn:")
    if params.get("DBSubnetGroupName") and not by_arn:
        raise AwsError(
            "DBSubnetGroupNotAllowedFault",
            "DbSubnetGroupName should not be specified for read replicas that are created in the same region as the master",
        )
    source = find(request, given)
    if source is None:
        raise AwsError("DBInstanceNotFound", f"DBInstance {given} not found.", 404)
    if source.status != "available":
        raise AwsError(
            "InvalidDBInstanceState",
            f"Source DB Instance {given} is not in the available state: {source.status}",
        )
    if int(source.backup_retention_period or 0) < 1:
        raise AwsError(
            "InvalidDBInstanceState",
            "Automated backups are not enabled for this database instance. To enable automated "
            "backups, use ModifyDBInstance to set the backup retention period to a non-zero value.",
        )
    if source.manage_master_user_password and not source.engine.startswith("sqlserver"):
        raise combination(
            "You can't create a read replica of a DB instance whose master user password is managed in Secrets Manager."
        )
    _encryption(request, source.storage_encrypted)
    _mode(request)


def _encryption(request: Request, source_encrypted: bool) -> None:
    key = request.params.get("KmsKeyId")
    if key and not source_encrypted:
        raise combination(
            "You can't create an encrypted read replica from an unencrypted DB instance."
        )


def _mode(request: Request) -> None:
    if request.params.get("DatabaseInsightsMode"):
        raise combination("DatabaseInsightsMode can't be specified for read replicas.")
    if request.params.get("MultiAZ") and request.params.get("AvailabilityZone"):
        raise combination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances."
        )


@before("rds", "DeleteDBInstance")
def delete(request: Request) -> None:
    params = request.params
    found = find(request, params["DBInstanceIdentifier"])
    if found is None:
        return
    if found.status == "deleting":
        raise AwsError(
            "InvalidDBInstanceState",
            f"Instance {found.db_instance_identifier} is already being deleted.",
        )
    skip, final = params.get("SkipFinalSnapshot"), params.get("FinalDBSnapshotIdentifier")
    if skip and final:
        raise combination(
            "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is true."
        )
    if found.deletion_protection:
        raise combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again."
        )
    if found.is_replica and not skip:
        raise combination(
            "FinalDBSnapshotIdentifier can not be specified when deleting a replica instance; "
            "SkipFinalSnapshot must be true."
        )
    if not skip and not final:
        raise combination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        )
    if final and final in state.backend("rds", request).database_snapshots:
        raise AwsError(
            "DBSnapshotAlreadyExists",
            f"Cannot create the snapshot because a snapshot with the identifier {final} already exists.",
        )


@before("rds", "CreateDBSnapshot")
def snapshot(request: Request) -> None:
    found = find(request, request.params["DBInstanceIdentifier"])
    if found is not None and found.status in ("creating", "deleting"):
        raise AwsError(
            "InvalidDBInstanceState",
            f"Cannot create a snapshot because the database instance is not currently in the available state: {found.status}",
        )
