"""Measures the server on MariaDB and Redis, beside what those do by themselves, and prints a table in Markdown.

`make bench` builds the release and runs this. Only the standard library is needed; setup.sh installs the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import load
from raw import Figures, Raw
from stack import HOST, BenchError, Stack, memory_mib, program

HERE = Path(__file__).resolve().parent
#: Players whose tokens the load generator has.
CLIENTS = 10_000
#: Each row's run before it counts.
WARM_UP = 1


@dataclass(frozen=True)
class Row:
    """A kind of request, the figures to reach and aimed at, and what stands beside it."""

    kind: str
    reach: int | None
    aim: int | None
    beside: tuple[str, Callable[[Raw], Figures]]


DATABASE = ("one-row update, committed", Raw.update)
ROWS = [
    Row("score", 5300, 8000, DATABASE),
    Row("new best", None, None, DATABASE),
    Row("rank", 6100, 12000, ("ZREVRANK", Raw.zrevrank)),
    Row("top 10", 6000, 12000, ("ZREVRANGE 10", lambda raw: raw.zrevrange(10))),
    Row("top 100", None, None, ("ZREVRANGE 100", lambda raw: raw.zrevrange(100))),
    Row("around", None, None, ("ZREVRANGE 11", lambda raw: raw.zrevrange(11))),
    Row("buy", 3100, 4000, DATABASE),
    Row("login", 3700, 5000, DATABASE),
]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    """One run of all rows on one stack."""

    def __init__(self, stack: Stack, options: argparse.Namespace, directory: Path) -> None:
        self._stack, self._options, self._players_file = stack, options, directory / "players"
        self.lines: list[str] = []

    def run(self) -> None:
        self._load()
        raw = Raw(self._stack, self._options.players, self._options.connections, max(1, self._options.seconds // 2))
        for row in ROWS:
            if self._options.only and row.kind not in self._options.only:
                continue
            name, beside = row.beside
            say(f"{name}, then {row.kind}")
            self._row(row, name, beside(raw))
        raw.clear()
        self._check()

    def _load(self) -> None:
        count, stack = self._options.players, self._stack
        say(f"loading {count} players")
        stack.stop_server()
        load.players(stack, count)
        # The server shall find an empty cache, as after the loss of a node.
        stack.flush_redis()
        started = time.monotonic()
        stack.start_server()
        numbers = random.Random(2).sample(range(count), min(count, CLIENTS))
        load.sessions(stack, numbers[:1], self._players_file)
        token = self._players_file.read_text().split()[-1]
        while stack.get("/v1/leaderboard?limit=1", token)["stale"]:
            time.sleep(0.05)
        say(f"the ranking was built {time.monotonic() - started:.1f} s after the server's start")
        self._at_rest = memory_mib(stack.pid("server"), "VmRSS")
        load.sessions(stack, numbers, self._players_file)
        self._relay()

    def _relay(self) -> None:
        """How fast the outbox becomes empty when nothing else is done."""
        load.events(self._stack, self._options.events, f"EV{secrets.token_hex(3).upper()}")
        before = self._waiting()
        while (left := self._waiting()) == before:
            time.sleep(0.02)
        used, started, before = self._stack.cpu(), time.monotonic(), left
        while (left := self._waiting()) > 0:
            time.sleep(0.2)
        if before == 0:
            raise BenchError("the relay has carried everything before it was measured: take more --events")
        rate = before / (time.monotonic() - started)
        micros = self._micros(used, before)
        self.lines.append(f"| relay, events | - | {rate:,.0f} | - | - | {micros} | - | - |")

    def _waiting(self) -> int:
        return int(self._stack.sql("SELECT COUNT(*) FROM outbox"))

    def _micros(self, before: dict[str, float], count: int, wrk: float | None = None) -> str:
        """CPU microseconds a request: of server, database, Redis, and the load generator."""
        after = self._stack.cpu()
        parts = [(after[name] - before[name]) for name in ("server", "database", "redis")]
        return " + ".join(f"{part / count * 1e6:.0f}" for part in [*parts, *([wrk] if wrk is not None else [])])

    def _row(self, row: Row, name: str, beside: Figures) -> None:
        self._wrk(row.kind, WARM_UP)
        before, own = self._stack.cpu(), _children()
        done = self._wrk(row.kind, self._options.seconds)
        if done["failed"]:
            raise BenchError(f"{row.kind}: {done['failed']} of {done['requests']} requests failed")
        micros = self._micros(before, done["requests"], _children() - own)
        rate = done["requests"] / done["micros"] * 1e6
        target = f"{row.reach:,} / {row.aim:,}" if row.reach else "-"
        self.lines.append(
            f"| {row.kind} | {target} | {rate:,.0f} | {done['p50'] / 1000:.1f} | {done['p99'] / 1000:.1f} | {micros} "
            f"| {name} {beside.rate:,.0f} | {beside.p50:.1f}, {beside.p99:.1f} |"
        )

    def _wrk(self, kind: str, seconds: int) -> dict[str, int]:
        command = [program("wrk"), "--threads=1", f"--connections={self._options.connections}", "--timeout=10s"]
        command += [f"--duration={seconds}s", f"--script={HERE / 'requests.lua'}", f"http://{HOST}:{self._stack.port}"]
        command += ["--", kind, str(self._players_file), secrets.token_hex(6)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 or not done.stdout.strip():
            raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def _check(self) -> None:
        """What was answered must be there: a fast server that loses coins is not fast."""
        wrong = self._stack.sql(
            "SELECT COUNT(*) FROM players p LEFT JOIN (SELECT user_id, SUM(delta) AS total FROM coin_ledger "
            "GROUP BY user_id) l ON l.user_id = p.user_id WHERE p.coins <> COALESCE(l.total, 0)"
        )
        if int(wrong):
            raise BenchError(f"{wrong.strip()} balances are not the sum of their ledger")
        server = self._stack.pid("server")
        self.memory = (
            f"Memory of the server: {self._at_rest:.0f} MiB with {self._options.players:,} players before the load, "
            f"{memory_mib(server, 'VmRSS'):.0f} MiB after it, {memory_mib(server, 'VmHWM'):.0f} MiB at most."
        )

    def table(self) -> str:
        head = "| row | reach / aim | requests/s | p50 ms | p99 ms | CPU µs: server + database + redis + wrk | beside it, raw/s | its p50, p99 ms |"
        return "\n".join([head, "|---|---|---|---|---|---|---|---|", *self.lines, "", self.memory])


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, required=True, help="the game-server to measure")
    parser.add_argument("--seconds", type=int, default=10, help="each row's length (default 10)")
    parser.add_argument("--players", type=int, default=100_000, help="players with a score (default 100000)")
    parser.add_argument("--events", type=int, default=100_000, help="events for the relay's row (default 100000)")
    parser.add_argument("--connections", type=int, default=64, help="of the load generator (default 64)")
    parser.add_argument("--only", action="append", choices=[row.kind for row in ROWS], help="this row (repeatable)")
    options = parser.parse_args()
    # Ended from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        try:
            with Stack(options.server, directory) as stack:
                bench = Bench(stack, options, directory)
                bench.run()
                cores = os.cpu_count()
                print(f"{options.connections} connections, {options.seconds} s a row, {cores} cores with the load on them.\n")
                print(bench.table())
        except BenchError as error:
            say(f"bench: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
