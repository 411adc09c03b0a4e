"""S3: where buckets are made, their tags, and one configuration change at a time."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .. import clock
from ..hooks import AwsError, Request, after, before, guard
from . import state

#: Changes to a bucket's configuration, of which S3 takes one at a time.
_CONFIGURATION = (
    "DeleteBucketPolicy",
    "DeletePublicAccessBlock",
    "PutBucketEncryption",
    "PutBucketLifecycleConfiguration",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutPublicAccessBlock",
)
#: Real seconds that such a change occupies its bucket, so that parallel ones do meet.
_OCCUPIED = 0.02

_lock = threading.Lock()
_busy: set[tuple[str, str]] = set()


def _in_a_copy() -> None:
    """The calls that occupy a bucket here do not go on in a copy of this process."""
    global _lock
    _lock = threading.Lock()
    _busy.clear()


os.register_at_fork(after_in_child=_in_a_copy)


@before("s3", "CreateBucket")
def location(request: Request) -> None:
    configuration = request.params.get("CreateBucketConfiguration") or {}
    given = configuration.get("LocationConstraint")
    if given == "us-east-1":
        raise AwsError(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            extra={"LocationConstraint": given},
        )
    if request.region != "us-east-1" and given != request.region:
        raise AwsError(
            "IllegalLocationConstraintException",
            f"The {given or 'unspecified'} location constraint is incompatible for the region specific "
            "endpoint this request was sent to.",
        )
    tags = configuration.get("Tags") or []
    if len({tag.get("Key") for tag in tags}) < len(tags):
        raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key")


@after("s3", "CreateBucket")
def tags(request: Request, _result: object) -> None:
    """moto drops the tags that come with the creation."""
    configuration = request.params.get("CreateBucketConfiguration") or {}
    given = configuration.get("Tags") or []
    if given:
        state.backend("s3", request).put_bucket_tagging(
            request.params["Bucket"], {tag["Key"]: tag["Value"] for tag in given}
        )


@before("s3", "PutObject", "UploadPart")
def checksum(request: Request) -> None:
    """What is sent must have the SHA-256 that comes with it."""
    given = request.params.get("ChecksumSHA256")
    # Bodies in signed chunks carry it behind them.
    if not given or "aws-chunked" in request.headers.get("content-encoding", ""):
        return
    if base64.b64encode(hashlib.sha256(request.body).digest()).decode() != given:
        raise AwsError("BadDigest", "The SHA256 you specified did not match the calculated checksum.")


@guard("s3", *_CONFIGURATION)
@contextmanager
def one_at_a_time(request: Request) -> Iterator[None]:
    key = (request.account, request.params.get("Bucket", ""))
    with _lock:
        if key in _busy:
            raise AwsError(
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this resource. Please try again.",
                409,
            )
        _busy.add(key)
    try:
        yield
        if clock.scale:
            time.sleep(_OCCUPIED)
    finally:
        with _lock:
            _busy.discard(key)
