"""Child processes: started by one thread, listed, and ended for certain.

Every child gets a session of its own and dies with this process, even if that is killed: `setpriv` asks the
kernel for it. The kernel watches the *thread* that started a child, so one thread that lives as long as the
emulator starts them all. A file lists them, so that the next start can end what a crash of the kernel's
promise (or a kill in the instant before it was made) left behind.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GRACE_SECONDS = 5.0


class ProcessError(Exception):
    """A child could not be started, or did not become ready."""


@dataclass(eq=False)
class Process:
    """A child, and what it stands for."""

    kind: str
    resource: str
    address: str | None
    port: int | None
    popen: subprocess.Popen[bytes]
    log: Path | None = None
    #: called with this process when it ends without having been told to
    on_death: Callable[[Process], None] | None = None
    #: further rows for the listing, such as what runs inside an instance
    inside: Callable[[], list[dict[str, Any]]] | None = None
    #: how to ask for its end, where SIGTERM to the group is not it
    soft_signal: Callable[[int], None] | None = None
    ending: bool = field(default=False)

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def signal(self, number: int) -> None:
        """To the whole group; nothing happens if it is gone."""
        if self.alive:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                pass

    def end(self, grace: float = GRACE_SECONDS) -> None:
        """SIGTERM, and SIGKILL once the grace is over; returns when it is gone."""
        self.ending = True
        if grace > 0:
            (self.soft_signal or self.signal)(signal.SIGTERM)
            try:
                self.popen.wait(grace)
            except subprocess.TimeoutExpired:
                pass
        self._kill_group()
        self.popen.wait()
        forget(self)

    def kill(self) -> None:
        """SIGKILL, as a failure would end it."""
        self.end(grace=0)

    def _kill_group(self) -> None:
        # The leader may be gone while others of its group are not.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def tail(self, size: int = 2000) -> str:
        """The end of its log, for an error's text."""
        if self.log is None or not self.log.exists():
            return ""
        return self.log.read_bytes()[-size:].decode("utf-8", "replace")


_live: list[Process] = []
_lock = threading.RLock()
_jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
_starter: threading.Thread | None = None
_register: Path | None = None
_closed = False


def start(
    kind: str,
    resource: str,
    command: Sequence[str],
    *,
    address: str | None = None,
    port: int | None = None,
    log: Path | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    on_death: Callable[[Process], None] | None = None,
) -> Process:
    """Start a child. It never outlives this process."""
    output = open(log, "ab") if log else subprocess.DEVNULL
    try:
        popen = _on_starter(
            lambda: subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )
        )
    finally:
        if log:
            output.close()
    process = Process(kind, resource, address, port, popen, log, on_death)
    with _lock:
        _live.append(process)
        _write_register()
    threading.Thread(target=_watch, args=(process,), daemon=True).start()
    return process


def _on_starter(job: Callable[[], Any]) -> Any:
    global _starter
    with _lock:
        if _closed:
            raise ProcessError("the data plane is stopping")
        if _starter is None:
            _starter = threading.Thread(target=_serve_jobs, name="starter", daemon=True)
            _starter.start()
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
    _jobs.put((job, answer))
    outcome = answer.get()
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _serve_jobs() -> None:
    while True:
        job, answer = _jobs.get()
        try:
            answer.put(job())
        except BaseException as error:  # handed to the caller, whatever it is
            answer.put(error)


def _watch(process: Process) -> None:
    process.popen.wait()
    if process.ending:
        forget(process)
        return
    process._kill_group()
    forget(process)
    if process.on_death and not _closed:
        process.on_death(process)


def forget(process: Process) -> None:
    """Take it off the list."""
    with _lock:
        if process in _live:
            _live.remove(process)
            _write_register()


def closing() -> bool:
    """Whether everything is ending, and failures mean nothing any more."""
    return _closed


def all_live() -> list[Process]:
    with _lock:
        return list(_live)


def listing() -> list[dict[str, Any]]:
    """One row a process: kind, resource, address, port, pid."""
    rows: list[dict[str, Any]] = []
    for process in all_live():
        if not process.alive:
            continue
        rows.append(
            {
                "kind": process.kind,
                "resource": process.resource,
                "address": process.address,
                "port": process.port,
                "pid": process.pid,
            }
        )
        if process.inside:
            rows.extend(process.inside())
    return rows


def close() -> None:
    """End every child, side by side; nothing can be started any more."""
    global _closed
    with _lock:
        _closed = True
    enders = [threading.Thread(target=process.end) for process in all_live()]
    for ender in enders:
        ender.start()
    for ender in enders:
        ender.join()


def open_register(path: Path) -> None:
    """Write the list of children to `path` from now on; end what an earlier list names."""
    global _register, _closed
    _closed = False
    if path.exists():
        _end_leftovers(json.loads(path.read_text() or "[]"))
    _register = path


def _end_leftovers(rows: list[dict[str, int]]) -> None:
    left = [row["pid"] for row in rows if started_at(row["pid"]) == row["started"]]
    for pid in left:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + GRACE_SECONDS
    while any(started_at(pid) is not None for pid in left):
        if time.monotonic() > deadline:
            raise ProcessError(f"processes of an earlier run cannot be ended: {left}")
        time.sleep(0.05)


def started_at(pid: int) -> int | None:
    """When a process began, in clock ticks since boot: with the pid, its identity. None: gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _write_register() -> None:
    if _register is None:
        return
    rows = [{"pid": p.pid, "started": started_at(p.pid)} for p in _live]
    fresh = _register.with_suffix(".new")
    fresh.write_text(json.dumps(rows))
    fresh.replace(_register)
