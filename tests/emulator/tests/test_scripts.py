"""start.sh and stop.sh: in the background, found again, and gone without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dataplane
import pytest
from conftest import EMULATOR
from dataplane import until


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state of it"
    run("stop.sh", tmp_path / "state of it")


def run(script: str, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LOCAL_AWS_DIR": str(directory)}
    command = [str(EMULATOR / script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def sourced(directory: Path, command: str) -> str:
    text = f'. "{directory}/env" && {command}'
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pid_of(directory: Path) -> int:
    return int((directory / "pid").read_text().split()[0])


def test_it_starts_once_answers_the_cli_and_stops(directory: Path) -> None:
    started = run("start.sh", directory, "--time-scale", "500")
    assert started.returncode == 0, started.stderr
    pid = pid_of(directory)
    assert "runs already" in run("start.sh", directory).stderr
    assert pid_of(directory) == pid
    sourced(directory, "aws s3api create-bucket --bucket of-the-script --create-bucket-configuration "
            "LocationConstraint=$AWS_REGION")
    assert "of-the-script" in sourced(directory, "aws s3 ls")
    assert "BEGIN CERTIFICATE" in sourced(directory, 'cat "$LOCAL_AWS_CA_FILE"')
    stopped = run("stop.sh", directory)
    assert stopped.returncode == 0, stopped.stderr
    assert "none is left" in stopped.stderr
    assert not dataplane.is_running(pid)
    assert not (directory / "env").exists() and not (directory / "state").exists()
    assert "not running" in run("stop.sh", directory).stderr


def test_a_killed_emulator_is_cleaned_up_and_started_again(directory: Path) -> None:
    assert run("start.sh", directory, "--time-scale", "500").returncode == 0
    sourced(
        directory,
        "aws elasticache create-replication-group --replication-group-id g --cache-node-type cache.t4g.micro "
        "--replication-group-description g --engine redis --num-cache-clusters 1",
    )
    url = sourced(directory, "echo $AWS_ENDPOINT_URL").strip()

    def caches() -> list[int]:
        with urllib.request.urlopen(f"{url}/_local/processes", timeout=10) as answer:
            return [row["pid"] for row in json.load(answer)["processes"]]

    pids = until("its processes run", caches)
    old = pid_of(directory)
    os.kill(old, signal.SIGKILL)
    until("they died with it", lambda: not any(map(dataplane.is_running, pids)))
    assert run("start.sh", directory, "--control-plane-only").returncode == 0
    assert pid_of(directory) != old
    assert run("stop.sh", directory).returncode == 0
