"""One load balancer: its HAProxy, kept in step with what it should be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from . import context
from .balancer_config import Listener, Pool, Target, render
from .haproxy import Proxy
from .lanes import Lane
from .processes import Process

_STATS_SECONDS = 0.1


@dataclass(frozen=True)
class Wanted:
    """What the control plane says a load balancer is."""

    listeners: tuple[Listener, ...]
    pools: dict[str, Pool]
    targets: dict[str, list[Target]]
    idle_seconds: int

    def structure(self, address: str) -> str:
        """What can change only with a new configuration: all but the targets."""
        return render(address, list(self.listeners), self.pools, {}, self.idle_seconds)


@dataclass
class Seen:
    """What is remembered of a target since it was added."""

    since: float = field(default_factory=time.monotonic)
    was_up: bool = False


class Balancer:
    """Runs on its own lane; `health` may be asked from any thread."""

    def __init__(self, region: str, arn: str, address: str) -> None:
        name = arn.rpartition("loadbalancer/")[2]
        self.region, self.arn, self.address = region, arn, address
        directory = context.current().make_directory("elb", f"{region}-{name.replace('/', '-')}")
        self.directory = directory
        self.lane = Lane(f"load balancer {name}")
        self.gone = False
        self.proxy = Proxy(
            "load-balancer", name, directory, address, on_death=lambda p: self._died(p)
        )
        self._structure = ""
        self._listeners: tuple[Listener, ...] = ()
        self._wanted: Wanted | None = None
        self._servers: dict[tuple[str, str], Target] = {}
        self._pools: dict[str, Pool] = {}
        self._seen: dict[tuple[str, str], Seen] = {}
        self._stats: tuple[float, dict[tuple[str, str], dict[str, str]]] = (0.0, {})

    def certificate(self, port: int, names: list[str]) -> Path:
        """A throw-away certificate for a listener, key and all in one file."""
        directory = self.directory / f"tls-{port}-{abs(hash(tuple(names))):x}"
        bundle = directory / "bundle.pem"
        if not bundle.exists():
            directory.mkdir(mode=0o700)
            chain, key = context.current().authority.issue(directory, names)
            bundle.touch(mode=0o600)
            bundle.write_bytes(chain.read_bytes() + key.read_bytes())
        return bundle

    def reconcile(self, wanted: Wanted) -> None:
        """Make HAProxy what is wanted, with as little disturbance as that takes."""
        if self.gone:
            return
        self._wanted = wanted
        if not wanted.listeners:
            self.proxy.stop()
            self._structure, self._servers = "", {}
            return
        structure = wanted.structure(self.address)
        self._pools = wanted.pools
        if structure != self._structure or not self.proxy.running:
            self._replace(wanted)
            self._structure, self._listeners = structure, wanted.listeners
        self._sync_targets(wanted)

    def _replace(self, wanted: Wanted) -> None:
        # A target that is not yet in the running process joins afterwards, as unproven.
        kept = {
            pool: [t for t in targets if (pool, t.server) in self._servers and self.proxy.running]
            for pool, targets in wanted.targets.items()
        }
        config = render(
            self.address, list(wanted.listeners), wanted.pools, kept, wanted.idle_seconds
        )
        self.proxy.port = wanted.listeners[0].port
        self.proxy.apply(config)
        self._servers = {(pool, t.server): t for pool, ts in kept.items() for t in ts}

    def _sync_targets(self, wanted: Wanted) -> None:
        targets = {(pool, t.server): t for pool, ts in wanted.targets.items() for t in ts}
        for key in [key for key in self._servers if key not in targets]:
            self._remove(key)
        for key, target in targets.items():
            held = self._servers.get(key)
            if held is not None and held.address != target.address:
                self._remove(key)
                held = None
            if held is None:
                if not target.draining:
                    self._add(key, target)
            elif held.draining != target.draining:
                state = "drain" if target.draining else "ready"
                self.proxy.command(f"set server {key[0]}/{key[1]} state {state}")
                self._servers[key] = target

    def _add(self, key: tuple[str, str], target: Target) -> None:
        pool, server = key
        name = f"{pool}/{server}"
        options = self._pools[pool].server_options()
        # Down until its checks say otherwise: nothing is sent to a target that has proved nothing.
        answer = self.proxy.command(
            f"add server {name} {target.address}:{target.port} {options};"
            f" enable health {name}; set server {name} state ready; set server {name} health down"
        )
        if "registered" not in answer:
            raise RuntimeError(f"HAProxy refused target {name}: {answer.strip()}")
        self._servers[key] = target
        self._seen[key] = Seen()

    def _remove(self, key: tuple[str, str]) -> None:
        name = f"{key[0]}/{key[1]}"
        self._servers.pop(key)
        self._seen.pop(key, None)
        self.proxy.command(f"set server {name} state maint; shutdown sessions server {name}")
        for _ in range(40):
            answer = self.proxy.command(f"del server {name}")
            if "deleted" in answer or "No such" in answer:
                return
            time.sleep(0.05)
        raise RuntimeError(f"HAProxy keeps target {name}: {answer.strip()}")

    def _died(self, _process: Process) -> None:
        # A load balancer's node that fails is replaced; its targets have to prove themselves again.
        self.lane.put(lambda: self.reconcile(self._wanted) if self._wanted else None)

    def delete(self) -> None:
        self.gone = True
        self.proxy.stop()
        self.lane.close()

    def listens_on(self, port: int) -> bool:
        """Whether its running process has this port already."""
        ports = {listener.port for listener in self._listeners}
        return self.proxy.running and port in ports

    def uses(self, pool: str) -> bool:
        """Whether one of its listeners forwards to this target group."""
        return pool in self._pools

    def health(self, pool: str, server: str) -> tuple[str, str | None, str | None]:
        """HAProxy's view of a target: (state, reason, description) in AWS's words."""
        key = (pool, server)
        row = self._read_stats().get(key)
        seen = self._seen.get(key)
        if row is None or seen is None or row.get("check_status", "") in ("", "INI"):
            return "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
        status = row["status"]
        if status.startswith("UP") or status == "no check":
            seen.was_up = True
            return "healthy", None, None
        held = self._pools.get(pool)
        patience = held.interval * (held.unhealthy + 1) if held else 0
        if not seen.was_up and time.monotonic() < seen.since + patience:
            text = "Initial health checks in progress"
            return "initial", "Elb.InitialHealthChecking", text
        return _unhealthy(row)

    def mark_well(self, key: tuple[str, str]) -> None:
        """Remembers that a target was seen well."""
        if key in self._seen:
            self._seen[key].was_up = True

    def is_old(self, key: tuple[str, str], seconds: float) -> bool:
        """Whether a target was well once, or has been there for so long (real seconds)."""
        seen = self._seen.get(key)
        return seen is not None and (seen.was_up or time.monotonic() >= seen.since + seconds)

    def group_of(self, pool: str) -> str | None:
        """The last part of the ARN of the target group behind a pool, as metrics name it."""
        held = self._pools.get(pool)
        return held.group if held is not None else None

    def busy(self, pool: str, server: str) -> bool:
        """Whether a target still has requests in flight."""
        try:
            row = self.proxy.servers().get((pool, server)) if self.proxy.running else None
        except OSError:
            return False
        return row is not None and int(row.get("scur") or 0) > 0

    def _read_stats(self) -> dict[tuple[str, str], dict[str, str]]:
        at, stats = self._stats
        if time.monotonic() - at > _STATS_SECONDS:
            try:
                stats = self.proxy.servers() if self.proxy.running else {}
            except OSError:
                stats = {}
            self._stats = (time.monotonic(), stats)
        return stats


def _unhealthy(row: dict[str, str]) -> tuple[str, str, str]:
    check, code = row.get("check_status", "").lstrip("* "), row.get("check_code", "")
    if check == "L7STS":
        text = f"Health checks failed with these codes: [{code}]"
        return "unhealthy", "Target.ResponseCodeMismatch", text
    if check.endswith("TOUT"):
        return "unhealthy", "Target.Timeout", "Request timed out"
    return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
