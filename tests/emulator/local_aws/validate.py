"""Checks every request against botocore's model: required, length, pattern, enum, range, types.

The checks of an operation are compiled once. What does not need checking compiles to nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import regex

from . import wording
from .hooks import Request


@dataclass(frozen=True)
class Problem:
    """One member that breaks its model."""

    path: str
    value: Any
    #: required, length, pattern, enum, range or type
    kind: str
    text: str


Check = Callable[[Any, str, list[Problem]], None]

#: EC2 and S3 check these themselves, later and with codes of their own: see rules/.
_ELSEWHERE = {("s3", "BucketLocationConstraint")}

#: Members botocore's model requires and the service does not.
_OPTIONAL = {
    # Derived from the connection when a client leaves it out.
    ("s3", "AccountId"),
}

_FORM_ENCODED = {
    "autoscaling",
    "ec2",
    "elasticache",
    "elbv2",
    "iam",
    "rds",
    "sns",
    "sts",
}

_SURROGATES = "\\uD800\\uDC00-\\uDBFF\\uDFFF"


def check(request: Request) -> None:
    """Raise the service's own error if the request breaks its model."""
    if request.operation is None or request.operation.input_shape is None:
        return
    shape = request.operation.input_shape
    compiled = _compiler(request.service).compile(shape)
    if compiled is None:
        return
    problems: list[Problem] = []
    compiled(request.params, "", problems)
    if problems:
        raise wording.refusal(request, problems)


@functools.cache
def _compiler(service: str) -> _Compiler:
    return _Compiler(service)


@functools.lru_cache(maxsize=4096)
def pattern(text: str) -> Any | None:
    """A model's pattern, which is Java's dialect. None where it cannot be had here."""
    try:
        return regex.compile(text.replace(_SURROGATES, "\\U00010000-\\U0010FFFF"))
    except regex.error:
        return None


class _Compiler:
    def __init__(self, service: str) -> None:
        self.service = service
        self.done: dict[str, Check | None] = {}
        self.under_way: set[str] = set()

    def compile(self, shape: Any) -> Check | None:
        """The check for a shape; shapes may contain themselves."""
        name = shape.name
        if name in self.done:
            return self.done[name]
        if name in self.under_way:
            return lambda value, path, problems: self._late(name, value, path, problems)
        self.under_way.add(name)
        maker = getattr(self, f"_{shape.type_name}", None)
        made = maker(shape) if maker else None
        self.under_way.discard(name)
        self.done[name] = made
        return made

    def _late(self, name: str, value: Any, path: str, problems: list[Problem]) -> None:
        made = self.done.get(name)
        if made is not None:
            made(value, path, problems)

    def _structure(self, shape: Any) -> Check | None:
        if shape.is_document_type:
            return None
        required = [
            name
            for name in shape.required_members
            if (self.service, name) not in _OPTIONAL and not self._may_be_empty(shape.members[name])
        ]
        members = [
            (name, member)
            for name, sub in shape.members.items()
            if (member := self.compile(sub)) is not None
        ]
        if not required and not members:
            return None

        def run(value: Any, path: str, problems: list[Problem]) -> None:
            if not isinstance(value, dict):
                problems.append(Problem(path, value, "type", "a structure"))
                return
            for name in required:
                if value.get(name) is None:
                    problems.append(Problem(_join(path, name), None, "required", ""))
            for name, member in members:
                if (sub := value.get(name)) is not None:
                    member(sub, _join(path, name), problems)

        return run

    def _may_be_empty(self, shape: Any) -> bool:
        """Form encoding drops a structure without members: nobody can tell it from a missing one."""
        return (
            self.service in _FORM_ENCODED
            and shape.type_name == "structure"
            and not shape.required_members
        )

    def _list(self, shape: Any) -> Check | None:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        member = self.compile(shape.member)
        if low is None and high is None and member is None:
            return None

        def run(value: Any, path: str, problems: list[Problem]) -> None:
            if not isinstance(value, list):
                problems.append(Problem(path, value, "type", "a list"))
                return
            _length(value, path, low, high, problems)
            if member is not None:
                for index, item in enumerate(value, 1):
                    member(item, f"{path}.{index}.member", problems)

        return run

    def _map(self, shape: Any) -> Check | None:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        key, item = self.compile(shape.key), self.compile(shape.value)
        if low is None and high is None and key is None and item is None:
            return None

        def run(value: Any, path: str, problems: list[Problem]) -> None:
            if not isinstance(value, dict):
                problems.append(Problem(path, value, "type", "a map"))
                return
            _length(value, path, low, high, problems)
            for name, sub in value.items():
                if key is not None:
                    key(name, path, problems)
                if item is not None and sub is not None:
                    item(sub, f"{path}.{name}.member", problems)

        return run

    def _string(self, shape: Any) -> Check | None:
        if (self.service, shape.name) in _ELSEWHERE:
            return None
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        allowed = frozenset(shape.enum or ())
        listed = list(shape.enum or ())
        source = shape.metadata.get("pattern")
        compiled = pattern(source) if source else None

        def run(value: Any, path: str, problems: list[Problem]) -> None:
            if not isinstance(value, str):
                # A header that holds JSON is parsed already; anything else is of a wrong type.
                if not isinstance(value, dict | list):
                    problems.append(Problem(path, value, "type", "a string"))
                return
            _length(value, path, low, high, problems)
            if allowed and value not in allowed:
                text = f"Member must satisfy enum value set: [{', '.join(listed)}]"
                problems.append(Problem(path, value, "enum", text))
            if compiled is not None and not compiled.fullmatch(value):
                text = f"Member must satisfy regular expression pattern: {source}"
                problems.append(Problem(path, value, "pattern", text))

        return run

    def _integer(self, shape: Any) -> Check | None:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")

        def run(value: Any, path: str, problems: list[Problem]) -> None:
            if isinstance(value, bool) or not isinstance(value, int | float):
                problems.append(Problem(path, value, "type", "a number"))
                return
            if low is not None and value < low:
                text = f"Member must have value greater than or equal to {low}"
                problems.append(Problem(path, value, "range", text))
            if high is not None and value > high:
                text = f"Member must have value less than or equal to {high}"
                problems.append(Problem(path, value, "range", text))

        return run

    _long = _float = _double = _integer

    def _blob(self, shape: Any) -> Check | None:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is None and high is None:
            return None

        def run(value: Any, path: str, problems: list[Problem]) -> None:
            if isinstance(value, bytes | str):
                _length(value, path, low, high, problems)

        return run

    def _boolean(self, _shape: Any) -> Check | None:
        def run(value: Any, path: str, problems: list[Problem]) -> None:
            if not isinstance(value, bool):
                problems.append(Problem(path, value, "type", "a boolean"))

        return run


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _length(
    value: Any, path: str, low: int | None, high: int | None, problems: list[Problem]
) -> None:
    if low is not None and len(value) < low:
        text = f"Member must have length greater than or equal to {low}"
        problems.append(Problem(path, value, "length", text))
    if high is not None and len(value) > high:
        text = f"Member must have length less than or equal to {high}"
        problems.append(Problem(path, value, "length", text))
