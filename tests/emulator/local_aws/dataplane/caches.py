"""Replication groups as Redis servers: what ElastiCache is told happens to real processes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from local_aws import clock, hooks
from local_aws.gaps import events, providers
from local_aws.gaps.elasticache_groups import parameters_in_force
from local_aws.hooks import Request, after

from . import context
from .haproxy import GLOBAL, Proxy
from .lanes import Lane
from .processes import Process
from .readiness import hold
from .redis import Node, Security

#: A lost primary is noticed, and a replica promoted, in about this many AWS seconds.
FAILOVER_SECONDS = 15
#: A lost node is replaced in about this many.
REPLACE_SECONDS = 60

_groups: dict[tuple[str, str], Group] = {}
#: Parameters of a cache parameter group that every Redis understands at any time.
PARAMETERS = frozenset(
    {
        "maxmemory-policy",
        "maxmemory-samples",
        "timeout",
        "tcp-keepalive",
        "notify-keyspace-events",
        "slowlog-log-slower-than",
        "slowlog-max-len",
        "lazyfree-lazy-eviction",
        "lazyfree-lazy-expire",
        "lazyfree-lazy-server-del",
        "hash-max-listpack-entries",
        "zset-max-listpack-entries",
        "activerehashing",
    }
)


class Group:
    """One replication group: its nodes, its two endpoints, and the lane for what happens to it."""

    def __init__(self, region: str, group: Any, token: str | None) -> None:
        here = context.current()
        self.region, self.name = region, group.replication_group_id
        self.moto = group
        self.port = int(group.port or 6379)
        self.directory = here.make_directory("cache", f"{region}-{self.name}")
        tls = bool(group.transit_encryption_enabled)
        self.security = Security(tls, token, here.authority.file)
        self.nodes: dict[str, Node] = {}
        self.primary = ""
        self.ready = self.gone = False
        self.lane = Lane(f"cache {self.name}")
        reader = self.directory / "reader"
        reader.mkdir()
        self.reader = Proxy("cache-reader", self.name, reader, self.address("reader"), self.port)
        self._initial = list(group.member_clusters)
        for member in self._initial:
            self.address(member)

    def address(self, role: str) -> str:
        return address_of(self.region, self.name, role)

    def create(self) -> None:
        if self.gone:
            return
        self.primary = self._initial[0]
        for member in self._initial:
            self._add(member)
        self._wait_for_replicas()
        self._point_reader()
        self.ready = True

    def _make_node(self, member: str) -> Node:
        directory = self.directory / member
        directory.mkdir(exist_ok=True)
        names = [self.address(role) for role in (member, "primary", "reader")]
        return Node(
            name=member,
            directory=directory,
            address=names[0],
            port=self.port,
            security=self.security,
            certificate=context.current().authority.issue(directory, names),
            settings=_settings(self.moto),
            on_death=lambda process: self._died(member, process),
        )

    def _add(self, member: str) -> None:
        node = self.nodes[member] = self._make_node(member)
        if member == self.primary:
            node.start(also=self.address("primary"))
        else:
            node.start(source=self.nodes[self.primary])

    def _replicas(self) -> list[Node]:
        return [node for name, node in self.nodes.items() if name != self.primary]

    def _wait_for_replicas(self) -> None:
        for node in self._replicas():
            if node.running:
                node.wait_for_sync()

    def change_members(self, added: Iterable[str], removed: Iterable[str]) -> None:
        if self.gone:
            return
        for member in added:
            if member not in self.nodes:
                self._add(member)
        self._wait_for_replicas()
        leaving = [self.nodes.pop(member) for member in removed if member in self.nodes]
        self._point_reader()
        for node in leaving:
            node.stop()
            context.current().addresses.release("cache", self.region, self.name, node.name)

    def fail_over(self, old: str, new: str | None) -> None:
        """Kill the primary; once that is noticed, a replica takes its place and its endpoint."""
        if self.gone or old != self.primary:
            return
        self.nodes[old].kill()
        time.sleep(clock.due(FAILOVER_SECONDS))
        self._replace_primary(new)

    def _replace_primary(self, wanted: str | None) -> None:
        old = self.nodes[self.primary]
        successor = self.nodes.get(wanted or "")
        if successor is None or not successor.running:
            successor = self._best_replica()
        if successor is None:
            # Nobody to take over: the node comes back, and comes back empty.
            old.start(also=self.address("primary"))
            return
        successor.promote()
        self.primary = successor.name
        successor.listen_also(self.address("primary"))
        for node in self._replicas():
            if node.running:
                node.follow(successor)
        self._tell_roles()
        self._point_reader()
        if not old.running:
            time.sleep(clock.due(REPLACE_SECONDS))
            if not self.gone:
                old.start(source=successor)
                self._wait_for_replicas()

    def _best_replica(self) -> Node | None:
        """The one that has received most."""
        running = [node for node in self._replicas() if node.running]
        return max(running, key=lambda n: n.replication().get("slave_repl_offset", 0), default=None)

    def _died(self, member: str, _process: Process) -> None:
        self.lane.put(lambda: self._recover(member))

    def _recover(self, member: str) -> None:
        node = self.nodes.get(member)
        if self.gone or node is None or node.running:
            return
        if member != self.primary:
            time.sleep(clock.due(REPLACE_SECONDS))
            node.start(source=self.nodes[self.primary])
        elif str(self.moto.automatic_failover).lower().startswith("enabl"):
            time.sleep(clock.due(FAILOVER_SECONDS))
            self._replace_primary(None)
        else:
            time.sleep(clock.due(REPLACE_SECONDS))
            node.start(also=self.address("primary"))

    def _tell_roles(self) -> None:
        """A failover that nobody asked for shows in DescribeReplicationGroups too."""
        with hooks.lock:
            self.moto._primary = self.primary

    def _point_reader(self) -> None:
        """The reader endpoint: the replicas in turn; the primary where there are none."""
        if self.gone:
            return
        rows = [
            f"    server {name} {node.address}:{node.port} check inter 500ms rise 1 fall 2"
            f" on-marked-down shutdown-sessions{' backup' if name == self.primary else ''}"
            for name, node in self.nodes.items()
        ]
        config = GLOBAL + (
            "defaults\n    mode tcp\n    log global\n    timeout connect 2s\n"
            "    timeout client 1h\n    timeout server 1h\n"
            "listen reader\n"
            f"    bind {self.reader.address}:{self.port}\n"
            "    balance roundrobin\n"
        )
        self.reader.apply(config + "\n".join(rows) + "\n")

    def configure(self, settings: dict[str, str]) -> None:
        """Parameters that changed, on every node."""
        for node in self.nodes.values():
            node.settings = settings
            if node.running and not self.gone:
                node.configure()

    def set_token(self, token: str | None, keep_old: bool) -> None:
        if self.gone:
            return
        self.security.token = token
        for node in self.nodes.values():
            if node.running:
                node.set_token(token, keep_old)

    def delete(self) -> None:
        self.gone = True
        self.reader.stop()
        for node in self.nodes.values():
            node.stop()
        _groups.pop((self.region, self.name), None)
        self.lane.close()


def address_of(region: str, group: str, role: str) -> str:
    return context.current().addresses.of("cache", region, group, role)


def find(region: str, name: str) -> Group | None:
    return _groups.get((region, name))


def ready(region: str, name: str) -> bool:
    """Whether its nodes take connections and replicate."""
    group = find(region, name)
    return group is not None and group.ready


@after("elasticache", "ModifyReplicationGroup")
def _change_token(req: Request, result: dict[str, Any] | None) -> None:
    group = find(req.region, req.params["ReplicationGroupId"].lower())
    strategy = req.params.get("AuthTokenUpdateStrategy", "ROTATE")
    if group is None or not (req.params.get("AuthToken") or strategy == "DELETE"):
        return
    token = None if strategy == "DELETE" else req.params["AuthToken"]
    group.lane.put(lambda: group.set_token(token, keep_old=strategy == "ROTATE"))


def _creating(region: str, group: Any) -> None:
    made = Group(region, group, getattr(group, "_auth_token", None))
    _groups[region, made.name] = made
    hold(group, "creating", lambda: made.ready or made.gone)
    made.lane.put(made.create)


def _members(region: str, group: Any, added: Iterable[str], removed: Iterable[str]) -> None:
    if held := find(region, group.replication_group_id):
        more, fewer = list(added), list(removed)
        held.lane.put(lambda: held.change_members(more, fewer))


def _settings(group: Any) -> dict[str, str]:
    """What its parameter group sets, as far as Redis itself knows it."""
    held = parameters_in_force(group)
    return {name: str(value) for name, value in held.items() if name in PARAMETERS}


def _modified(region: str, group: Any) -> None:
    if held := find(region, group.replication_group_id):
        settings = _settings(group)
        held.lane.put(lambda: held.configure(settings))


def _failover(region: str, group: Any, old: str, new: str) -> None:
    if held := find(region, group.replication_group_id):
        held.lane.put(lambda: held.fail_over(old, new))


def _deleting(region: str, group: Any) -> None:
    if held := find(region, group.replication_group_id):
        held.gone = True
        held.lane.put(held.delete)


def _deleted(region: str, group: Any) -> None:
    name = group.replication_group_id
    roles = ["primary", "reader", *(f"{name}-{number:03}" for number in range(1, 7))]
    for role in roles:
        context.current().addresses.release("cache", region, name, role)


def _address(region: str, group: Any, role: str) -> str:
    return address_of(region, getattr(group, "replication_group_id", group), role)


def open_caches() -> None:
    _groups.clear()
    providers.provide("cache-address", _address)


events.on("cache-creating", _creating)
events.on("cache-members", _members)
events.on("cache-failover", _failover)
events.on("cache-modified", _modified)
events.on("cache-deleting", _deleting)
events.on("cache-deleted", _deleted)
