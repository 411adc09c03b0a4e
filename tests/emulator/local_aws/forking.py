"""`POST /_local/fork`: a copy of this process with the same state, on a port of its own.

A copy lives until it is told to stop or the process that made it ends: the two hold the ends of a pair of
sockets, and the one that is left reads the end of the other. Memory is shared until it is written to.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from . import clock, control, hooks, server, snapshot

#: Seconds until a copy must have answered.
_PATIENCE = 60

_app: Any = None


class Copy:
    """A child of this process, and our end of the sockets between the two."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self.lock = threading.Lock()

    def ask(self, question: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a line if there is one, and read one."""
        with self.lock:
            self.channel.settimeout(_PATIENCE)
            if question is not None:
                send(self.channel, question)
            answer = read_line(self.channel)
        if not answer:
            raise control.ControlError("the copy has ended")
        return json.loads(answer)

    def wait(self) -> None:
        """Until it has ended."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def dismiss(self) -> None:
        """It ends, and all that it made."""
        self.channel.close()
        _copies.discard(self)
        self.wait()


#: Kept, for a copy ends with our end of its sockets.
_copies: set[Copy] = set()
#: In a copy: the timers as they stood when it was made; time does not pass while it is dormant.
_timers: list[tuple[float, Callable[[], None]]] | None = None


def attach(app: Any) -> None:
    """The application that copies serve."""
    global _app
    _app = app


def copy(life: Callable[[socket.socket], NoReturn]) -> Copy:
    """Fork while no call is being executed and no timer runs. The child lives `life(its end of the sockets)`."""
    snapshot.allowed()
    ours, theirs = socket.socketpair()
    while True:
        with hooks.lock, clock.held() as idle:
            if idle:
                # What lives now would be written to, and so copied, by every collection.
                gc.freeze()
                pid = os.fork()
                break
        time.sleep(0.001)
    if pid == 0:
        _begin(theirs)
        life(theirs)
    theirs.close()
    made = Copy(pid, ours)
    _copies.add(made)
    return made


def _begin(channel: socket.socket) -> None:
    """Let go of what belongs to the parent: its signals, its connections, the sockets to its other copies."""
    global _timers
    if _timers is None:
        _timers = clock.pending()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # Nobody waits for the children of a copy.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _copies.clear()
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        with contextlib.suppress(OSError):
            if number != channel.fileno() and stat.S_ISSOCK(os.fstat(number).st_mode):
                # Objects of the parent's threads still know the number: it must not be given out again.
                os.dup2(nothing, number)


def serve(channel: socket.socket) -> NoReturn:
    """The life of a copy that answers calls."""
    global _timers
    _app.ending = threading.Event()
    clock.restore(_timers or [])
    _timers = None
    listener = server.listen(_app.args.host, 0, _app)
    url = server.serve(listener, _app)
    threading.Thread(target=_end_with_parent, args=(channel,), daemon=True).start()
    send(channel, {"url": url, "pid": os.getpid()})
    _app.ending.wait()
    os._exit(0)


def _end_with_parent(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        channel.recv(1)
    os._exit(0)


def send(channel: socket.socket, value: dict[str, Any]) -> None:
    channel.sendall(json.dumps(value).encode() + b"\n")


def read_line(channel: socket.socket) -> bytes:
    """One line without its end; nothing if the other side has ended."""
    line = b""
    while not line.endswith(b"\n"):
        part = channel.recv(4096)
        if not part:
            return b""
        line += part
    return line.rstrip(b"\n")
