"""`POST /_local/snapshot` and `restore`: all of moto's state, in memory, by name.

Backends stay the objects they are, for everything refers to them; what they hold is copied in
one go, so that references between services survive. Timers under way are copied with it.
Processes cannot be: with a data plane both are refused.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import cloudpickle
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

from . import clock, control, hooks, tokens

#: Kept by reference: what cannot be copied, or must not be.
_BY_REFERENCE_MODULES = ("_thread", "_io", "threading", "cryptography", "moto.core.model")
_BY_REFERENCE = (BaseBackend, BackendDict, AccountSpecificBackend)

#: State outside of moto: how to read it and how to put it back.
_extra: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "tokens": (tokens.snapshot, tokens.restore),
    "timers": (clock.pending, clock.restore),
}
_kept: dict[str, tuple[bytes, list[Any]]] = {}
_forbidden: list[str] = []


def keep_also(name: str, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
    """Register state of a module's own; call it on import."""
    _extra[name] = (read, write)


def forbid(reason: str) -> None:
    """Refuse snapshots, and copies of the process, from now on."""
    _forbidden.append(reason)


class _Pickler(cloudpickle.Pickler):
    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.references: list[Any] = []
        self._known: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> int | None:
        kind = type(obj)
        if not (
            isinstance(obj, _BY_REFERENCE) or kind.__module__.startswith(_BY_REFERENCE_MODULES)
        ):
            return None
        if id(obj) not in self._known:
            self._known[id(obj)] = len(self.references)
            self.references.append(obj)
        return self._known[id(obj)]


class _Unpickler(cloudpickle.pickle.Unpickler):
    def __init__(self, data: bytes, references: list[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self.references = references

    def persistent_load(self, number: int) -> Any:
        return self.references[number]


def _backends() -> list[Any]:
    return [
        backend
        for service in BackendDict._instances
        for account in service.values()
        for backend in account.values()
    ]


@control.route("POST", "snapshot")
def take(_query: dict[str, str], body: Any) -> Any:
    name = _name(body)
    with hooks.lock, _deep():
        backends = _backends()
        state = {
            "services": [(s, vars(s).copy()) for s in BackendDict._instances],
            "backends": [(b, vars(b).copy()) for b in backends],
            "extra": {key: read() for key, (read, _) in _extra.items()},
        }
        file = io.BytesIO()
        pickler = _Pickler(file)
        pickler.dump(state)
        _kept[name] = (file.getvalue(), pickler.references)
    return {"name": name, "backends": len(backends), "bytes": len(file.getvalue())}


@control.route("POST", "restore")
def restore(_query: dict[str, str], body: Any) -> Any:
    name = _name(body)
    if name not in _kept:
        raise control.ControlError(f"no snapshot is called {name}")
    with hooks.lock, _deep():
        state = _Unpickler(*_kept[name]).load()
        known = {id(backend) for backend, _ in state["backends"]}
        for backend in _backends():
            if id(backend) not in known:
                backend.reset()
        for owner, values in [*state["services"], *state["backends"]]:
            owner.__dict__.clear()
            owner.__dict__.update(values)
        for key, value in state["extra"].items():
            _extra[key][1](value)
    return {"name": name, "backends": len(state["backends"])}


def allowed() -> None:
    """Raise if there is state that memory does not hold."""
    if _forbidden:
        raise control.ControlError(_forbidden[0])


def _name(body: Any) -> str:
    allowed()
    return str((body or {}).get("name", "default"))


class _deep:
    """Pickling follows references from thing to thing, a long way."""

    def __enter__(self) -> None:
        self.limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(self.limit, 100_000))

    def __exit__(self, *_: object) -> None:
        sys.setrecursionlimit(self.limit)
