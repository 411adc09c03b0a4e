"""The WSGI layer in front of moto: parse, count, fault, check, answer, remember."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from http.client import responses
from types import ModuleType
from typing import Any

from werkzeug.wsgi import ClosingIterator

from . import (
    calls,
    control,
    faults,
    forking,
    hooks,
    moto_app,
    recording,
    render,
    snapshot,
    speed,
    tokens,
    validate,
)
from . import request as requests
from .hooks import AwsError, Request
from .render import Answer
from .request import Malformed

StartResponse = Callable[..., Any]


class LocalAws:
    """The application. `start` imports the hooks; `stop` ends what they started."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.parts: list[ModuleType] = []
        #: set when this process is to end
        self.ending = threading.Event()
        forking.attach(self)

    def start(self) -> None:
        """Import every module of the parts in use, then call their start(args)."""
        names = ["rules", "gaps"]
        if not self.args.control_plane_only:
            names.append("dataplane")
            snapshot.forbid("processes cannot be snapshotted: use --control-plane-only")
        for name in names:
            package = importlib.import_module(f"{__package__}.{name}")
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{package.__name__}.{module.name}")
            self.parts.append(package)
        speed.apply()
        for part in self.parts:
            if hasattr(part, "start"):
                part.start(self.args)

    def stop(self) -> None:
        """Stop the parts, last started first; one failure does not keep the others."""
        while self.parts:
            part = self.parts.pop()
            try:
                if hasattr(part, "stop"):
                    part.stop()
            except Exception:
                traceback.print_exc(file=sys.stderr)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        body = requests.read_body(environ)
        path = environ.get("PATH_INFO", "/")
        if path.startswith("/_local/"):
            answer = _control(environ, path, body)
        else:
            try:
                answer = self._answer(environ, body)
            except _Dropped:
                return _drop(environ)
        headers = [
            (key, value)
            for key, value in answer.headers
            if key.lower() not in ("content-length", "connection")
        ]
        if environ["REQUEST_METHOD"] == "HEAD":
            headers += [
                header for header in answer.headers if header[0].lower() == "content-length"
            ]
        else:
            headers.append(("Content-Length", str(len(answer.body))))
        start_response(f"{answer.status} {_phrase(answer.status)}", headers)
        if path == "/_local/stop" and answer.ok:
            return ClosingIterator([answer.body], self.ending.set)
        return [answer.body]

    def _answer(self, environ: dict[str, Any], body: bytes) -> Answer:
        try:
            with hooks.lock:
                request = requests.parse(environ, body)
        except Malformed as refusal:
            entry = calls.record(refusal.request)
            entry["status"], entry["code"] = refusal.status, refusal.code
            return render.error(refusal.request, refusal)
        if request is None:
            with hooks.lock:
                return hooks.answer_unsigned(environ) or moto_app.call(environ, body, None)
        entry = calls.record(request)
        answer = _with_faults(environ, request)
        entry["status"], entry["code"] = answer.status, answer.code
        entry["refused_by"] = None if answer.ok else request.notes.get("checked_by")
        return answer


class _Dropped(Exception):
    """No answer may arrive, whether or not the call was executed."""


def _with_faults(environ: dict[str, Any], request: Request) -> Answer:
    lost, killed = False, 0
    for fault in faults.firing(request):
        match fault.rule["kind"]:
            case "latency":
                time.sleep(fault.rule["ms"] / 1000)
            case "throttle":
                return render.error(request, faults.throttled(request.service))
            case "error500":
                return render.error(request, faults.server_error(request.service, 500))
            case "error503":
                return render.error(request, faults.server_error(request.service, 503))
            case "error":
                rule = fault.rule
                refusal = AwsError(rule["code"], rule["message"], rule.get("status", 400))
                return render.error(request, refusal)
            case "lost":
                lost = True
            case "kill_before":
                faults.kill(fault.rule["pid"])
                raise _Dropped
            case "kill_after":
                killed = fault.rule["pid"]
    recording.arriving(request)
    request.notes["checked_by"] = "rules"
    try:
        with ExitStack() as stack:
            for guard in hooks.guards(request.service, request.action):
                stack.enter_context(guard(request))
            with hooks.lock:
                answer = _execute(environ, request)
    except AwsError as refusal:
        answer = render.error(request, refusal)
    if killed:
        faults.kill(killed)
    if lost or killed:
        raise _Dropped
    return answer


def _execute(environ: dict[str, Any], request: Request) -> Answer:
    """Check, run and remember one call, under the lock."""
    try:
        request.notes["checked_by"] = "model"
        validate.check(request)
        request.notes["checked_by"] = "rules"
        replayed = tokens.replay(request)
        if replayed is not None:
            return replayed
        for check in hooks.befores(request.service, request.action):
            check(request)
        del request.notes["checked_by"]
        instead = hooks.replacement(request.service, request.action)
        if instead is not None:
            answer = render.result(request, instead(request))
        else:
            answer = moto_app.call(environ, request.body, request)
    except AwsError as refusal:
        return render.error(request, refusal)
    except NotImplementedError as error:
        missing = str(error) or f"{request.service} {request.action}"
        return render.error(request, AwsError("NotImplemented", missing, 501))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        internal = AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500)
        return render.error(request, internal)
    if answer.ok:
        tokens.remember(request, answer)
        _run_afters(request, answer)
    return answer


def _run_afters(request: Request, answer: Answer) -> None:
    effects = hooks.afters(request.service, request.action)
    if not effects:
        return
    result = moto_app.read(request, answer)
    for effect in effects:
        try:
            effect(request, result)
        except Exception:
            # The call has succeeded and its caller is told so; the log has the rest.
            traceback.print_exc(file=sys.stderr)


def _control(environ: dict[str, Any], path: str, body: bytes) -> Answer:
    status, value = control.handle(
        environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), body
    )
    text = json.dumps(value, default=str) + "\n"
    return Answer(status, [("Content-Type", "application/json")], text.encode())


def _drop(environ: dict[str, Any]) -> Iterable[bytes]:
    """Close the connection under the client's feet."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("answer dropped on request")


def _phrase(status: int) -> str:
    return responses.get(status, "Unknown")
