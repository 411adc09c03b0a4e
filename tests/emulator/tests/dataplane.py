"""Small set-ups that the data plane's tests share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import Server

REGION = "eu-west-1"


def until(what: str, check: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true answer of `check`; exceptions count as no."""
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except Exception as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s; last: {last!r}")


def processes(server: Server, kind: str) -> list[dict[str, Any]]:
    rows = server.control("GET", "processes")["processes"]
    return [row for row in rows if row["kind"] == kind]


def is_running(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def state_dir(server: Server) -> Path:
    command = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().split(b"\0")
    return Path(command[command.index(b"--state-dir") + 1].decode())


def authority(server: Server) -> Path:
    """The throw-away certificate authority's file."""
    return state_dir(server) / "dataplane" / "authority" / "ca.pem"


def network(server: Server) -> dict[str, Any]:
    """A VPC with two subnets in two zones, and a security group."""
    ec2 = server.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}{zone}"
        )["Subnet"]["SubnetId"]
        for number, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="all", Description="all", VpcId=vpc)["GroupId"]
    return {"vpc": vpc, "subnets": subnets, "group": group}


def image(server: Server) -> str:
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    return str(server.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
