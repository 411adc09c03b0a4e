"""Idempotency tokens, remembered past the deletion of what they made.

AWS answers a repeated token with the first answer, whether or not the thing still lives, and
refuses it when the parameters differ. A caller reference of Route 53 or CloudFront is refused
in either case: it may be used once.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from . import clock
from .hooks import AwsError, Request
from .render import Answer


@dataclass(frozen=True)
class Kind:
    """How one action treats its token."""

    member: str
    #: refusal of a token that comes back with other parameters: code, message, HTTP status
    mismatch: tuple[str, str, int]
    #: seconds of AWS's time; None: for as long as this process lives
    lifetime: float | None = None
    #: the same parameters are refused too
    once: bool = False
    #: further members that a token is scoped by
    scope: tuple[str, ...] = ()


_EC2 = Kind(
    "ClientToken",
    (
        "IdempotentParameterMismatch",
        "The request uses the same client token as a previous, but non-identical request. "
        "Do not reuse a client token with different requests, unless the requests are identical",
        400,
    ),
)
_KINDS: dict[tuple[str, str], Kind] = {
    ("secretsmanager", "CreateSecret"): Kind(
        "ClientRequestToken",
        (
            "ResourceExistsException",
            "The operation failed because a version with this client request token already "
            "exists with different contents.",
            400,
        ),
        scope=("Name",),
    ),
    ("acm", "RequestCertificate"): Kind(
        "IdempotencyToken",
        (
            "InvalidParameterException",
            "The idempotency token was used with different parameters.",
            400,
        ),
        lifetime=3600,
    ),
    ("route53", "CreateHostedZone"): Kind(
        "CallerReference",
        (
            "HostedZoneAlreadyExists",
            "A hosted zone has already been created with the specified caller reference.",
            409,
        ),
        once=True,
    ),
    ("cloudfront", "CreateDistribution"): Kind(
        "DistributionConfig.CallerReference",
        (
            "DistributionAlreadyExists",
            "The caller reference that you are using to create a distribution is associated "
            "with another distribution. Already exists.",
            409,
        ),
        once=True,
    ),
    ("cloudfront", "CreateDistributionWithTags"): Kind(
        "DistributionConfigWithTags.DistributionConfig.CallerReference",
        (
            "DistributionAlreadyExists",
            "The caller reference that you are using to create a distribution is associated "
            "with another distribution. Already exists.",
            409,
        ),
        once=True,
    ),
    ("cloudfront", "CreateInvalidation"): Kind(
        "InvalidationBatch.CallerReference",
        (
            "InvalidArgument",
            "Your request contains a caller reference that was used for a previous "
            "invalidation batch for the same distribution.",
            400,
        ),
        scope=("DistributionId",),
    ),
    ("dynamodb", "TransactWriteItems"): Kind(
        "ClientRequestToken",
        (
            "IdempotentParameterMismatchException",
            "The request uses the same client token as a previous, but non-identical request.",
            400,
        ),
        lifetime=600,
    ),
}
#: One space of caller references for both ways of making a distribution.
_SAME_AS = {"CreateDistributionWithTags": "CreateDistribution"}


@dataclass
class _Memory:
    digest: str
    answer: Answer
    forgotten_at: float | None


_memory: dict[tuple[str, ...], _Memory] = {}


def replay(request: Request) -> Answer | None:
    """The first answer if the token is known; a refusal if its parameters differ."""
    found = _key(request)
    if found is None:
        return None
    key, kind = found
    known = _memory.get(key)
    if known is None:
        return None
    if known.forgotten_at is not None and time.monotonic() >= known.forgotten_at:
        del _memory[key]
        return None
    if kind.once or known.digest != _digest(request, kind):
        raise AwsError(*kind.mismatch)
    return known.answer


def remember(request: Request, answer: Answer) -> None:
    """Keep a successful answer under its token."""
    found = _key(request)
    if found is None or request.params.get("DryRun"):
        return
    key, kind = found
    forgotten_at = None
    if kind.lifetime is not None:
        # With no waits time stands still, but a token does not live for ever.
        seconds = clock.due(kind.lifetime) if clock.scale else kind.lifetime
        forgotten_at = time.monotonic() + seconds
    _memory[key] = _Memory(_digest(request, kind), answer, forgotten_at)


def snapshot() -> dict[tuple[str, ...], Any]:
    """A copy for `POST /_local/snapshot`."""
    return dict(_memory)


def restore(memory: dict[tuple[str, ...], Any]) -> None:
    """Put a snapshot back."""
    _memory.clear()
    _memory.update(memory)


def _kind(request: Request) -> Kind | None:
    if request.service == "ec2":
        return _EC2
    return _KINDS.get((request.service, request.action))


def _key(request: Request) -> tuple[tuple[str, ...], Kind] | None:
    kind = _kind(request)
    if kind is None:
        return None
    token: Any = request.params
    for part in kind.member.split("."):
        token = token.get(part) if isinstance(token, dict) else None
    if not isinstance(token, str) or not token:
        return None
    region = "" if request.service in ("route53", "cloudfront") else request.region
    scope = tuple(str(request.params.get(name)) for name in kind.scope)
    action = _SAME_AS.get(request.action, request.action)
    return (request.service, action, request.account, region, token, *scope), kind


def _digest(request: Request, kind: Kind) -> str:
    ignored = {kind.member, "DryRun"}
    params = {name: v for name, v in request.params.items() if name not in ignored}
    text = json.dumps(params, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
