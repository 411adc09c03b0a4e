"""A Redis server standing in for a cache node."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis as client

from . import processes
from .processes import Process, ProcessError

READY_SECONDS = 30
#: The emulator's own user: ElastiCache keeps these commands to itself.
ADMIN = "elasticache-admin"
RESTRICTED = "acl bgrewriteaof bgsave cluster config debug migrate psync replicaof save shutdown slaveof sync"


@dataclass
class Security:
    """What all nodes of one replication group share."""

    tls: bool
    token: str | None
    authority: Path
    admin_password: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)


@dataclass
class Node:
    """One node: its directory, its address, and its process while it runs."""

    name: str
    directory: Path
    address: str
    port: int
    security: Security
    certificate: tuple[Path, Path]
    max_memory: str = "64mb"
    settings: dict[str, str] = field(default_factory=dict)
    on_death: Callable[[Process], None] | None = None
    process: Process | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.alive

    def start(self, source: Node | None = None, also: str | None = None) -> None:
        """Start it, as a replica of `source` if there is one, and wait until it answers.

        `also` is a further address to listen on: the primary endpoint's.
        """
        if self.running:
            return
        self._write_config(source, also)
        self.process = processes.start(
            "cache",
            self.name,
            [shutil.which("redis-server") or "/usr/bin/redis-server", "redis.conf"],
            address=self.address,
            port=self.port,
            log=self.directory / "redis.log",
            cwd=self.directory,
        )
        self._wait_until_ready(self.process)
        # Only a death after this is news; one before it was an error of the start.
        self.process.on_death = self.on_death

    def stop(self) -> None:
        if self.process:
            self.process.end()
            self.process = None

    def kill(self) -> None:
        """SIGKILL: what a failure of its host would do."""
        if self.process:
            self.process.kill()
            self.process = None

    def _write_config(self, source: Node | None, also: str | None) -> None:
        certificate, key = self.certificate
        secured = self.security
        lines = [
            f"bind {self.address} {also or ''}".rstrip(),
            f"port {0 if secured.tls else self.port}",
            'save ""',
            "appendonly no",
            "protected-mode no",
            "dir .",
            f"maxmemory {self.max_memory}",
            "maxmemory-policy volatile-lru",
            *(f'{name} "{value}"' for name, value in self.settings.items()),
            "repl-diskless-sync yes",
            "repl-diskless-sync-delay 0",
            "repl-timeout 10",
            f"replica-announce-ip {self.address}",
            "io-threads 1",
            f"masteruser {ADMIN}",
            f"masterauth {secured.admin_password}",
            f"user {ADMIN} on >{secured.admin_password} ~* &* +@all",
            f"user default on {self._default_password()} ~* &* +@all {self._forbidden()}",
        ]
        if secured.tls:
            lines += [
                f"tls-port {self.port}",
                f'tls-cert-file "{certificate}"',
                f'tls-key-file "{key}"',
                f'tls-ca-cert-file "{secured.authority}"',
                "tls-auth-clients no",
                "tls-replication yes",
                "tls-protocols \"TLSv1.2 TLSv1.3\"",
            ]
        if source is not None:
            lines.append(f"replicaof {source.address} {source.port}")
        path = self.directory / "redis.conf"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")

    def _default_password(self) -> str:
        return f">{self.security.token}" if self.security.token else "nopass"

    def _forbidden(self) -> str:
        return " ".join(f"-{command}" for command in RESTRICTED.split())

    def _wait_until_ready(self, process: Process) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                with self.admin() as admin:
                    admin.ping()
                return
            except client.RedisError as error:
                if not process.alive or time.monotonic() > deadline:
                    text = f"redis-server for {self.name} did not start: {error}\n{process.tail()}"
                    raise ProcessError(text) from error
                time.sleep(0.05)

    def admin(self) -> client.Redis:
        """A client of the emulator's own user."""
        tls: dict[str, Any] = {}
        if self.security.tls:
            tls = {"ssl": True, "ssl_ca_certs": str(self.security.authority)}
        return client.Redis(
            host=self.address,
            port=self.port,
            username=ADMIN,
            password=self.security.admin_password,
            socket_timeout=5,
            socket_connect_timeout=5,
            retry=None,
            decode_responses=True,
            **tls,
        )

    def listen_also(self, address: str | None) -> None:
        """Listen on the primary endpoint's address too, or no longer."""
        with self.admin() as admin:
            admin.config_set("bind", f"{self.address} {address or ''}".rstrip())

    def configure(self) -> None:
        """Put its settings into force without a restart."""
        with self.admin() as admin:
            for name, value in self.settings.items():
                admin.config_set(name, value)

    def follow(self, source: Node) -> None:
        with self.admin() as admin:
            admin.execute_command("REPLICAOF", source.address, source.port)

    def promote(self) -> None:
        with self.admin() as admin:
            admin.execute_command("REPLICAOF", "NO", "ONE")

    def replication(self) -> dict[str, Any]:
        """INFO replication."""
        with self.admin() as admin:
            return admin.info("replication")

    def set_token(self, token: str | None, keep_old: bool = False) -> None:
        """Another AUTH token: beside the old one (ROTATE), or in its place (SET)."""
        if not keep_old:
            with self.admin() as admin:
                admin.execute_command("ACL", "SETUSER", "default", "resetpass")
        with self.admin() as admin:
            rule = f">{token}" if token else "nopass"
            admin.execute_command("ACL", "SETUSER", "default", rule)

    def wait_for_sync(self, seconds: float = READY_SECONDS) -> None:
        """Until a replica's link to its primary is up."""
        deadline = time.monotonic() + seconds
        while self.replication().get("master_link_status") != "up":
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} does not replicate\n{self.process and self.process.tail()}")
            time.sleep(0.05)
