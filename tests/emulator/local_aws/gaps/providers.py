"""What a data plane knows better than the control plane: addresses and health.

Without a data plane every question is answered None and moto's own names stay.
"""

import logging
from collections.abc import Callable
from typing import Any

_log = logging.getLogger(__name__)
_providers: dict[str, Callable] = {}

QUESTIONS = frozenset(
    {
        "database-address",  # (region, database) -> host
        "cache-address",  # (region, group, role) -> host; role: primary | reader | a member id
        "load-balancer-address",  # (region, load_balancer) -> host
        "target-busy",  # (region, target_group, target_id, port) -> whether requests are in flight
        "target-health",  # (region, target_group, target_id, port) -> (state, reason, description)
    }
)


def provide(question: str, fn: Callable) -> None:
    """Lets `fn` answer `question`; a later provider replaces an earlier one."""
    if question not in QUESTIONS:
        raise ValueError(f"no such question: {question}")
    _providers[question] = fn


def withdraw(question: str) -> None:
    """Back to the control plane's own answer."""
    _providers.pop(question, None)


def ask(question: str, *args: object) -> Any:
    """The provider's answer, or None where it has none."""
    provider = _providers.get(question)
    if provider is None:
        return None
    try:
        return provider(*args)
    except Exception:
        _log.exception("the provider of %s failed", question)
        return None
