"""The processes behind the resources. Imported unless --control-plane-only is given."""

from __future__ import annotations

from argparse import Namespace


def start(args: Namespace) -> None:
    """Prepare the state directory and let every part answer for its resources."""
    from local_aws import control

    from . import caches, context, databases, healing, instances, loadbalancers, processes

    context.open_context(args)
    databases.open_databases()
    caches.open_caches()
    loadbalancers.open_load_balancers()
    instances.open_instances()
    healing.open_healing()

    @control.route("GET", "processes")
    def _processes(_query: dict[str, str], _body: object) -> dict[str, object]:
        return {"processes": processes.listing()}


def stop() -> None:
    """End every process."""
    from . import context

    context.close_context()
