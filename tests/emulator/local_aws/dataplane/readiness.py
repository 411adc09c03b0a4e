"""A resource is not available before its process answers, however fast time goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_aws.gaps.lifecycle import Phases, phases_of


class _Held(Phases):
    """Phases whose end waits for something real."""

    status: str
    is_ready: Callable[[], bool]

    @property
    def current(self) -> str:
        told = super().current
        if told == "available" and not self.is_ready():
            return self.status
        return told


def hold(resource: Any, status: str, is_ready: Callable[[], bool]) -> None:
    """Say `status` in place of `available` until `is_ready`."""
    phases = phases_of(resource)
    phases.__class__ = _Held
    phases.status, phases.is_ready = status, is_ready
