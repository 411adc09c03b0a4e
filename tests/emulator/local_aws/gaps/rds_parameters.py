"""DB parameter groups: what may be changed how, and when an instance has it."""

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.models import DBInstance, RDSBackend
from moto.rds.responses import RDSResponse

from . import events
from .lifecycle import fault
from .patching import add, prop, wrap
from .rds_catalog import VERSIONS, family

MOST_PER_CALL = 20
STATIC = {
    "back_log",
    "character_set_client_handshake",
    "ft_min_word_len",
    "ft_stopword_file",
    "gtid-mode",
    "innodb_buffer_pool_instances",
    "innodb_flush_method",
    "innodb_ft_max_token_size",
    "innodb_ft_min_token_size",
    "innodb_log_file_size",
    "innodb_open_files",
    "innodb_page_cleaners",
    "innodb_purge_threads",
    "innodb_read_io_threads",
    "innodb_rollback_on_timeout",
    "innodb_sort_buffer_size",
    "innodb_write_io_threads",
    "lower_case_table_names",
    "performance_schema",
    "skip_name_resolve",
    "skip_show_database",
    "table_open_cache_instances",
    "thread_stack",
    "tls_version",
}


def parameters_in_force(db: DBInstance) -> dict[str, str]:
    """The parameters that the user set and the instance runs with."""
    if getattr(db, "_parameters_pending", False):
        return dict(getattr(db, "_parameters_before", {}))
    groups = db.db_parameter_groups()
    held = {
        name: str(item.get("ParameterValue"))
        for group in groups
        for name, item in group.parameters.items()
        if item.get("ParameterValue") is not None
    }
    db._parameters_before = held
    return dict(held)


class _ApplyStatus:
    """One group of an instance, with how far the instance has it."""

    def __init__(self, name: str, status: str) -> None:
        self.db_parameter_group_name = self.name = name
        self.parameter_apply_status = status


@prop(DBInstance, "db_parameter_group_status_list")
def _statuses(self: DBInstance) -> list[Any]:
    status = "pending-reboot" if getattr(self, "_parameters_pending", False) else "in-sync"
    return [_ApplyStatus(group.name, status) for group in DBInstance.db_parameter_groups(self)]


@wrap(RDSBackend, "modify_db_parameter_group")
def _modify(original: Any, self: RDSBackend, name: str, parameters: list[dict[str, Any]]) -> Any:
    if len(parameters) > MOST_PER_CALL:
        message = f"Only {MOST_PER_CALL} parameters can be modified in one call."
        raise fault("InvalidParameterValue", message)
    for parameter in parameters:
        _check(parameter)
    waits = any(parameter.get("ApplyMethod") == "pending-reboot" for parameter in parameters)
    users = [db for db in self.databases.values() if _uses(db, name)]
    for db in users:
        parameters_in_force(db)
    group = original(self, name, parameters)
    for parameter in parameters:
        held = group.parameters[parameter["ParameterName"]]
        static = parameter["ParameterName"] in STATIC
        held.update(Source="user", IsModifiable=True, ApplyType="static" if static else "dynamic")
    for db in users:
        if waits:
            db._parameters_pending = True
        else:
            changes = {"parameters": parameters_in_force(db)}
            events.emit("database-modified", region=db.region, database=db, changes=changes)
    return group


def _check(parameter: dict[str, Any]) -> None:
    method = parameter.get("ApplyMethod")
    if method is None:
        message = f"The parameter ApplyMethod must be provided for {parameter.get('ParameterName')}."
        raise fault("InvalidParameterValue", message)
    if method == "immediate" and parameter.get("ParameterName") in STATIC:
        message = "cannot use immediate apply method for static parameter"
        raise fault("InvalidParameterCombination", message)


def _uses(db: DBInstance, name: str) -> bool:
    return (db.db_parameter_group_name or "").lower() == name.lower()


@wrap(RDSBackend, "create_db_parameter_group")
def _create(original: Any, self: RDSBackend, kwargs: Any) -> Any:
    wanted = kwargs.get("db_parameter_group_family")
    known = {family(e, minors[-1]) for e, majors in VERSIONS.items() for minors in majors.values()}
    mine = any(str(wanted).startswith(engine) for engine in VERSIONS)
    if mine and wanted not in known:
        message = f"ParameterGroupFamily {wanted} is not a valid parameter group family"
        raise fault("InvalidParameterValue", message)
    return original(self, kwargs)


@wrap(RDSResponse, "describe_db_parameters")
def _describe(original: Any, self: RDSResponse) -> ActionResult:
    result = original(self).result
    source = self.params.get("Source")
    listed = [p for p in result["Parameters"] if source in (None, p.get("Source", "user"))]
    return ActionResult({"Parameters": listed})


@add(RDSResponse)
def reset_db_parameter_group(self: RDSResponse) -> ActionResult:
    name = self.params.get("DBParameterGroupName")
    group = self.backend.db_parameter_groups.get(name)
    if group is None:
        raise fault("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
    wanted = [p["ParameterName"] for p in self.params.get("Parameters", [])]
    users = [db for db in self.backend.databases.values() if _uses(db, name)]
    for db in users:
        parameters_in_force(db)
    for parameter in list(group.parameters):
        if parameter in wanted or self.params.get("ResetAllParameters") in (True, "true"):
            del group.parameters[parameter]
    for db in users:
        db._parameters_pending = True
    return ActionResult({"DBParameterGroupName": group.name})
