"""Bucket policies: who asks, and under which conditions, counts. moto looks at neither."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from .patching import wrap


@dataclass
class Caller:
    """Who asks: `AWS` with an ARN, or `Service` with its name; condition keys in lower case."""

    kind: str
    name: str
    #: plain HTTP on the loopback stands for TLS
    context: dict[str, str] = field(default_factory=lambda: {"aws:securetransport": "true"})


def _same(pattern: str, value: str) -> bool:
    return pattern == value


def _like(pattern: str, value: str) -> bool:
    return fnmatchcase(value, pattern.replace("[", "[[]"))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _same,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda pattern, value: pattern.lower() == value.lower(),
}


def _list(value: Any) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value])]


def _is_meant(statement: dict[str, Any], caller: Caller) -> bool:
    principal = statement.get("Principal")
    if principal == "*":
        return True
    named = _list((principal or {}).get(caller.kind, []))
    account = caller.name.split(":")[4] if caller.kind == "AWS" else None
    same = {caller.name, account, f"arn:aws:iam::{account}:root", "*"}
    return any(name in same for name in named)


def _holds(statement: dict[str, Any], caller: Caller) -> bool:
    for operator, tests in (statement.get("Condition") or {}).items():
        if operator not in _OPERATORS:
            raise NotImplementedError(f"the condition {operator} in a bucket policy")
        for key, patterns in tests.items():
            value = caller.context.get(key.lower())
            test = _OPERATORS[operator]
            if value is None or not any(test(pattern, value) for pattern in _list(patterns)):
                return False
    return True


def decide(bucket: FakeBucket, caller: Caller, action: str, resource: str) -> PermissionResult:
    """What the bucket's policy says: a denial, a permission, or nothing."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    decision = PermissionResult.NEUTRAL
    for statement in json.loads(bucket.policy)["Statement"]:
        actions, resources = _list(statement["Action"]), _list(statement["Resource"])
        if not any(_like(pattern, action) for pattern in actions):
            continue
        if not any(_like(pattern, resource) for pattern in resources):
            continue
        if not _is_meant(statement, caller) or not _holds(statement, caller):
            continue
        if statement["Effect"] == "Deny":
            return PermissionResult.DENIED
        decision = PermissionResult.PERMITTED
    return decision


@wrap(FakeBucket, "get_permission")
def _get_permission(_original: Any, self: FakeBucket, action: str, resource: str) -> Any:
    owner = Caller("AWS", f"arn:aws:iam::{self.account_id}:root")
    return decide(self, owner, action, resource)
