"""The local AWS's own routes, under /_local/."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from . import calls, clock, faults

Handler = Callable[[dict[str, str], Any], Any]

_routes: dict[tuple[str, str], Handler] = {}


class ControlError(Exception):
    """A mistake in a control request; answered with 400 and this text."""


def route(method: str, name: str) -> Callable[[Handler], Handler]:
    """Register fn(query, json_body) -> JSON-able for METHOD /_local/<name>."""

    def register(fn: Handler) -> Handler:
        _routes[method, name] = fn
        return fn

    return register


def handle(method: str, path: str, query: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer one control request."""
    name = path.removeprefix("/_local/").strip("/")
    handler = _routes.get((method, name))
    if handler is None:
        known = sorted({f"{m} /_local/{n}" for m, n in _routes})
        return 404, {"error": f"no such route: {method} {path}", "routes": known}
    try:
        parsed = json.loads(body) if body.strip() else None
        arguments = {key: values[-1] for key, values in parse_qs(query).items()}
        return 200, handler(arguments, parsed)
    except (ControlError, json.JSONDecodeError, KeyError, ValueError) as error:
        return 400, {"error": f"{type(error).__name__}: {error}"}


@route("GET", "health")
def _health(_query: dict[str, str], _body: Any) -> Any:
    return {"status": "ok", "time_scale": clock.scale}


@route("GET", "calls")
def _calls(query: dict[str, str], _body: Any) -> Any:
    return calls.report(with_list=query.get("list", "0") not in ("0", "false", ""))


@route("DELETE", "calls")
def _forget_calls(_query: dict[str, str], _body: Any) -> Any:
    calls.clear()
    return {}


@route("GET", "faults")
def _faults(_query: dict[str, str], _body: Any) -> Any:
    return {"faults": faults.report()}


@route("POST", "faults")
def _add_faults(_query: dict[str, str], body: Any) -> Any:
    rules = body if isinstance(body, list) else [body]
    if not all(isinstance(rule, dict) for rule in rules):
        raise ControlError("a fault is a JSON object, or a list of them")
    return {"added": faults.add(rules)}


@route("DELETE", "faults")
def _clear_faults(_query: dict[str, str], _body: Any) -> Any:
    faults.clear()
    return {}


@route("POST", "stop")
def _stop(_query: dict[str, str], _body: Any) -> Any:
    # The application ends the process once this is answered.
    return {}


@route("GET", "processes")
def _processes(_query: dict[str, str], _body: Any) -> Any:
    # The data plane registers its own answer; without it there are none.
    return {"processes": []}
