"""DB instances as MariaDB servers: what RDS is told happens to real processes."""

from __future__ import annotations

import itertools
import re
import shutil
import sys
import time
from typing import Any

from local_aws import clock
from local_aws.gaps import events, providers
from local_aws.hooks import Request, after

from . import context, processes
from .lanes import Lane
from .mariadb import Server, Template
from .processes import Process
from .readiness import fail, hold

#: A standby takes over, or a host is restarted, in about this many AWS seconds.
FAILOVER_SECONDS = 35
SOURCE_WAIT_SECONDS = 120
#: RDS takes another host where one does not come up.
HOSTS = 3
#: Parameters of a DB parameter group that mean the same to MariaDB.
PARAMETERS = frozenset(
    {
        "require_secure_transport",
        "max_connections",
        "wait_timeout",
        "interactive_timeout",
        "max_allowed_packet",
        "innodb_lock_wait_timeout",
        "innodb_flush_log_at_trx_commit",
        "sync_binlog",
        "slow_query_log",
        "long_query_time",
        "log_output",
        "general_log",
        "transaction_isolation",
        "time_zone",
        "character_set_server",
        "event_scheduler",
        "sql_mode",
        "lock_wait_timeout",
        "net_read_timeout",
        "net_write_timeout",
        "group_concat_max_len",
    }
)

_server_ids = itertools.count(1)
_template: Template | None = None
_databases: dict[tuple[str, str], Database] = {}


class Database:
    """One DB instance: its server, and the lane on which things happen to it."""

    def __init__(self, region: str, database: Any, password: str | None) -> None:
        here = context.current()
        name = database.db_instance_identifier
        directory = here.make_directory("rds", f"{region}-{name}")
        address = address_of(region, name)
        self.region, self.name = region, name
        self.source = _source_name(database)
        self.user, self.password = database.master_username, password
        self.database_name = database.db_name
        self.ready = False
        self.gone = False
        self.lane = Lane(f"database {name}")
        self.server = Server(
            name=name,
            directory=directory,
            address=address,
            port=int(database.port or 3306),
            server_id=next(_server_ids),
            certificate=here.authority.issue(directory, [address]),
            authority=here.authority.file,
            settings=_settings(database),
            read_only=self.source is not None,
            on_death=self._died,
        )

    def create(self) -> None:
        """Bring it up, on another host where one does not come up."""
        for host in range(1, HOSTS + 1):
            try:
                return self._create()
            except Exception as error:
                self.server.kill()
                shutil.rmtree(self.server.data, ignore_errors=True)
                if self.gone or host == HOSTS or processes.closing():
                    raise
                print(f"local AWS: database {self.name} did not come up on host {host}: {error}", file=sys.stderr)

    def _create(self) -> None:
        """Install, start, and either make the master user or replicate from the source."""
        if self.gone:
            return
        assert _template is not None, "start() makes the template before any event"
        _template.copy_to(self.server.data)
        self.server.start()
        if self.source is None:
            if self.user and self.password:
                self.server.create_master(self.user, self.password, self.database_name)
        else:
            source = self._wait_for_source()
            self.server.follow(source.server, source.server.allow_replication())
            self.server.wait_for_replication()
        self.ready = True

    def _wait_for_source(self) -> Database:
        deadline = time.monotonic() + SOURCE_WAIT_SECONDS
        while time.monotonic() < deadline:
            source = _databases.get((self.region, str(self.source)))
            if source is not None and source.ready and source.server.running:
                return source
            time.sleep(0.1)
        raise TimeoutError(f"the source {self.source} of {self.name} does not run")

    def reboot(self, failover: bool, settings: dict[str, str], port: int) -> None:
        """Ends the server, hard in a failover; it comes back with the settings of now."""
        if self.gone:
            return
        if failover:
            self.server.kill()
            time.sleep(clock.due(FAILOVER_SECONDS))
        else:
            self.server.stop()
        self.server.settings, self.server.port = settings, port
        self._start_again()

    def promote(self) -> None:
        if not self.gone and self.source is not None:
            self.server.promote()
            self.source = None

    def delete(self) -> None:
        self.gone = True
        self.server.stop()
        _databases.pop((self.region, self.name), None)
        self.lane.close()

    def _died(self, _process: Process) -> None:
        self.lane.put(self._recover)

    def _recover(self) -> None:
        """RDS brings a failed host back by itself."""
        if not self.gone and not self.server.running:
            time.sleep(clock.due(FAILOVER_SECONDS))
            self._start_again()

    def _start_again(self) -> None:
        if not self.gone:
            self.server.start()


