"""CloudFront's edge: a request without a signature for an object of a bucket stands for one to the distribution in front
of that bucket. It is answered as the bucket's policy lets the distribution, and kept until it is too old or invalidated."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

from moto.backends import get_backend
from moto.cloudfront.models import Distribution
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from ..hooks import unsigned
from ..render import Answer
from .bucket_policies import Caller, decide
from .lifecycle import phases_of

ACCOUNT = "123456789012"
#: The times of the cache policy CachingOptimized, and of errors, in real seconds.
SHORTEST, USUAL, LONGEST, ERROR = 1, 86_400, 31_536_000, 10


@dataclass
class Kept:
    """An answer of the origin, as long as the edge keeps it."""

    status: int
    headers: dict[str, str]
    body: bytes
    since: float
    until: float


@unsigned
def edge(environ: dict[str, Any]) -> Answer | None:
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
    name, _, key = path.lstrip("/").partition("/")
    if method not in ("GET", "HEAD") or not key:
        return None
    bucket = get_backend("s3")[ACCOUNT]["aws"].buckets.get(name)
    found = _in_front_of(name) if bucket is not None else None
    if found is None:
        return None
    if not found.distribution_config["Enabled"]:
        return Answer(403, [("X-Cache", "Error from cloudfront")], b"")
    _forget_invalidated(found)
    cache = found.__dict__.setdefault("_edge", {})
    kept, hit = cache.get(key), True
    if kept is None or kept.until <= time.time():
        kept, hit = _ask(found, bucket, unquote(key)), False
        cache[key] = kept
    return _answer(environ, kept, hit)


def addresses(endpoint: str) -> dict[str, str]:
    """The distributions' own addresses, each with the one that is answered here: instances look no names up."""
    found = {}
    for distribution in get_backend("cloudfront")[ACCOUNT]["aws"].distributions.copy().values():
        config = distribution.distribution_config
        bucket = config["Origins"]["Items"][0]["DomainName"].split(".s3.")[0]
        for name in [distribution.domain_name, *(config["Aliases"].get("Items") or [])]:
            found[f"https://{name}"] = f"{endpoint}/{bucket}"
    return found


def _in_front_of(bucket: str) -> Distribution | None:
    for found in get_backend("cloudfront")[ACCOUNT]["aws"].distributions.values():
        for origin in found.distribution_config["Origins"]["Items"]:
            if origin["DomainName"].startswith(f"{bucket}.s3."):
                return found
    return None


def _forget_invalidated(found: Distribution) -> None:
    """What a completed invalidation names is asked for again."""
    backend = get_backend("cloudfront")[ACCOUNT]["aws"]
    cache = found.__dict__.setdefault("_edge", {})
    for invalidation in backend.invalidations.get(found.distribution_id, []):
        if invalidation.__dict__.get("_done") or phases_of(invalidation, "Completed").current != "Completed":
            continue
        invalidation.__dict__["_done"] = True
        for path in invalidation.paths:
            named = re.compile(re.escape(path.lstrip("/")).replace(r"\*", ".*"))
            for key in [key for key in cache if named.fullmatch(key)]:
                del cache[key]


def _ask(found: Distribution, bucket: FakeBucket, key: str) -> Kept:
    """The origin's answer. A bucket that may not be listed says 403 for what is not there."""
    context = {"aws:sourcearn": found.arn, "aws:securetransport": "true"}
    caller, arn = Caller("Service", "cloudfront.amazonaws.com", context), f"arn:aws:s3:::{bucket.name}"
    may = PermissionResult.PERMITTED
    signs = any(o["OriginAccessControlId"] for o in found.distribution_config["Origins"]["Items"])
    if not signs or decide(bucket, caller, "s3:GetObject", f"{arn}/{key}") != may:
        return _error(403, "AccessDenied", "Access Denied")
    item = get_backend("s3")[ACCOUNT]["aws"].get_object(bucket.name, key)
    if item is None:
        if decide(bucket, caller, "s3:ListBucket", arn) == may:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        return _error(403, "AccessDenied", "Access Denied")
    headers = {name.lower(): str(value) for name, value in item.metadata.items()}
    headers["etag"] = item.etag
    headers["last-modified"] = formatdate(item.last_modified.timestamp(), usegmt=True)
    age = re.search(r"(?:s-maxage|max-age)=(\d+)", headers.get("cache-control", ""))
    seconds = min(max(int(age.group(1)) if age else USUAL, SHORTEST), LONGEST)
    now = time.time()
    return Kept(200, headers, item.value, now, now + seconds)


def _error(status: int, code: str, message: str) -> Kept:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    now = time.time()
    return Kept(status, {"content-type": "application/xml"}, body.encode(), now, now + ERROR)


def _answer(environ: dict[str, Any], kept: Kept, hit: bool) -> Answer:
    headers = list(kept.headers.items())
    headers.append(("x-cache", f"{'Hit' if hit else 'Miss'} from cloudfront"))
    if hit:
        headers.append(("age", str(int(time.time() - kept.since))))
    wanted = [tag.strip().removeprefix("W/") for tag in environ.get("HTTP_IF_NONE_MATCH", "").split(",")]
    if kept.status == 200 and kept.headers["etag"] in wanted:
        return Answer(304, [h for h in headers if h[0] != "content-type"], b"")
    if environ["REQUEST_METHOD"] == "HEAD":
        return Answer(kept.status, [*headers, ("content-length", str(len(kept.body)))], b"")
    return Answer(kept.status, headers, kept.body)
