"""Every constraint of botocore's models is held to, for every operation of the services that the topology needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from local_aws import validate
from moto.core.utils import get_service_model

SERVICES = [
    "acm", "autoscaling", "cloudfront", "cloudwatch", "dynamodb", "ec2", "elasticache", "elbv2", "iam",
    "logs", "rds", "route53", "s3", "secretsmanager", "sns", "ssm", "sts",
]  # fmt: skip

#: A longer text is not made for a test.
LONGEST = 100_000
#: What few patterns let through.
STRANGE = ["\x00", "", " ", "\n", "~", "é", "a b", "-", "0", "x" * 3000]

#: Turns the value of a member into a whole request.
Wrap = Callable[[Any], dict[str, Any]]
Wrong = tuple[str, str, dict[str, Any]]


def wrong_ones(service: str, shape: Any, path: str, wrap: Wrap, inside: tuple[str, ...]) -> Iterator[Wrong]:
    """The kind of problem, the member's path and a request, for each constraint below `shape`."""
    if shape.name in inside or (shape.type_name == "structure" and shape.is_document_type):
        return
    inside = (*inside, shape.name)
    if shape.type_name == "structure":
        for name in shape.required_members:
            if (service, name) not in validate._OPTIONAL and not may_be_empty(service, shape.members[name]):
                yield "required", validate._join(path, name), wrap({})
        for name, member in shape.members.items():
            nested = validate._join(path, name)
            yield from wrong_ones(service, member, nested, lambda v, n=name: wrap({n: v}), inside)
    elif shape.type_name == "list":
        yield from lengths(shape, path, wrap, [], lambda count: ["x"] * count)
        yield from wrong_ones(service, shape.member, f"{path}.1.member", lambda v: wrap([v]), inside)
    elif shape.type_name == "map":
        yield from lengths(shape, path, wrap, {}, lambda count: {str(n): "x" for n in range(count)})
        yield from wrong_ones(service, shape.value, f"{path}.k.member", lambda v: wrap({"k": v}), inside)
    elif shape.type_name in ("string", "blob"):
        yield from texts(service, shape, path, wrap)
    elif shape.type_name in ("integer", "long", "float", "double"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None:
            yield "range", path, wrap(low - 1)
        if high is not None:
            yield "range", path, wrap(high + 1)


def may_be_empty(service: str, shape: Any) -> bool:
    return validate._compiler(service)._may_be_empty(shape)


def lengths(shape: Any, path: str, wrap: Wrap, empty: Any, make: Callable[[int], Any]) -> Iterator[Wrong]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low:
        yield "length", path, wrap(empty)
    if high is not None and high < LONGEST:
        yield "length", path, wrap(make(high + 1))


def texts(service: str, shape: Any, path: str, wrap: Wrap) -> Iterator[Wrong]:
    if (service, shape.name) in validate._ELSEWHERE:
        return
    yield from lengths(shape, path, wrap, "", lambda count: "x" * count)
    if shape.type_name == "blob":
        return
    if shape.enum:
        yield "enum", path, wrap("no such value")
    if source := shape.metadata.get("pattern"):
        compiled = validate.pattern(source)
        assert compiled is not None, f"{service} {path}: the pattern {source} cannot be had"
        strange = next((text for text in STRANGE if not compiled.fullmatch(text)), None)
        if strange is not None:
            yield "pattern", path, wrap(strange)


@pytest.mark.parametrize("service", SERVICES)
def test_every_constraint_is_held_to(service: str) -> None:
    model = get_service_model(service)
    counts: Counter[str] = Counter()
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        if shape is None:
            continue
        check = validate._compiler(service).compile(shape)
        for kind, path, request in wrong_ones(service, shape, "", lambda v: v, ()):
            assert check is not None, f"{name} has constraints, and nothing checks them"
            problems: list[validate.Problem] = []
            check(request, "", problems)
            found = any(p.kind == kind and p.path == path for p in problems)
            assert found, f"{service} {name}: {kind} of {path} is not held to: {request!r:.200}"
            counts[kind] += 1
    print(f"{service}: {sum(counts.values())} wrong requests refused {dict(counts)}")
    assert counts
