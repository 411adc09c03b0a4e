"""FilterLogEvents as AWS answers it: streams merged by time, pages that may be empty, tokens, filters on JSON."""

import base64
import binascii
import json
import re
from typing import Any

from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.models import LogEvent
from moto.logs.responses import LogsResponse
from moto.logs.utils import EventMessageFilter

from .patching import add

# One call looks at so many events, and tells at most so many bytes of them.
SCANNED = 10_000
BYTES = 1_000_000
OVERHEAD = 26

_TERM = re.compile(r'\$\.([\w.]+)\s*(!?=)\s*("[^"]*"|[\w.-]+)')


def _selected(response: LogsResponse, group: Any) -> dict[str, Any]:
    names = response._get_param("logStreamNames", [])
    prefix = response._get_param("logStreamNamePrefix")
    if names and prefix:
        raise InvalidParameterException(
            constraint="cannot be used together with logStreamNames",
            parameter="logStreamNamePrefix",
            value=prefix,
        )
    for name in names:
        if name not in group.streams:
            raise ResourceNotFoundException(msg="The specified log stream does not exist.")
    return {
        name: stream
        for name, stream in group.streams.items()
        if (not names or name in names) and name.startswith(prefix or "")
    }


def _matcher(pattern: str | None) -> Any:
    """A test of a message. Of JSON patterns: equalities joined by `||` or by `&&`."""
    pattern = (pattern or "").strip()
    if not pattern.startswith("{"):
        return EventMessageFilter(pattern).matches
    terms = _TERM.findall(pattern)
    joined = all if "&&" in pattern else any

    def holds(document: Any, path: str, how: str, wanted: str) -> bool:
        for name in path.split("."):
            if not isinstance(document, dict) or name not in document:
                return False
            document = document[name]
        return (str(document) == wanted.strip('"')) == (how == "=")

    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return joined(holds(document, *term) for term in terms)

    return matches


def _place(event: LogEvent) -> tuple[int, int, int]:
    return (event.timestamp, event.ingestion_time, event.event_id)


def _token(event: LogEvent) -> str:
    return base64.b64encode(json.dumps(_place(event)).encode()).decode()


def _after(token: str) -> tuple[int, int, int]:
    try:
        return tuple(json.loads(base64.b64decode(token, validate=True)))
    except (binascii.Error, ValueError):
        message = "The specified nextToken is invalid."
        raise InvalidParameterException(message, "nextToken", token) from None


@add(LogsResponse)
def filter_log_events(self: LogsResponse) -> str:
    name = self._get_param("logGroupName")
    group = self.logs_backend.groups.get(name)
    if group is None:
        raise ResourceNotFoundException(msg="The specified log group does not exist.")
    start, end = self._get_param("startTime") or 0, self._get_param("endTime")
    limit = self._get_param("limit") or SCANNED
    matches = _matcher(self._get_param("filterPattern"))
    token = self._get_param("nextToken")
    after = _after(token) if token else None
    waiting = sorted(
        (
            (event, stream)
            for stream, held in _selected(self, group).items()
            for event in held.events
            if event.timestamp >= start
            and (end is None or event.timestamp <= end)
            and (after is None or _place(event) > after)
        ),
        key=lambda pair: _place(pair[0]),
    )
    told, size, last = [], 0, None
    for event, stream in waiting[:SCANNED]:
        if matches(event.message):
            size += len(event.message.encode()) + OVERHEAD
            if told and (size > BYTES or len(told) == limit):
                break
            told.append({**event.to_filter_dict(), "logStreamName": stream})
        last = event
    answer: dict[str, Any] = {"events": told, "searchedLogStreams": []}
    if last is not None and last is not waiting[-1][0]:
        answer["nextToken"] = _token(last)
    return json.dumps(answer)
