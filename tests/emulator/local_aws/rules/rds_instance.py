"""What RDS checks when a DB instance is made or changed."""

from __future__ import annotations

import re
from typing import Any

from ..hooks import AwsError, Request, before
from . import state

_IDENTIFIER = re.compile(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{0,62}(?<!-)")
_CLASS = re.compile(r"db\.[a-z0-9]+(-[a-z0-9]+)?\.[a-z0-9-]+")
_USER = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,15}")
_RESERVED_USERS = {"rdsadmin", "rdsrepladmin", "mysql.sys", "root"}
_MONITORING = {0, 1, 5, 10, 15, 30, 60}
_EXPORTS = {"audit", "error", "general", "slowquery", "iam-db-auth-error"}
_NO_INSIGHTS = re.compile(r"db\.(t2|t3|t4g)\.(micro|small)")
_ADVANCED_RETENTION = 465


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)


def find(request: Request, identifier: str) -> Any | None:
    """A DB instance by identifier or ARN."""
    region, name = request.region, identifier
    if identifier.startswith("arn:"):
        region, name = identifier.split(":")[3], identifier.rsplit(":", 1)[1]
    return state.backend("rds", request, region).databases.get(name)


@before("rds", "CreateDBInstance", "CreateDBInstanceReadReplica")
def identifier(request: Request) -> None:
    given = request.params["DBInstanceIdentifier"]
    if not _IDENTIFIER.fullmatch(given):
        raise invalid(
            "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must begin "
            "with a letter; must contain only ASCII letters, digits, and hyphens; and must not end "
            "with a hyphen or contain two consecutive hyphens."
        )


@before("rds", "CreateDBInstance", "CreateDBInstanceReadReplica", "ModifyDBInstance")
def common(request: Request) -> None:
    params = request.params
    chosen = params.get("DBInstanceClass")
    if chosen is not None and not _CLASS.fullmatch(chosen):
        raise invalid(f"Invalid DB Instance class: {chosen}")
    interval = params.get("MonitoringInterval")
    if interval is not None and interval not in _MONITORING:
        raise invalid(
            "Invalid value for monitoring interval. Valid values are 0, 1, 5, 10, 15, 30, 60."
        )
    if interval and not params.get("MonitoringRoleArn") and request.action != "ModifyDBInstance":
        raise combination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0."
        )
    if interval == 0 and params.get("MonitoringRoleArn"):
        raise combination(
            "A MonitoringInterval value is required if you specify a MonitoringRoleARN value."
        )
    _exports(params)
    for group in params.get("VpcSecurityGroupIds") or []:
        if state.security_group(request, group) is None:
            raise invalid(f"Invalid security group , groupId= {group}, groupName=.")
    _storage(request)
    _insights(request)


def _exports(params: dict[str, Any]) -> None:
    wanted = params.get("EnableCloudwatchLogsExports") or (
        params.get("CloudwatchLogsExportConfiguration") or {}
    ).get("EnableLogTypes")
    unknown = set(wanted or []) - _EXPORTS
    if unknown and params.get("Engine", "mysql") == "mysql":
        raise combination(
            f"You cannot use the log types '{', '.join(sorted(unknown))}' with engine version mysql."
        )


def _existing(request: Request) -> Any | None:
    if request.action == "CreateDBInstanceReadReplica":
        return find(request, request.params.get("SourceDBInstanceIdentifier", ""))
    return find(request, request.params["DBInstanceIdentifier"])


def _storage(request: Request) -> None:
    params, known = request.params, _existing(request)
    kind = params.get("StorageType") or getattr(known, "storage_type", None)
    if kind != "gp3":
        return
    if not str(params.get("Engine") or getattr(known, "engine", "")).startswith(
        ("mysql", "mariadb", "postgres")
    ):
        return
    size = params.get("AllocatedStorage") or getattr(known, "allocated_storage", 0) or 0
    iops, throughput = params.get("Iops"), params.get("StorageThroughput")
    if size and int(size) < 20:
        raise invalid("Invalid storage size for engine name mysql and storage type gp3")
    if int(size) < 400:
        if iops is not None or throughput is not None:
            raise combination(
                "You can't specify IOPS or storage throughput for engine mysql and a storage size less than 400."
            )
    elif iops is not None and iops < 12000:
        raise combination(
            "You must specify an IOPS value of at least 12000 for gp3 storage of 400 GiB or more."
        )


