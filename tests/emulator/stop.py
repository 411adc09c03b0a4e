"""Ends a local AWS and proves that nothing of it is left: `stop.py STATE_DIRECTORY`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

POLITE_SECONDS = 60
FORCED_SECONDS = 10

Identity = tuple[int, int]


def started(pid: int) -> int | None:
    """When a process began, in ticks since boot; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def family(top: int) -> set[Identity]:
    """A process and everything below it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, edge = {top}, {top}
    while edge:
        edge = {pid for pid, parent in parents.items() if parent in edge} - found
        found |= edge
    return {(pid, since) for pid in found if (since := started(pid)) is not None}


def left(held: set[Identity]) -> set[Identity]:
    return {(pid, since) for pid, since in held if started(pid) == since}


def wait(held: set[Identity], seconds: float) -> set[Identity]:
    deadline = time.monotonic() + seconds
    while (still := left(held)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return still


def main(directory: Path) -> int:
    file = directory / "pid"
    if not file.exists():
        print("the local AWS is not running", file=sys.stderr)
        return 0
    pid, since = (int(word) for word in file.read_text().split())
    held: set[Identity] = family(pid) if started(pid) == since else set()
    register = directory / "state" / "processes.json"
    if register.exists():
        rows = json.loads(register.read_text() or "[]")
        held |= {(row["pid"], row["started"]) for row in rows if row["started"] is not None}
    held = left(held)
    if started(pid) == since:
        os.kill(pid, signal.SIGTERM)
    still = wait(held, POLITE_SECONDS)
    for number, _ in still:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if still := wait(held, FORCED_SECONDS):
        names = ", ".join(str(number) for number, _ in sorted(still))
        print(f"these processes of the local AWS are left: {names}", file=sys.stderr)
        return 1
    for name in ("pid", "env"):
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(directory / "state", ignore_errors=True)
    print(f"the local AWS is stopped; {len(held)} processes ended, none is left", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
