"""`POST /_local/recording`: from now on a dormant copy of this process is kept for each mutating call.

Each is the state just before its call. `POST /_local/fork {"recorded": N}` makes a copy of it that answers, as often
as wanted; without a number, of the state that is.
"""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass
from typing import Any, NoReturn

from . import calls, control, forking, snapshot
from .hooks import Request


@dataclass
class Moment:
    """A mutating call, and the dormant copy made before it."""

    call: dict[str, Any]
    dormant: forking.Copy


_lock = threading.Lock()
_moments: list[Moment] = []
_on = False


def arriving(request: Request) -> None:
    """Keep a copy if this is recorded."""
    if not _on or not calls.is_mutating(request.action) or request.params.get("DryRun"):
        return
    call = {
        "service": request.service,
        "action": request.action,
        "region": request.region,
        "resource": request.names(),
    }
    dormant = forking.copy(_sleep)
    with _lock:
        _moments.append(Moment(call, dormant))


def _sleep(channel: socket.socket) -> NoReturn:
    """The life of a dormant copy: make copies of itself when asked, and end with the one that made it."""
    while forking.read_line(channel):
        forking.send(channel, forking.copy(forking.serve).ask())
    os._exit(0)


def _in_a_copy() -> None:
    """A copy of this process records nothing, and its parent's copies are not its own."""
    global _lock, _on
    _lock, _on = threading.Lock(), False
    _moments.clear()


os.register_at_fork(after_in_child=_in_a_copy)


@control.route("POST", "fork")
def fork(_query: dict[str, str], body: Any) -> Any:
    """A copy of the state that is, or of the one just before a recorded call."""
    number = (body or {}).get("recorded")
    if number is None:
        made = forking.copy(forking.serve)
        threading.Thread(target=made.wait, daemon=True).start()
        return made.ask()
    with _lock:
        if not isinstance(number, int) or not 0 <= number < len(_moments):
            raise control.ControlError(f"{len(_moments)} calls are recorded, counted from 0")
        dormant = _moments[number].dormant
    return dormant.ask({})


@control.route("POST", "recording")
def begin(_query: dict[str, str], _body: Any) -> Any:
    global _on
    snapshot.allowed()
    _on = True
    return {}


@control.route("GET", "recording")
def report(_query: dict[str, str], _body: Any) -> Any:
    with _lock:
        return {"on": _on, "calls": [moment.call for moment in _moments]}


@control.route("DELETE", "recording")
def forget(_query: dict[str, str], _body: Any) -> Any:
    global _on
    _on = False
    with _lock:
        moments, _moments[:] = _moments[:], []
    for moment in moments:
        moment.dormant.dismiss()
    return {}
