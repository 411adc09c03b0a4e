"""A resource is not available before its process answers, however fast time goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_aws.gaps.lifecycle import Phases, phases_of


class _Held(Phases):
    """Phases that say nothing of a later one before something real is there."""

    status: str
    is_ready: Callable[[], bool]

    @property
    def current(self) -> str:
        told = super().current
        # One that is backed up is one that runs.
        return told if self.is_ready() else self.status


def hold(resource: Any, status: str, is_ready: Callable[[], bool]) -> None:
    """Say `status` in place of what time alone would say until `is_ready`."""
    phases = phases_of(resource)
    phases.__class__ = _Held
    phases.status, phases.is_ready = status, is_ready


def fail(resource: Any) -> None:
    """What it is held for will not come: say `failed`."""
    phases_of(resource).status = "failed"
