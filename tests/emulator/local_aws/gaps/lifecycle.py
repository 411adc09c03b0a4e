"""Statuses that change with time, computed when they are read."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import ServiceException

from local_aws import clock, hooks


def run_later(seconds: float, fn: Callable[[], None]) -> None:
    """Runs `fn` under the state lock after an AWS duration: at once where nothing waits."""
    if clock.due(seconds) <= 0:
        with hooks.lock:
            fn()
    else:
        clock.later(seconds, lambda: _locked(fn))


def run_after_real(seconds: float, fn: Callable[[], None]) -> None:
    """As `run_later`, in real seconds, and never in this thread."""
    clock.after_real(seconds, lambda: _locked(fn))


def _locked(fn: Callable[[], None]) -> None:
    with hooks.lock:
        fn()


@dataclass
class Deadline:
    """A moment `seconds` of AWS time from its making."""

    seconds: float
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.at = time.time() + clock.due(self.seconds)

    @property
    def passed(self) -> bool:
        return time.time() >= self.at


class Phases:
    """A status that goes through timed phases and then rests.

    `begin("creating", 600)` says `creating` for ten minutes of AWS time and the resting
    status afterwards; phases begun meanwhile are appended unless `replace` is set.
    """

    def __init__(self, rest: str = "available") -> None:
        self.rest = rest
        self._phases: list[tuple[str, float]] = []

    def begin(self, status: str, seconds: float, *, replace: bool = False) -> None:
        now = time.time()
        if replace:
            self._phases.clear()
        starts = max([now] + [end for _, end in self._phases])
        self._phases.append((status, starts + clock.due(seconds)))

    @property
    def current(self) -> str:
        now = time.time()
        while self._phases and self._phases[0][1] <= now:
            self._phases.pop(0)
        return self._phases[0][0] if self._phases else self.rest

    @property
    def remaining(self) -> float:
        """Real seconds until the resting status."""
        return max([0.0] + [end - time.time() for _, end in self._phases])


def phases_of(resource: Any, rest: str = "available") -> Phases:
    """The phases of a moto object, made at first use."""
    phases = resource.__dict__.get("_phases")
    if phases is None:
        phases = resource.__dict__["_phases"] = Phases(rest)
    return phases


class Fault(ServiceException):
    """An AWS error in moto's own terms; moto renders it in the service's protocol."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


def fault(code: str, message: str) -> Fault:
    """The error to raise: `raise fault("ResourceInUse", "...")`."""
    return Fault(code, message)
