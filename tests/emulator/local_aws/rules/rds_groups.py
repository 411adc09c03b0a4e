"""DB subnet groups and DB parameter groups."""

from __future__ import annotations

from ..hooks import AwsError, Request, before
from . import state
from .rds_instance import combination, invalid

#: Parameters of MySQL that take effect at a restart only, so far as anyone sets them.
_STATIC = {
    "authentication_policy",
    "back_log",
    "default_authentication_plugin",
    "enforce_gtid_consistency",
    "gtid-mode",
    "gtid_mode",
    "innodb_autoinc_lock_mode",
    "innodb_buffer_pool_instances",
    "innodb_log_file_size",
    "innodb_log_files_in_group",
    "innodb_purge_threads",
    "innodb_read_io_threads",
    "innodb_sort_buffer_size",
    "innodb_write_io_threads",
    "lower_case_table_names",
    "performance_schema",
    "skip-character-set-client-handshake",
    "skip-name-resolve",
    "skip_name_resolve",
    "table_open_cache_instances",
    "thread_stack",
    "tls_version",
}
_MOST_AT_ONCE = 20


@before("rds", "CreateDBSubnetGroup", "ModifyDBSubnetGroup")
def coverage(request: Request) -> None:
    zones = set()
    for subnet_id in request.params.get("SubnetIds") or []:
        subnet = state.subnet(request, subnet_id)
        if subnet is None:
            raise AwsError("InvalidSubnet", f"Some input subnets in :[{subnet_id}] are invalid.")
        zones.add(subnet.availability_zone)
    if len(zones) < 2:
        raise AwsError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            "Current AZ coverage: "
            f"{', '.join(sorted(zones))}. Add subnets to cover at least 2 AZs.",
        )


@before("rds", "CreateDBSubnetGroup")
def subnet_group_name(request: Request) -> None:
    name = request.params["DBSubnetGroupName"]
    if name.lower() == "default" or len(name) > 255:
        raise invalid(f"Invalid DB subnet group name: {name}")
    if name.lower() in state.backend("rds", request).subnet_groups:
        raise AwsError(
            "DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists."
        )


@before("rds", "DeleteDBSubnetGroup")
def delete_subnet_group(request: Request) -> None:
    name = request.params["DBSubnetGroupName"].lower()
    for database in state.databases(request):
        group = getattr(database, "db_subnet_group", None)
        if group is not None and group.name.lower() == name:
            raise AwsError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database instance: "
                f"{database.db_instance_identifier} is still using it.",
            )


@before("rds", "DeleteDBParameterGroup")
def delete_parameter_group(request: Request) -> None:
    name = request.params["DBParameterGroupName"].lower()
    if name.startswith("default."):
        raise AwsError("InvalidDBParameterGroupState", "Default DBParameterGroup cannot be deleted")
    for database in state.databases(request):
        if str(database.db_parameter_group_name or "").lower() == name:
            raise AwsError(
                "InvalidDBParameterGroupState",
                "One or more database instances are still members of this parameter group "
                f"{name}, so the group cannot be deleted",
            )


@before("rds", "ModifyDBParameterGroup")
def parameters(request: Request) -> None:
    given = request.params.get("Parameters") or []
    if len(given) > _MOST_AT_ONCE:
        raise invalid(
            f"Too many parameters. At most {_MOST_AT_ONCE} parameters can be modified in one request."
        )
    for parameter in given:
        name, method = parameter.get("ParameterName"), parameter.get("ApplyMethod")
        if not name or not method:
            raise combination("ParameterName and ApplyMethod must be specified for each parameter.")
        if method == "immediate" and name in _STATIC:
            raise combination(f"cannot use immediate apply method for static parameter: {name}")
