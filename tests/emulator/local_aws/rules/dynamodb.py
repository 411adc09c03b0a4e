"""DynamoDB: attributes, time to live, recovery, deletion."""

from __future__ import annotations

import time

from .. import clock
from ..hooks import AwsError, Request, after, before
from . import state

_TTL_INTERVAL = 3600
_ttl_changed: dict[tuple[str, str, str, float], float] = {}


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _key(request: Request) -> tuple[str, str, str, float] | None:
    """A table made anew under an old name is another table."""
    name = request.params["TableName"].rpartition("/")[2]
    table = state.backend("dynamodb", request).tables.get(name)
    if table is None:
        return None
    return request.account, request.region, name, float(id(table))


@before("dynamodb", "CreateTable")
def attributes(request: Request) -> None:
    params = request.params
    defined = {a["AttributeName"] for a in params.get("AttributeDefinitions") or []}
    used = {k["AttributeName"] for k in params.get("KeySchema") or []}
    indexes = [
        *(params.get("GlobalSecondaryIndexes") or []),
        *(params.get("LocalSecondaryIndexes") or []),
    ]
    for index in indexes:
        used |= {k["AttributeName"] for k in index["KeySchema"]}
    if used - defined:
        raise _invalid(
            "One or more parameter values were invalid: Some index key attributes are not defined in "
            f"AttributeDefinitions. Keys: [{', '.join(sorted(used))}], AttributeDefinitions: [{', '.join(sorted(defined))}]"
        )
    if defined - used:
        raise _invalid(
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly "
            "match number of attributes defined in AttributeDefinitions"
        )
    if params.get("BillingMode") == "PAY_PER_REQUEST" and params.get("ProvisionedThroughput"):
        raise _invalid(
            "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits "
            "can be specified when BillingMode is PAY_PER_REQUEST"
        )


@before("dynamodb", "UpdateTimeToLive")
def time_to_live(request: Request) -> None:
    key = _key(request)
    if key is None:
        return
    changed = _ttl_changed.get(key)
    if changed is not None and time.monotonic() < changed:
        raise _invalid("Time to live has been modified multiple times within a fixed interval")
    name = request.params["TableName"].rpartition("/")[2]
    current = state.backend("dynamodb", request).tables[name].ttl or {}
    wanted = request.params["TimeToLiveSpecification"]
    on = current.get("TimeToLiveStatus") == "ENABLED"
    if on == bool(wanted.get("Enabled")):
        raise _invalid(f"TimeToLive is already {'enabled' if on else 'disabled'}")


@after("dynamodb", "UpdateTimeToLive")
def time_to_live_changed(request: Request, _result: object) -> None:
    key = _key(request)
    if key is not None:
        # With no waits an hour is still more than the calls of one test.
        wait = clock.due(_TTL_INTERVAL) if clock.scale else _TTL_INTERVAL
        _ttl_changed[key] = time.monotonic() + wait


@before("dynamodb", "DeleteTable", "UpdateTable")
def busy(request: Request) -> None:
    name = request.params["TableName"].rpartition("/")[2]
    table = state.backend("dynamodb", request).tables.get(name)
    status = getattr(table, "status", None)
    if status in ("CREATING", "UPDATING", "DELETING"):
        raise AwsError(
            "ResourceInUseException",
            f"Attempt to change a resource which is still in use: Table is being {status.lower()}: {name}",
        )


@before("dynamodb", "UpdateContinuousBackups")
def continuous_backups(request: Request) -> None:
    name = request.params["TableName"].rpartition("/")[2]
    table = state.backend("dynamodb", request).tables.get(name)
    if getattr(table, "status", None) == "CREATING":
        raise AwsError(
            "ContinuousBackupsUnavailableException",
            "Backups are being enabled for the table. Please retry later",
        )
