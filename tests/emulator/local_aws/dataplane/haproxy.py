"""A HAProxy process: started with a configuration, talked to through its socket, replaced without a gap."""

from __future__ import annotations

import csv
import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import processes
from .processes import Process, ProcessError

READY_SECONDS = 20
_SOCKET = "admin.sock"
_STATE = "servers.state"

#: Every configuration begins with this. One thread: many of these share a small machine.
GLOBAL = f"""\
global
    stats socket unix@{_SOCKET} mode 600 level admin expose-fd listeners
    server-state-file {_STATE}
    nbthread 1
    maxconn 4000
    hard-stop-after 60s
    log stdout format raw daemon notice
"""


@dataclass
class Proxy:
    """One HAProxy and the directory that it runs in."""

    kind: str
    resource: str
    directory: Path
    address: str
    port: int | None = None
    on_death: Callable[[Process], None] | None = None
    process: Process | None = None
    _predecessors: list[Process] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.alive

    def apply(self, config: str) -> None:
        """Run with `config`: a first start, or a successor that takes over the listening sockets."""
        path = self.directory / "haproxy.cfg"
        path.write_text(config)
        old = self.process if self.running else None
        command = [_binary(), "-db", "-f", path.name]
        if old is None:
            (self.directory / _SOCKET).unlink(missing_ok=True)
            (self.directory / _STATE).write_text("")
        else:
            # The successor starts from the health that its predecessor has seen.
            (self.directory / _STATE).write_text(self.command("show servers state"))
            command += ["-x", _SOCKET, "-sf", str(old.pid)]
            old.ending = True
        fresh = processes.start(
            self.kind,
            self.resource,
            command,
            address=self.address,
            port=self.port,
            log=self.directory / "haproxy.log",
            cwd=self.directory,
        )
        try:
            self._wait_until_ready(fresh)
        except ProcessError:
            # The successor never served; the old process goes on.
            fresh.kill()
            if old is not None:
                old.ending = False
            raise
        if old is not None:
            self._predecessors = [p for p in self._predecessors if p.alive] + [old]
        self.process = fresh
        # Only a death after this is news; one before it was an error of the start.
        fresh.on_death = self.on_death

    def _wait_until_ready(self, process: Process) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                if f"Pid: {process.pid}\n" in self.command("show info"):
                    return
            except OSError:
                pass
            if not process.alive or time.monotonic() > deadline:
                raise ProcessError(f"haproxy for {self.resource} did not start:\n{process.tail()}")
            time.sleep(0.05)

    def command(self, text: str) -> str:
        """One command to the admin socket, and its answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            # Through /proc: the directory's own path may be longer than a socket's may be.
            handle = os.open(self.directory, os.O_PATH | os.O_DIRECTORY)
            try:
                connection.connect(f"/proc/self/fd/{handle}/{_SOCKET}")
            finally:
                os.close(handle)
            connection.sendall(text.encode() + b"\n")
            chunks = []
            while chunk := connection.recv(65536):
                chunks.append(chunk)
        return b"".join(chunks).decode("utf-8", "replace")

    def servers(self) -> dict[tuple[str, str], dict[str, str]]:
        """The statistics of every server, by (backend, server)."""
        text = self.command("show stat -1 4 -1").lstrip("# ")
        return {(row["pxname"], row["svname"]): row for row in csv.DictReader(text.splitlines())}

    def frontends(self) -> dict[tuple[str, str], dict[str, str]]:
        """The statistics of every listener."""
        text = self.command("show stat -1 1 -1").lstrip("# ")
        return {(row["pxname"], row["svname"]): row for row in csv.DictReader(text.splitlines())}

    def stop(self) -> None:
        """End it, and those before it that still serve their last connections."""
        for process in [*self._predecessors, *([self.process] if self.process else [])]:
            process.end(grace=2)
        self._predecessors, self.process = [], None


def _binary() -> str:
    return shutil.which("haproxy") or "/usr/sbin/haproxy"
