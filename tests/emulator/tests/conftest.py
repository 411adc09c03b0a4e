"""A local AWS for the tests: a process of its own on a free loopback port, always stopped."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

EMULATOR = Path(__file__).resolve().parent.parent


class Server:
    """A running local AWS."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def client(self, service: str, region: str = "eu-west-1", **config: Any) -> Any:
        """A boto3 client without retries or checks of its own, so that the server's show."""
        settings = {"retries": {"total_max_attempts": 1}, "parameter_validation": False}
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(**{**settings, **config}),
        )

    def control(self, method: str, route: str, body: Any = None) -> Any:
        """Call a route under /_local/."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_local/{route}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def stop(self) -> int:
        """SIGTERM, and wait."""
        self.process.terminate()
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def running(*options: str) -> Iterator[Server]:
    """Start `python -m local_aws` with these options on a free port."""
    command = [sys.executable, "-m", "local_aws", "--port", "0", *options]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    process = subprocess.Popen(
        command, cwd=EMULATOR, stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        line = process.stdout.readline()  # type: ignore[union-attr]
        assert "ready on " in line, f"the server did not start: {line!r}"
        yield Server(process, line.split("ready on ")[1].strip())
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()  # type: ignore[union-attr]


@pytest.fixture(scope="session")
def shared() -> Iterator[Server]:
    """One control plane without waits, for tests that make their own things in it."""
    with running("--control-plane-only", "--no-waits") as server:
        yield server


@pytest.fixture
def aws(shared: Server) -> Callable[..., Any]:
    """`aws("ec2")`: a client of the shared server."""
    return shared.client


@pytest.fixture
def refused() -> Callable[..., str]:
    """`refused("Code", call, **params)`: the call fails with just this wire code; its message."""

    def check(code: str, call: Callable[..., Any], **params: Any) -> str:
        with pytest.raises(ClientError) as caught:
            call(**params)
        error = caught.value.response["Error"]
        assert error["Code"] == code, error
        return str(error["Message"])

    return check