def _insights(request: Request) -> None:
    params, known = request.params, _existing(request)
    on = params.get("EnablePerformanceInsights")
    mode = params.get("DatabaseInsightsMode")
    retention = params.get("PerformanceInsightsRetentionPeriod")
    engine = str(params.get("Engine") or getattr(known, "engine", ""))
    chosen = params.get("DBInstanceClass") or getattr(known, "db_instance_class", "")
    if (on or mode) and engine in ("mysql", "mariadb") and _NO_INSIGHTS.fullmatch(chosen):
        raise combination("Performance Insights not supported for this configuration.")
    if retention is not None and not _is_retention(retention):
        raise invalid(
            f"Invalid Performance Insights retention period: {retention}. Valid values are 7, "
            "a multiple of 31 up to 713, and 731."
        )
    if retention is not None and on is False:
        raise combination(
            "Performance Insights retention period can't be set when Performance Insights is disabled."
        )
    if mode == "advanced" and (on is False or (retention or 0) < _ADVANCED_RETENTION):
        raise combination(
            "To enable the Advanced mode of Database Insights, Performance Insights must be enabled "
            f"with a retention period of at least {_ADVANCED_RETENTION} days."
        )


def _is_retention(days: int) -> bool:
    return days in (7, 731) or (days % 31 == 0 and 31 <= days <= 713) or days == 465


@before("rds", "CreateDBInstance", "ModifyDBInstance")
def password(request: Request) -> None:
    given = request.params.get("MasterUserPassword")
    if given is None:
        return
    if request.params.get("ManageMasterUserPassword"):
        raise combination(
            "You can't specify MasterUserPassword when you set ManageMasterUserPassword."
        )
    if not 8 <= len(given) <= 41:
        raise invalid(
            "The parameter MasterUserPassword is not a valid password because it is "
            f"{'shorter than 8' if len(given) < 8 else 'longer than 41'} characters."
        )
    if not all(" " < c <= "~" and c not in '/"@' for c in given):
        raise invalid(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII "
            "characters besides '/', '@', '\"', ' ' may be used."
        )


@before("rds", "CreateDBInstance")
def create(request: Request) -> None:
    params = request.params
    user = params.get("MasterUsername")
    if params["Engine"] == "mysql" and user is None:
        raise AwsError("MissingParameter", "The request must contain the parameter MasterUsername.")
    if user is not None and (not _USER.fullmatch(user) or user.lower() in _RESERVED_USERS):
        raise invalid(f"MasterUsername {user} cannot be used as it is not a valid user name.")
    if params.get("MultiAZ") and params.get("AvailabilityZone"):
        raise combination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances."
        )
    if params["Engine"] == "mysql" and not (
        params.get("MasterUserPassword") or params.get("ManageMasterUserPassword")
    ):
        raise AwsError(
            "MissingParameter", "The request must contain the parameter MasterUserPassword."
        )
    _group_family(request)


def _group_family(request: Request) -> None:
    """The parameter group must be of the engine's family."""
    name = request.params.get("DBParameterGroupName")
    version = request.params.get("EngineVersion")
    group = state.backend("rds", request).db_parameter_groups.get(name or "")
    if group is None or not version:
        return
    family = f"{request.params['Engine']}{'.'.join(str(version).split('.')[:2])}"
    if not str(group.family).startswith(family) and not family.startswith(group.family):
        raise combination(
            f"The parameter group {name} with DBParameterGroupFamily {group.family} cannot be used "
            f"for this instance. Please use a Parameter Group with DBParameterGroupFamily {family}"
        )


@before("rds", "ModifyDBInstance", "RebootDBInstance")
def available(request: Request) -> None:
    found = find(request, request.params["DBInstanceIdentifier"])
    if found is not None and found.status in ("creating", "deleting"):
        raise AwsError(
            "InvalidDBInstanceState",
            f"Database instance is not in available state: {found.status}",
        )


@before("rds", "ModifyDBInstance")
def managed_password(request: Request) -> None:
    found = find(request, request.params["DBInstanceIdentifier"])
    if found is None or not request.params.get("ManageMasterUserPassword"):
        return
    if list(found.replicas):
        raise combination(
            "You can't manage the master user password of a DB instance that has read replicas."
        )
