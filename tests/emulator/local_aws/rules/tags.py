"""What tags may look like, in every service that takes them at creation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..hooks import AwsError, Request, before

#: Letters, digits, spaces and _ . : / = + - @ are safe everywhere; these services take no more.
_NARROW = {"acm", "cloudfront", "elasticache", "elbv2", "iam", "rds", "ssm"}
_SAFE = re.compile(r"[\w\s.:/=+\-@]*")
_MOST = 50

_CODES = {
    "acm": "InvalidTagException",
    "autoscaling": "ValidationError",
    "cloudfront": "InvalidTagging",
    "cloudwatch": "ValidationError",
    "elbv2": "ValidationError",
    "iam": "InvalidInput",
    "rds": "InvalidParameterValue",
    "elasticache": "InvalidParameterValue",
    "s3": "InvalidTag",
    "secretsmanager": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "sns": "InvalidParameter",
    "ec2": "InvalidParameterValue",
}


def _check(request: Request) -> None:
    for tags in _lists(request.params):
        keys = [str(tag["Key"]) for tag in tags]
        code = _CODES.get(request.service, "ValidationException")
        for tag in tags:
            _one(request.service, code, str(tag["Key"]), tag.get("Value"))
        if len(set(keys)) < len(keys):
            raise AwsError(code, "Duplicate tag keys are not allowed.")
        if len(tags) > _MOST:
            raise AwsError(code, f"A resource can have {_MOST} tags at most.")


def _one(service: str, code: str, key: str, value: Any) -> None:
    if key.lower().startswith("aws:") or (service == "rds" and key.lower().startswith("rds:")):
        raise AwsError(
            code, f"Tag keys starting with '{key.split(':')[0]}:' are reserved for system use"
        )
    if len(key) > 128 or len(str(value or "")) > 256:
        raise AwsError(code, f"The tag {key} is too long.")
    if service not in _NARROW:
        return
    for text in (key, str(value or "")):
        if not _SAFE.fullmatch(text):
            raise AwsError(
                code,
                f"The tag '{key}' contains invalid characters. Allowed are letters, spaces, numbers "
                "and _ . : / = + - @",
            )


def _lists(value: Any) -> Iterator[list[dict[str, Any]]]:
    """Every list of tags in the parameters: in Tags, TagList, TagSpecifications, Tags.Items."""
    if not isinstance(value, dict):
        return
    for name, sub in value.items():
        if name in ("Tags", "TagList", "Items") and _are_tags(sub):
            yield sub
        elif name == "TagSpecifications":
            for specification in sub:
                yield from _lists(specification)
        elif isinstance(sub, dict):
            yield from _lists(sub)


def _are_tags(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(tag, dict) and "Key" in tag for tag in value)
        and all(
            set(tag) <= {"Key", "Value", "ResourceId", "ResourceType", "PropagateAtLaunch"}
            for tag in value
        )
    )


for _service in (
    "acm", "autoscaling", "cloudfront", "cloudwatch", "ec2", "elasticache",
    "elbv2", "iam", "logs", "rds", "s3", "secretsmanager", "sns", "ssm",
):  # fmt: skip
    before(_service, "*")(_check)
