"""Faults on demand: throttling, 5xx, any error by name, an answer that is lost, latency, a killed client."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from dataclasses import dataclass, field
from typing import Any

from .hooks import AwsError, Request

KINDS = (
    "throttle",
    "error500",
    "error503",
    "lost",
    "latency",
    "error",
    "kill_before",
    "kill_after",
)

#: What each service says when it is asked too often; the rest say ThrottlingException.
_THROTTLING = {
    "ec2": ("RequestLimitExceeded", 503, "Request limit exceeded."),
    "s3": ("SlowDown", 503, "Please reduce your request rate."),
    "dynamodb": (
        "ThrottlingException",
        400,
        "Rate of requests exceeds the allowed throughput.",
    ),
    "autoscaling": ("Throttling", 400, "Rate exceeded"),
    "cloudfront": ("Throttling", 400, "Rate exceeded"),
    "cloudwatch": ("Throttling", 400, "Rate exceeded"),
    "elasticache": ("Throttling", 400, "Rate exceeded"),
    "elbv2": ("Throttling", 400, "Rate exceeded"),
    "iam": ("Throttling", 400, "Rate exceeded"),
    "rds": ("Throttling", 400, "Rate exceeded"),
    "route53": ("Throttling", 400, "Rate exceeded"),
    "sns": ("Throttled", 429, "Rate exceeded"),
    "sts": ("Throttling", 400, "Rate exceeded"),
}
_KEYS = {
    "service",
    "action",
    "nth",
    "every",
    "probability",
    "seed",
    "kind",
    "ms",
    "resource",
    "code",
    "message",
    "status",
    "pid",
}


@dataclass
class Fault:
    """One rule. Without nth, every or probability it fires on every match."""

    rule: dict[str, Any]
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random)

    def matches(self, request: Request) -> bool:
        for key, actual in (("service", request.service), ("action", request.action)):
            if self.rule.get(key, "*") not in ("*", actual):
                return False
        resource = self.rule.get("resource")
        if isinstance(resource, list):
            return set(resource) <= set(request.names())
        return not resource or resource in request.text()

    def fires(self) -> bool:
        """Count a match, and decide."""
        self.seen += 1
        if "nth" in self.rule:
            hit = self.seen == self.rule["nth"]
        elif "probability" in self.rule:
            hit = self.dice.random() < self.rule["probability"]
        else:
            hit = True
        self.fired += hit
        return hit


_lock = threading.Lock()
_faults: list[Fault] = []


def add(rules: list[dict[str, Any]]) -> int:
    """Check the rules and put them in force; all or none."""
    made = []
    for rule in rules:
        if unknown := set(rule) - _KEYS:
            raise ValueError(f"unknown keys {sorted(unknown)}; known: {sorted(_KEYS)}")
        if rule.get("kind") not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        if rule["kind"] == "latency" and not isinstance(rule.get("ms"), int | float):
            raise ValueError("latency needs ms")
        if rule["kind"] == "error":
            if not rule.get("code"):
                raise ValueError("error needs code (and may have message and status)")
            rule = {"message": "Made to fail.", **rule}
        if rule["kind"].startswith("kill"):
            _check_pid(rule.get("pid"))
        made.append(Fault(rule, dice=random.Random(rule.get("seed"))))
    with _lock:
        _faults.extend(made)
    return len(made)


def _check_pid(pid: Any) -> None:
    """Only a client's: 0 and below are groups of processes, 1 is init, and this one is wanted alive."""
    if type(pid) is not int or pid <= 1 or pid == os.getpid():
        raise ValueError("a kill needs pid, the process number of the client")


def kill(pid: int) -> None:
    """End the client with nothing to be done about it; it may have ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def clear() -> None:
    with _lock:
        _faults.clear()


def _in_a_copy() -> None:
    """A copy of this process starts without faults."""
    global _lock
    _lock = threading.Lock()
    _faults.clear()


os.register_at_fork(after_in_child=_in_a_copy)


def report() -> list[dict[str, Any]]:
    with _lock:
        return [{**f.rule, "seen": f.seen, "fired": f.fired} for f in _faults]


def firing(request: Request) -> list[Fault]:
    """The faults this call meets."""
    if not _faults:
        return []
    with _lock:
        return [f for f in _faults if f.matches(request) and f.fires()]


def throttled(service: str) -> AwsError:
    """The service's own word for 'too many requests'."""
    code, status, message = _THROTTLING.get(service, ("ThrottlingException", 400, "Rate exceeded"))
    return AwsError(code, message, status)


def server_error(service: str, status: int) -> AwsError:
    """A 500 or 503 as the service words it."""
    if status == 503:
        code = "Unavailable" if service == "ec2" else "ServiceUnavailable"
        return AwsError(code, "The service is unavailable. Please try again shortly.", 503)
    code = {
        "ec2": "InternalError",
        "s3": "InternalError",
        "dynamodb": "InternalServerError",
    }
    return AwsError(
        code.get(service, "InternalFailure"),
        "The request processing has failed because of an unknown error.",
        500,
    )
