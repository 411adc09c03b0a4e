"""Things that happen later than the call that caused them.

A subscriber is called as fn(**details), in the thread in which it happened;
its exceptions are logged and never reach the service that emitted the event.
"""

import logging
from collections import defaultdict
from collections.abc import Callable

_log = logging.getLogger(__name__)
_subscribers: dict[str, list[Callable]] = defaultdict(list)

EVENTS = frozenset(
    {
        "instance-launched",  # region, instance: just made, still `pending`
        "instance-terminating",  # region, instance: `shutting-down` from now on
        "instance-rebooting",  # region, instance
        "instance-stopped",  # region, instance
        "instance-started",  # region, instance
        "database-creating",  # region, database, password
        "database-available",  # region, database: after creating, modifying, rebooting
        "database-modified",  # region, database, changes: applied now
        "database-rebooting",  # region, database, failover
        "database-deleting",  # region, database
        "database-deleted",  # region, database: gone
        "cache-creating",  # region, group
        "cache-available",  # region, group
        "cache-members",  # region, group, added, removed: member ids
        "cache-failover",  # region, group, old, new: member ids
        "cache-modified",  # region, group
        "cache-deleting",  # region, group
        "cache-deleted",  # region, group: gone
        "targets-registered",  # region, target_group, targets: [(id, port)]
        "targets-draining",  # region, target_group, targets
        "targets-removed",  # region, target_group, targets
        "load-balancer-active",  # region, load_balancer
        "load-balancer-deleted",  # region, load_balancer
    }
)


def on(event: str, fn: Callable) -> None:
    """Calls `fn(**details)` at every `event` from now on."""
    if event not in EVENTS:
        raise ValueError(f"no such event: {event}")
    _subscribers[event].append(fn)


def emit(event: str, **details: object) -> None:
    """Tells the subscribers; used by the gap modules only."""
    if event not in EVENTS:
        raise ValueError(f"no such event: {event}")
    for fn in list(_subscribers[event]):
        try:
            fn(**details)
        except Exception:
            _log.exception("a subscriber of %s failed", event)
