"""Counts what was called: the tests' view of how much the provisioner asks of AWS."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter, deque
from typing import Any

from .hooks import Request

_READS = re.compile(
    r"^(Describe|List|Get|Head|BatchGet|Query$|Scan$|Search|Lookup|Select|Simulate|"
    r"Check|Test(?!Failover)|Validate|Filter|Estimate|Preview|Download|Decode|AssumeRole|TransactGet)"
)
#: The list is bounded; the counts are not.
_LONGEST = 200_000

_lock = threading.Lock()
_counts: Counter[tuple[str, str]] = Counter()
_list: deque[dict[str, Any]] = deque(maxlen=_LONGEST)


def is_mutating(action: str) -> bool:
    """Whether an action changes anything, judged by AWS's naming."""
    return not _READS.match(action)


def record(request: Request) -> dict[str, Any]:
    """Count a call as it arrives; the caller fills in how it ended."""
    entry = {
        "at": time.time(),
        "service": request.service,
        "action": request.action,
        "region": request.region,
        "mutating": is_mutating(request.action),
        #: of S3 alone: which object
        "key": request.params.get("Key") if request.service == "s3" else None,
        "status": None,
        "code": None,
        #: model or rules, where it was one of these that refused it
        "refused_by": None,
    }
    with _lock:
        _counts[request.service, request.action] += 1
        _list.append(entry)
    return entry


def report(with_list: bool = False) -> dict[str, Any]:
    """Totals, counts per service and action and, on request, every call in order."""
    with _lock:
        counts = dict(_counts)
        entries = list(_list) if with_list else []
    services: dict[str, dict[str, int]] = {}
    for (service, action), count in sorted(counts.items()):
        services.setdefault(service, {})[action] = count
    mutating = sum(n for (_, action), n in counts.items() if is_mutating(action))
    result: dict[str, Any] = {
        "total": sum(counts.values()),
        "mutating": mutating,
        "services": services,
    }
    if with_list:
        result["list"] = entries
    return result


def clear() -> None:
    with _lock:
        _counts.clear()
        _list.clear()


def _in_a_copy() -> None:
    """A copy of this process counts its own calls."""
    global _lock
    _lock = threading.Lock()
    clear()


os.register_at_fork(after_in_child=_in_a_copy)
