"""Redis and the database by themselves, each by its own project's load generator."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from dataclasses import dataclass

from stack import HOST, BenchError, Stack, program

BOARD = "raw:board"
#: What redis-benchmark sends at most in a second; it takes a number of requests, not a time.
REDIS_A_SECOND = 20_000


@dataclass(frozen=True)
class Figures:
    """Requests a second; milliseconds."""

    rate: float
    p50: float
    p99: float


class Raw:
    """Runs each kind at most once: several rows may stand beside the same one."""

    def __init__(self, stack: Stack, players: int, connections: int, seconds: int) -> None:
        self._stack, self._players, self._connections, self._seconds = stack, players, connections, seconds
        self._command("EVAL", f"for i = 0, {players - 1} do redis.call('ZADD', KEYS[1], i, "
                      "string.format('%012d', i)) end", "1", BOARD)
        self._sysbench("prepare")

    def clear(self) -> None:
        """Leaves nothing behind that would weigh on what comes next."""
        self._command("UNLINK", BOARD)

    def zadd(self) -> Figures:
        return self._redis("ZADD", BOARD, "__rand_int__", "__rand_int__")

    def zrevrank(self) -> Figures:
        return self._redis("ZREVRANK", BOARD, "__rand_int__")

    def zrevrange(self, lines: int) -> Figures:
        return self._redis("ZREVRANGE", BOARD, "0", str(lines - 1), "WITHSCORES")

    def update(self) -> Figures:
        """Transactions of one update of one row each."""
        text = self._sysbench("run")
        rate = re.search(r"transactions:\s+\d+\s+\(([\d.]+) per sec", text)
        if rate is None:
            raise BenchError(f"sysbench says:\n{text[-2000:]}")
        bars = [(float(ms), int(count)) for ms, count in re.findall(r"^\s*([\d.]+) \|\**\s*(\d+)$", text, re.M)]
        return Figures(float(rate[1]), _percentile(bars, 50), _percentile(bars, 99))

    def _command(self, *words: str) -> None:
        client = [program("redis-cli"), "-e", "-h", HOST, "-p", str(self._stack.redis_port), *words]
        done = subprocess.run(client, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"redis refuses: {done.stdout.strip()}")

    def _redis(self, *words: str) -> Figures:
        command = [program("redis-benchmark"), "-h", HOST, "-p", str(self._stack.redis_port), "--csv"]
        command += ["-c", str(self._connections), "-n", str(self._seconds * REDIS_A_SECOND)]
        command += ["-r", str(self._players), *words]
        done = subprocess.run(command, capture_output=True, text=True)
        row = next(csv.DictReader(io.StringIO(done.stdout)), None)
        if done.returncode != 0 or row is None:
            raise BenchError(f"redis-benchmark failed: {done.stdout}{done.stderr}")
        return Figures(float(row["rps"]), float(row["p50_latency_ms"]), float(row["p99_latency_ms"]))

    def _sysbench(self, what: str) -> str:
        command = [program("sysbench"), "oltp_update_non_index", "--db-driver=mysql", "--mysql-user=root"]
        command += [f"--mysql-socket={self._stack.socket}", "--mysql-db=raw", "--tables=1"]
        command += [f"--table-size={self._players}", "--histogram=on", f"--time={self._seconds}"]
        command += [f"--threads={self._connections if what == 'run' else 1}", what]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"sysbench failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout


def _percentile(bars: list[tuple[float, int]], percent: float) -> float:
    left = sum(count for _, count in bars) * percent / 100
    for ms, count in bars:
        left -= count
        if left <= 0:
            return ms
    return 0.0
