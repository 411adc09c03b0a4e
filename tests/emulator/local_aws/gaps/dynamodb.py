"""Tables that are CREATING and DELETING for a while; backups likewise."""

import copy
from typing import Any

from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.table import Backup, Table

from local_aws import hooks

from .lifecycle import fault, phases_of, run_later
from .patching import add, prop, wrap

CREATING_SECONDS = 10
DELETING_SECONDS = 10
UPDATING_SECONDS = 5
BACKUP_SECONDS = 10
ITEM_ACTIONS = (
    "PutItem",
    "GetItem",
    "UpdateItem",
    "DeleteItem",
    "Query",
    "Scan",
)


@prop(Table, "status")
def _status(self: Table) -> str:
    return phases_of(self, "ACTIVE").current


@wrap(Table, "describe")
def _describe(original: Any, self: Table, base_key: str = "TableDescription") -> dict[str, Any]:
    told = original(self, base_key)
    told[base_key]["TableStatus"] = self.status
    if self.status == "CREATING":
        for index in told[base_key]["GlobalSecondaryIndexes"]:
            index["IndexStatus"] = "CREATING"
    return told


@wrap(DynamoDBBackend, "create_table")
def _create(original: Any, self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Table:
    table = original(self, *args, **kwargs)
    phases_of(table, "ACTIVE").begin("CREATING", CREATING_SECONDS)
    return table


@wrap(DynamoDBBackend, "update_table")
def _update(original: Any, self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Table:
    table = original(self, *args, **kwargs)
    phases_of(table, "ACTIVE").begin("UPDATING", UPDATING_SECONDS)
    return table


@wrap(DynamoDBBackend, "delete_table")
def _delete(original: Any, self: DynamoDBBackend, name: str) -> Table:
    table = self.get_table(name)
    if table.deletion_protection_enabled:
        return original(self, name)
    phases = phases_of(table, "ACTIVE")
    phases.rest = "DELETING"
    phases.begin("DELETING", DELETING_SECONDS, replace=True)
    run_later(DELETING_SECONDS, lambda: _gone(original, self, table))
    return table


def _gone(original: Any, backend: DynamoDBBackend, table: Table) -> None:
    if backend.tables.get(table.name) is table:
        original(backend, table.name)


@hooks.before("dynamodb", *ITEM_ACTIONS)
def _not_yet(request: hooks.Request) -> None:
    name = str(request.params.get("TableName", "")).rpartition("/")[2]
    table = dynamodb_backends[request.account][request.region].tables.get(name)
    if table is not None and table.status in ("CREATING", "DELETING"):
        raise hooks.AwsError("ResourceNotFoundException", "Requested resource not found")


@prop(Backup, "status")
def _backup_status(self: Backup) -> str:
    return phases_of(self, "AVAILABLE").current


@wrap(Backup, "__init__")
def _backup(original: Any, self: Backup, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    phases_of(self, "AVAILABLE").begin("CREATING", BACKUP_SECONDS)


@wrap(DynamoDBBackend, "create_backup")
def _create_backup(original: Any, self: DynamoDBBackend, table_name: str, backup_name: str) -> Backup:
    table = self.tables.get(table_name)
    if table is not None and table.status == "CREATING":
        message = "Backups are being enabled for the table: " + table_name
        raise fault("ContinuousBackupsUnavailableException", message)
    return original(self, table_name, backup_name)


@add(DynamoDBBackend)
def tag_resource(self: DynamoDBBackend, arn: str, tags: dict[str, str]) -> None:
    """A key that is there already gets the new value; moto keeps both."""
    for table in self.tables.values():
        if table.table_arn == arn:
            kept = [tag for tag in copy.copy(table.tags) if tag["Key"] not in tags]
            table.tags = kept + [{"Key": key, "Value": value} for key, value in tags.items()]
            return
    message = f"Requested resource not found: ResourceArn: {arn} not found"
    raise fault("ResourceNotFoundException", message)
