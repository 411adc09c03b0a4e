"""A MariaDB server standing in for a DB instance."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

from . import processes
from .processes import Process, ProcessError

READY_SECONDS = 90
ADMIN = "rdsadmin"
REPLICATION = "rdsrepladmin"
#: The privileges that RDS gives its master user; no SUPER, so read_only binds it.
MASTER_PRIVILEGES = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, "
    "CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"
)
#: MySQL 8.4's default; MariaDB's own differs.
SQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
_OPTIONS = [
    "--skip-name-resolve",
    "--skip-symbolic-links",
    "--local-infile=OFF",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=24M",
    "--innodb-log-file-size=16M",
    "--innodb-log-buffer-size=2M",
    "--key-buffer-size=512K",
    "--aria-pagecache-buffer-size=1M",
    "--table-open-cache=400",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_520_ci",
    f"--sql-mode={SQL_MODE}",
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--log-slave-updates=ON",
    "--gtid-strict-mode=ON",
    "--slave-net-timeout=10",
    "--tls-version=TLSv1.2,TLSv1.3",
    "--socket=server.sock",
    "--pid-file=server.pid",
]


class Template:
    """A freshly installed data directory, made once and copied for each server."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def copy_to(self, target: Path) -> None:
        with self._lock:
            if not self._directory.exists():
                self._install()
        copy = ["cp", "-a", "--reflink=auto", "--sparse=always", str(self._directory), str(target)]
        subprocess.run(copy, check=True, capture_output=True)

    def _install(self) -> None:
        fresh = self._directory.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        command = [
            "mariadb-install-db",
            "--no-defaults",
            # Relative: the script takes a path with a space in it for two.
            "--datadir=.",
            f"--user={getpass.getuser()}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--innodb-log-file-size=16M",
        ]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True)
        if done.returncode != 0:
            raise ProcessError(f"mariadb-install-db failed: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        fresh.rename(self._directory)


@dataclass
class Server:
    """One server: its directory, its address, and its process while it runs."""

    name: str
    directory: Path
    address: str
    port: int
    server_id: int
    certificate: tuple[Path, Path]
    authority: Path
    settings: dict[str, str] = field(default_factory=dict)
    read_only: bool = False
    on_death: Callable[[Process], None] | None = None
    process: Process | None = None
    _admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.alive

    def start(self) -> None:
        """Start it and wait until it answers."""
        if self.running:
            return
        self._write_init_file()
        self.process = processes.start(
            "database",
            self.name,
            self._command(),
            address=self.address,
            port=self.port,
            log=self.directory / "server.log",
            cwd=self.directory,
        )
        self._wait_until_ready(self.process)
        # Only a death after this is news; one before it was an error of the start.
        self.process.on_death = self.on_death

    def stop(self) -> None:
        if self.process:
            self.process.end(grace=20)
            self.process = None

    def kill(self) -> None:
        """SIGKILL: what a failure of its host would do."""
        if self.process:
            self.process.kill()
            self.process = None

    def _command(self) -> list[str]:
        certificate, key = self.certificate
        settings = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        return [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd",
            "--no-defaults",
            f"--datadir={self.data}",
            f"--user={getpass.getuser()}",
            f"--bind-address={self.address}",
            f"--port={self.port}",
            f"--server-id={self.server_id}",
            f"--init-file={self.directory / 'init.sql'}",
            f"--read-only={'ON' if self.read_only else 'OFF'}",
            f"--ssl-ca={self.authority}",
            f"--ssl-cert={certificate}",
            f"--ssl-key={key}",
            *_OPTIONS,
            *settings,
        ]

    def _write_init_file(self) -> None:
        path = self.directory / "init.sql"
        path.unlink(missing_ok=True)
        quoted = self._admin_password
        lines = [
            "SET SESSION sql_log_bin = 0;",
            "DELETE FROM mysql.global_priv WHERE User IN ('root', '');",
            "FLUSH PRIVILEGES;",
            f"CREATE OR REPLACE USER '{ADMIN}'@'127.%' IDENTIFIED BY '{quoted}';",
            f"GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'127.%' WITH GRANT OPTION;",
        ]
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write("\n".join(lines) + "\n")

    def _wait_until_ready(self, process: Process) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                with self.admin():
                    break
            except pymysql.MySQLError as error:
                if not process.alive or time.monotonic() > deadline:
                    text = f"mariadbd for {self.name} did not start: {error}\n{process.tail()}"
                    raise ProcessError(text) from error
                time.sleep(0.1)
        (self.directory / "init.sql").unlink(missing_ok=True)

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A cursor of the emulator's own user."""
        connection = pymysql.connect(
            host=self.address,
            port=self.port,
            user=ADMIN,
            password=self._admin_password,
            autocommit=True,
            connect_timeout=5,
            ssl_disabled="require_secure_transport" not in self.settings,
            ssl={"ca": str(self.authority)} if "require_secure_transport" in self.settings else None,
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def create_master(self, user: str, password: str, database: str | None) -> None:
        """The master user of CreateDBInstance; written to the binary log, so replicas have it too."""
        with self.admin() as cursor:
            account = (user, "%")
            cursor.execute("CREATE USER %s@%s IDENTIFIED BY %s", (*account, password))
            cursor.execute(f"GRANT {MASTER_PRIVILEGES} ON *.* TO %s@%s WITH GRANT OPTION", account)
            if database:
                cursor.execute(f"CREATE DATABASE `{database.replace('`', '``')}`")

    def set_password(self, user: str, password: str) -> None:
        with self.admin() as cursor:
            cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (user, "%", password))

    def allow_replication(self) -> str:
        """A fresh password of the replication user."""
        password = secrets.token_urlsafe(24)
        with self.admin() as cursor:
            cursor.execute("SET SESSION sql_log_bin = 0")
            account = (REPLICATION, "127.%")
            cursor.execute("CREATE USER IF NOT EXISTS %s@%s", account)
            cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (*account, password))
            cursor.execute("GRANT REPLICATION SLAVE ON *.* TO %s@%s", account)
        return password

    def follow(self, source: Server, password: str) -> None:
        """Replicate from `source` by GTID, from the beginning of its log."""
        with self.admin() as cursor:
            cursor.execute("STOP SLAVE")
            cursor.execute(
                "CHANGE MASTER TO MASTER_HOST=%s, MASTER_PORT=%s, MASTER_USER=%s, MASTER_PASSWORD=%s, "
                "MASTER_SSL=1, MASTER_SSL_CA=%s, MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos",
                (source.address, source.port, REPLICATION, password, str(self.authority)),
            )
            cursor.execute("START SLAVE")

    def replication_status(self) -> dict[str, Any]:
        """SHOW SLAVE STATUS by column; empty where it replicates nothing."""
        with self.admin() as cursor:
            cursor.execute("SHOW SLAVE STATUS")
            row = cursor.fetchone()
            return dict(zip([c[0] for c in cursor.description], row, strict=True)) if row else {}

    def wait_for_replication(self, seconds: float = READY_SECONDS) -> None:
        """Until it has applied what its source had written."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.replication_status()
            if status.get("Slave_SQL_Running") == "Yes" and status.get("Seconds_Behind_Master") == 0:
                return
            if time.monotonic() > deadline:
                reason = status.get("Last_IO_Error") or status.get("Last_SQL_Error")
                raise ProcessError(f"{self.name} does not replicate: {reason}")
            time.sleep(0.1)

    def promote(self) -> None:
        """Stop replicating and take writes."""
        with self.admin() as cursor:
            cursor.execute("STOP SLAVE")
            cursor.execute("RESET SLAVE ALL")
            cursor.execute("SET GLOBAL read_only = OFF")
        self.read_only = False
