"""What load balancers measure: their own counts and the health of their targets, as CloudWatch metrics in AWS's time.

Every balancer is looked at twice a second. HAProxy's counters only rise, and begin anew with a new process or a new server:
what rose since the last look is what happened.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_aws import clock

from . import context
from .balancer import Balancer

LOOK_SECONDS = 0.5
#: So much of AWS's time is kept: the longest that the alarms here look back.
KEPT_SECONDS = 3600.0
#: A first boot takes real time, however fast time goes: until then no target counts as unhealthy that never was well.
FIRST_BOOT_SECONDS = 120.0


@dataclass
class Sample:
    """One value of a metric at a moment (real time)."""

    at: float
    value: float


@dataclass
class Series:
    """The values of one metric of one set of dimensions."""

    samples: deque[Sample] = field(default_factory=deque)

    def add(self, value: float) -> None:
        now = time.monotonic()
        self.samples.append(Sample(now, value))
        # With no waits nothing passes: a minute is kept.
        oldest = now - max(clock.due(KEPT_SECONDS), 60.0)
        while self.samples and self.samples[0].at < oldest:
            self.samples.popleft()

    def between(self, start: float, end: float) -> list[float]:
        return [sample.value for sample in self.samples if start < sample.at <= end]


class Traffic:
    """The metrics of all balancers."""

    def __init__(self, balancers: Callable[[], list[Balancer]]) -> None:
        self._balancers = balancers
        self._series: dict[tuple[str, frozenset], Series] = defaultdict(Series)
        self._counters: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(
            target=self._run, args=(context.current(),), name="traffic", daemon=True
        ).start()

    def values(self, metric: str, dimensions: dict[str, str], start: float, end: float) -> list[float] | None:
        """The values in (start, end] of real time; None for a metric that is not measured."""
        with self._lock:
            series = self._series.get((metric, frozenset(dimensions.items())))
            return None if series is None else series.between(start, end)

    def _run(self, mine: context.Context) -> None:
        while context.running() and context.current() is mine:
            time.sleep(LOOK_SECONDS)
            for balancer in self._balancers():
                try:
                    self._look(balancer)
                except OSError:
                    continue
                except Exception:
                    if context.running():
                        traceback.print_exc(file=sys.stderr)

    def _look(self, balancer: Balancer) -> None:
        if balancer.gone or not balancer.proxy.running:
            return
        servers, fronts = balancer.proxy.servers(), balancer.proxy.frontends()
        name = balancer.arn.rpartition("loadbalancer/")[2]
        whole = {"LoadBalancer": name}
        by_target = self._risen(balancer, servers, "hrsp_5xx")
        by_client = self._risen(balancer, fronts, "hrsp_5xx")
        requests = self._risen(balancer, fronts, "req_tot")
        with self._lock:
            self._add("HTTPCode_Target_5XX_Count", whole, by_target)
            self._add("HTTPCode_ELB_5XX_Count", whole, max(by_client - by_target, 0))
            self._add("RequestCount", whole, requests)
            for row in servers.values():
                if row.get("req_tot", "0") != "0" and row.get("rtime", "").isdigit():
                    self._add("TargetResponseTime", whole, int(row["rtime"]) / 1000.0)
            for pool in {key[0] for key in servers}:
                self._hosts(balancer, pool, servers, whole)

    def _hosts(
        self, balancer: Balancer, pool: str, servers: dict[tuple[str, str], dict[str, str]], whole: dict[str, str]
    ) -> None:
        rows = {key: row for key, row in servers.items() if key[0] == pool}
        up = {key for key, row in rows.items() if row["status"].startswith("UP")}
        down = {
            key
            for key, row in rows.items()
            if row["status"].startswith("DOWN") and balancer.is_old(key, FIRST_BOOT_SECONDS)
        }
        for key in up:
            balancer.mark_well(key)
        group = balancer.group_of(pool)
        if group is not None:
            dimensions = {**whole, "TargetGroup": group}
            self._add("HealthyHostCount", dimensions, len(up))
            self._add("UnHealthyHostCount", dimensions, len(down))

    def _risen(self, balancer: Balancer, rows: dict[Any, dict[str, str]], column: str) -> float:
        risen = 0.0
        for key, row in rows.items():
            pid = balancer.proxy.process.pid if balancer.proxy.process else 0
            place = (balancer.arn, f"{pid} {key}", column)
            value = float(row.get(column) or 0)
            before = self._counters.get(place, 0.0)
            # A server that was taken out and put in again counts from nothing.
            risen += value - before if value >= before else value
            self._counters[place] = value
        return risen

    def _add(self, metric: str, dimensions: dict[str, str], value: float) -> None:
        self._series[(metric, frozenset(dimensions.items()))].add(value)