def address_of(region: str, name: str) -> str:
    return context.current().addresses.of("rds", region, name)


def ready(region: str, name: str) -> bool:
    """Whether its server takes connections."""
    database = _databases.get((region, name))
    return database is not None and database.ready and database.server.running


def find(region: str, name: str) -> Database | None:
    return _databases.get((region, name))


def _source_name(database: Any) -> str | None:
    source = database.source_db_instance_identifier if database.is_replica else None
    return source.rpartition(":")[2] if source else None


def _settings(database: Any) -> dict[str, str]:
    """What the parameter group sets and MariaDB understands."""
    group = database.backend.db_parameter_groups.get(database.db_parameter_group_name or "")
    settings: dict[str, str] = {}
    for name, parameter in (group.parameters if group else {}).items():
        value = parameter.get("ParameterValue") if isinstance(parameter, dict) else parameter
        # `{DBInstanceClassMemory/...}` is a formula for a machine we do not have.
        if name in PARAMETERS and value and re.fullmatch(r"[\w.,:+/-]+", str(value)):
            settings[name] = str(value)
    return settings


def _creating(region: str, database: Any, password: str | None = None) -> None:
    made = Database(region, database, password)
    _databases[region, made.name] = made
    hold(database, "creating", lambda: made.ready or made.gone)
    made.lane.put(lambda: _create(made, database))


def _create(made: Database, database: Any) -> None:
    try:
        made.create()
    except Exception:
        fail(database)
        raise


def _rebooting(region: str, database: Any, failover: bool = False) -> None:
    if held := find(region, database.db_instance_identifier):
        settings, port = _settings(database), int(database.port or 3306)
        held.lane.put(lambda: held.reboot(failover, settings, port))


def _modified(region: str, database: Any, changes: dict[str, Any]) -> None:
    held = find(region, database.db_instance_identifier)
    password = changes.get("master_user_password")
    if held is not None and password:
        held.lane.put(lambda: held.server.set_password(held.user, password))


def _deleting(region: str, database: Any) -> None:
    if held := find(region, database.db_instance_identifier):
        held.gone = True
        held.lane.put(held.delete)


def _deleted(region: str, database: Any) -> None:
    """Its address is free; its replicas stand alone."""
    context.current().addresses.release("rds", region, database.db_instance_identifier)
    for held in list(_databases.values()):
        if held.region == region and held.source == database.db_instance_identifier:
            held.lane.put(held.promote)


@after("rds", "PromoteReadReplica")
def _promoted(req: Request, result: dict[str, Any] | None) -> None:
    if held := find(req.region, req.params["DBInstanceIdentifier"].lower()):
        held.lane.put(held.promote)


def _address(region: str, database: Any) -> str:
    return address_of(region, database.db_instance_identifier)


def open_databases() -> None:
    """Subscribe, and make the template while nobody waits for it."""
    global _template
    _databases.clear()
    _template = Template(context.current().directory / "rds-template")
    providers.provide("database-address", _address)


events.on("database-creating", _creating)
events.on("database-rebooting", _rebooting)
events.on("database-modified", _modified)
events.on("database-deleting", _deleting)
events.on("database-deleted", _deleted)
