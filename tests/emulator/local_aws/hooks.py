"""The seam: how rules, gaps and the data plane attach themselves to AWS actions.

    @before("ec2", "DeleteSubnet")       fn(req): may raise AwsError; runs after validation, before moto
    @instead("rds", "DescribeX")         fn(req) -> dict in the words of botocore's output shape, in place of moto
    @after("rds", "CreateDBInstance")    fn(req, result): effects only, after a successful answer
    @guard("s3", "PutBucketPolicy")      fn(req): a context manager around the call, outside of the lock

Hooks run under `lock`, which guards all of moto's state: they must not block. What takes
time (starting a process, say) belongs in a thread or in `clock.later`.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

#: Guards moto's state. Re-entrant, so a hook may call what takes it again.
lock = threading.RLock()


class AwsError(Exception):
    """A refusal, rendered in the protocol of the service that was called."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        #: further members of the error's shape, such as S3's BucketName
        self.extra = extra or {}


@dataclass
class Request:
    """One call, whatever protocol it came in."""

    service: str
    action: str
    params: dict[str, Any]
    region: str
    account: str
    headers: dict[str, str]
    access_key: str = ""
    #: the protocol the caller speaks: ec2, query, json, rest-xml, rest-json, smithy-rpc-v2-cbor
    protocol: str = ""
    #: botocore's operation model (through moto's subclass); None if the action is unknown
    operation: Any = None
    body: bytes = b""
    path: str = "/"
    #: hooks of one call may leave each other notes here
    notes: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The request as a caller would recognise it; faults match their resource in it."""
        body = self.body[:65536].decode("utf-8", "replace")
        return f"{self.path}\n{self.params!r}\n{body}"

    def names(self) -> list[str]:
        """The scalars among its parameters that tell this call from others of its action, run after run."""
        return sorted(set(_scalars(self.params)))


#: Members that differ from run to run.
_VOLATILE = re.compile("Token$|CallerReference$|Password$|SecretString|^Content|^Checksum|^If|^VersionId")
#: Longer ones are documents.
_LONGEST_NAME = 200


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for member, inner in value.items():
            if not _VOLATILE.search(str(member)):
                yield from _scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _scalars(inner)
    elif isinstance(value, str | int | float) and len(str(value)) <= _LONGEST_NAME:
        yield str(value)


Before = Callable[[Request], None]
Instead = Callable[[Request], dict[str, Any] | None]
After = Callable[[Request, dict[str, Any] | None], None]

_before: dict[tuple[str, str], list[Before]] = defaultdict(list)
_after: dict[tuple[str, str], list[After]] = defaultdict(list)
_instead: dict[tuple[str, str], Instead] = {}


def before(service: str, *actions: str) -> Callable[[Before], Before]:
    """Run ahead of moto; `"*"` stands for every action of the service."""

    def register(fn: Before) -> Before:
        for action in actions:
            _before[service, action].append(fn)
        return fn

    return register


def after(service: str, *actions: str) -> Callable[[After], After]:
    """Run once the call has succeeded (2xx); the answer stays what it was."""

    def register(fn: After) -> After:
        for action in actions:
            _after[service, action].append(fn)
        return fn

    return register


def instead(service: str, *actions: str) -> Callable[[Instead], Instead]:
    """Answer in moto's place. The later registration wins."""

    def register(fn: Instead) -> Instead:
        for action in actions:
            _instead[service, action] = fn
        return fn

    return register


Guard = Callable[[Request], AbstractContextManager[None]]

_guards: dict[tuple[str, str], list[Guard]] = defaultdict(list)


def guard(service: str, *actions: str) -> Callable[[Guard], Guard]:
    """A context manager around the whole call, outside of the lock: entering it may raise AwsError."""

    def register(fn: Guard) -> Guard:
        for action in actions:
            _guards[service, action].append(fn)
        return fn

    return register


#: Answers to what is no signed call; None: not mine.
Unsigned = Callable[[dict[str, Any]], Any]

_unsigned: list[Unsigned] = []


def unsigned(fn: Unsigned) -> Unsigned:
    """Look at a request (its WSGI environment) that nobody signed, ahead of moto."""
    _unsigned.append(fn)
    return fn


def answer_unsigned(environ: dict[str, Any]) -> Any:
    """The first answer that one of them has."""
    return next((answer for fn in _unsigned if (answer := fn(environ)) is not None), None)


def guards(service: str, action: str) -> list[Guard]:
    return _guards.get((service, action), [])


def befores(service: str, action: str) -> list[Before]:
    return _before.get((service, "*"), []) + _before.get((service, action), [])


def afters(service: str, action: str) -> list[After]:
    return _after.get((service, "*"), []) + _after.get((service, action), [])


def replacement(service: str, action: str) -> Instead | None:
    return _instead.get((service, action))
