"""Small topologies for the tests of the rules."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

_blocks = itertools.count(1)

TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
)


def unique(prefix: str = "t") -> str:
    """A name no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


#: As the provisioner tags things.
TAGS = [
    {"Key": "provision:stack", "Value": "game-dev"},
    {"Key": "provision:home", "Value": "eu-west-1"},
    {"Key": "provision:node", "Value": "kind.name/a-1"},
]


@dataclass
class Network:
    """A VPC with an attached gateway and a subnet in each of two zones."""

    ec2: Any
    vpc: str = ""
    gateway: str = ""
    subnets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        number = next(_blocks)
        self.vpc = self.ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        made = self.ec2.create_internet_gateway()["InternetGateway"]
        self.gateway = made["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        region = self.ec2.meta.region_name
        for index, zone in enumerate("ab"):
            subnet = self.ec2.create_subnet(
                VpcId=self.vpc,
                CidrBlock=f"10.{number}.{index}.0/24",
                AvailabilityZone=f"{region}{zone}",
            )
            self.subnets.append(subnet["Subnet"]["SubnetId"])

    def group(self, name: str | None = None) -> str:
        """A security group."""
        made = self.ec2.create_security_group(
            GroupName=name or unique("group"), Description="for a test", VpcId=self.vpc
        )
        return str(made["GroupId"])

    def address(self) -> str:
        return str(self.ec2.allocate_address(Domain="vpc")["AllocationId"])

    def nat(self) -> tuple[str, str]:
        """A NAT gateway in the first subnet, and its address."""
        address = self.address()
        made = self.ec2.create_nat_gateway(SubnetId=self.subnets[0], AllocationId=address)
        return made["NatGateway"]["NatGatewayId"], address

    def remove(self) -> None:
        """Take it down; refused while anything else is in it."""
        for subnet in self.subnets:
            self.ec2.delete_subnet(SubnetId=subnet)
        self.ec2.detach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.ec2.delete_internet_gateway(InternetGatewayId=self.gateway)
        self.ec2.delete_vpc(VpcId=self.vpc)
