"""How fast `provision` is beside what the local AWS needs for the same calls one after another.

    make bench-provision

Without waits: an `up`, a `plan` that finds nothing to do and a `down` of the rehearsal topology's control plane. The calls
of one run are recorded by a proxy and sent again, one at a time, to a local AWS in the same state: the time of that is the
local AWS's own. At a time scale: `up` and `down` beside the critical path that they announce.

An aim that is missed is marked, and makes the exit code 1 at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replay import Recorder, replay

ROOT = Path(__file__).resolve().parent.parent
MISSED = "  MISSED"
#: What a plan that finds nothing may ask.
CALLS = 110
#: How much longer than their critical path commands may take.
OVER_PATH = 1.15
#: The header of an x86-64 program and nothing more: the release is hashed and uploaded, and no instance runs it.
PROGRAM = (
    b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0\x01\0\0\0" + bytes(28) + b"\x40\0\x38\0\0\0\x40\0\0\0\0\0"
)


class LocalAws:
    """A local AWS, or a copy of one."""

    def __init__(self, url: str, journals: Path) -> None:
        self.url = url
        self.journals = journals

    def ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"{self.url}/_local/{path}", method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    @contextmanager
    def copy(self) -> Iterator[LocalAws]:
        made = LocalAws(self.ask("POST", "fork")["url"], self.journals)
        try:
            yield made
        finally:
            made.ask("POST", "stop")

    def run(self, provision: Path, arguments: list[str], endpoint: str | None = None) -> tuple[float, str]:
        """Runs `provision`; how many seconds it took, and what it printed."""
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": endpoint or self.url,
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "XDG_STATE_HOME": str(self.journals),
        }
        started = time.monotonic()
        ran = subprocess.run([provision, *arguments], capture_output=True, text=True, env=environment, check=False)
        took = time.monotonic() - started
        if ran.returncode != 0:
            raise SystemExit(f"provision {' '.join(arguments)} ended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
        return took, ran.stdout


@contextmanager
def local_aws(python: Path, directory: Path, *arguments: str) -> Iterator[LocalAws]:
    command = [python, "-m", "local_aws", "--port", "0", "--control-plane-only", *arguments]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT / "tests/emulator", stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            url = next(line for line in process.stdout if line.startswith("local AWS ready on ")).split()[-1]
            yield LocalAws(url, Path(tempfile.mkdtemp(dir=directory)))
        finally:
            process.terminate()
            process.wait()


def verdict(value: float, aim: float) -> str:
    return "" if value <= aim else MISSED


@dataclass
class Row:
    """One command beside the local AWS's own time for its calls."""

    name: str
    calls: int
    took: float
    alone: float
    in_flight: tuple[float, int]
    otherwise: int
    aim: float

    @property
    def ratio(self) -> float:
        return self.took / self.alone

    def __str__(self) -> str:
        mean, most = self.in_flight
        answered = f"; {self.otherwise} answered otherwise" if self.otherwise else ""
        return (
            f"| {self.name} | {self.calls} | {self.took:.2f} | {self.alone:.2f} | {self.ratio:.2f} / {self.aim} "
            f"| {mean:.1f}, {most} |{answered}{verdict(self.ratio, self.aim)}"
        )


def beside(name: str, origin: LocalAws, provision: Path, arguments: list[str], rounds: int, aim: float) -> Row:
    """The command on copies of `origin`, and its calls sent again to further copies, turn by turn."""
    with origin.copy() as aws, Recorder(aws.url) as recorder:
        aws.run(provision, arguments, recorder.url)
        exchanges = recorder.exchanges
        in_flight = recorder.in_flight()
    took, alone, otherwise = [], [], []
    for _ in range(rounds):
        with origin.copy() as aws:
            took.append(aws.run(provision, arguments)[0])
        with origin.copy() as aws:
            seconds, different = replay(aws.url, exchanges)
            alone.append(seconds)
            otherwise.append(different)
    calls = sum(not exchange.path.startswith("/_local/") for exchange in exchanges)
    return Row(name, calls, statistics.median(took), statistics.median(alone), in_flight, max(otherwise), aim)


def without_waits(python: Path, provision: Path, blueprint: Path, directory: Path, rounds: int) -> Iterator[str]:
    up = ["up", str(blueprint), "--yes", "--control-plane-only"]
    print(f"\nWithout waits, the median of {rounds}:\n")
    print("| command | calls | took s | the local AWS alone s | ratio / at most | calls in flight: mean, most |")
    print("|---|---|---|---|---|---|")
    with ExitStack() as stack:
        origin = stack.enter_context(local_aws(python, directory, "--no-waits"))
        yield str(beside("up", origin, provision, up, rounds, 2.5))
        made = stack.enter_context(origin.copy())
        made.run(provision, up)
        plan = beside("plan, no change", made, provision, ["plan", str(blueprint), "--check"], rounds, 1.25)
        yield str(plan)
        down = ["down", str(blueprint), "--yes", "--allow-data-loss"]
        yield str(beside("down", made, provision, down, rounds, 2.5))
    yield f"\nCalls of a plan without a change: {plan.calls} / {CALLS}{verdict(plan.calls, CALLS)}"


def at_scale(python: Path, provision: Path, blueprint: Path, directory: Path, scale: float) -> Iterator[str]:
    print(f"\nAt time scale {scale:g}:\n")
    print("| command | took s | announced critical path s | ratio / at most |")
    print("|---|---|---|---|")
    with local_aws(python, directory, "--time-scale", str(scale)) as aws:
        for name, arguments in [
            ("up", ["up", str(blueprint), "--yes", "--control-plane-only", "--json"]),
            ("down", ["down", str(blueprint), "--yes", "--allow-data-loss", "--json"]),
        ]:
            # Times as AWS's documentation has them: nothing is learned from the run before.
            aws.journals = Path(tempfile.mkdtemp(dir=directory))
            took, printed = aws.run(provision, arguments)
            events = [json.loads(line) for line in printed.splitlines()]
            announced = next(e["plan"] for e in events if e["event"] == "plan")["critical_path_seconds"] / scale
            ratio = took / announced
            yield f"| {name} | {took:.1f} | {announced:.1f} | {ratio:.2f} / {OVER_PATH} |{verdict(ratio, OVER_PATH)}"


def reported(lines: Iterator[str]) -> int:
    """Prints each as it comes; how many aims were missed."""
    missed = 0
    for line in lines:
        print(line, flush=True)
        missed += line.endswith(MISSED)
    return missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provision", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True, help="the local AWS's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=20, help="0: without this part")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "game-server").write_bytes(PROGRAM)
        text = (ROOT / "blueprints/rehearsal.toml").read_text()
        blueprint = directory / "rehearsal.toml"
        blueprint.write_text(text.replace("[servers]", '[servers]\nartifact = "game-server"'))
        provision = args.provision.resolve()
        missed = reported(without_waits(args.python, provision, blueprint, directory, args.rounds))
        if args.scale:
            missed += reported(at_scale(args.python, provision, blueprint, directory, args.scale))
    if missed:
        raise SystemExit(f"aims missed: {missed}")


if __name__ == "__main__":
    main()
