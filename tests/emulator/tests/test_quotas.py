"""Quotas hold when they are asked for, and only then."""

from __future__ import annotations

import urllib.error

import pytest
from conftest import running
from network import Network


@pytest.fixture(scope="module")
def server():
    with running("--control-plane-only", "--no-waits") as own:
        yield own


def test_quotas(server, refused):
    ec2 = server.client("ec2")
    network = Network(ec2)
    held = len(ec2.describe_vpcs()["Vpcs"])
    server.control("POST", "quotas", {"vpcs": held, "addresses": 1, "rules_per_group": 1})
    refused("VpcLimitExceeded", ec2.create_vpc, CidrBlock="10.200.0.0/16")
    network.address()
    refused("AddressLimitExceeded", ec2.allocate_address, Domain="vpc")
    two = [{"CidrIp": "10.0.0.0/24"}, {"CidrIp": "10.0.1.0/24"}]
    refused(
        "RulesPerSecurityGroupLimitExceeded",
        ec2.authorize_security_group_ingress,
        GroupId=network.group(),
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": two}],
    )
    server.control("DELETE", "quotas")
    ec2.create_vpc(CidrBlock="10.200.0.0/16")
    ec2.allocate_address(Domain="vpc")


def test_an_unknown_quota(server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.control("POST", "quotas", {"wishes": 3})
    assert caught.value.code == 400
