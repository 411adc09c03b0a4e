"""A local AWS of its own for a test module, and clients that talk to it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

EMULATOR = Path(__file__).resolve().parent.parent


class Aws:
    """Clients of one server, by service name: `aws.ec2`, `aws("ec2", "eu-west-1")`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[tuple[str, str], Any] = {}

    def __call__(self, service: str, region: str = "us-east-1") -> Any:
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[key]

    def __getattr__(self, service: str) -> Any:
        return self(service)


@contextmanager
def serving(*arguments: str) -> Iterator[Aws]:
    """Starts `python -m local_aws` on a free loopback port and always stops it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local_aws", "--port", "0", "--control-plane-only", *arguments],
        cwd=EMULATOR,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"the server did not start: {line!r}"
        yield Aws(found.group())
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def eventually(probe: Callable[[], Any], seconds: float = 40) -> Any:
    """The first true answer of `probe`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)


@contextmanager
def refused(code: str, text: str = "") -> Iterator[None]:
    """The calls inside must be refused with AWS's own code."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error.get("Message", ""), error


def tags(kind: str, **pairs: str) -> list[dict[str, Any]]:
    """TagSpecifications for one EC2 resource."""
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in pairs.items()]}]


class Network:
    """A VPC with an internet gateway, two subnets in two zones and a group."""

    def __init__(self, aws: Aws, cidr: str = "10.0", region: str = "us-east-1") -> None:
        ec2 = aws("ec2", region)
        self.vpc = ec2.create_vpc(CidrBlock=f"{cidr}.0.0/16")["Vpc"]["VpcId"]
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.subnets = [
            ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"{cidr}.{i}.0/24", AvailabilityZone=f"{region}{zone}"
            )["Subnet"]["SubnetId"]
            for i, zone in enumerate("ab")
        ]
        self.group = ec2.create_security_group(
            GroupName="servers", Description="servers", VpcId=self.vpc
        )["GroupId"]


def server_fixture(*arguments: str) -> Any:
    """A module-wide fixture: a server of the module's own."""

    @pytest.fixture(scope="module")
    def server() -> Iterator[Aws]:
        with serving(*arguments) as running:
            yield running

    return server
