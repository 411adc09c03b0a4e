"""Copies of the process with its state, and recordings of a state before every mutating call."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import time
import urllib.error

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from conftest import Server, running
from test_snapshot import populate


@pytest.fixture
def server():
    with running("--control-plane-only", "--no-waits") as own:
        yield own


def copy_of(server, **body):
    answer = server.control("POST", "fork", body or None)
    made = Server(server.process, answer["url"])
    made.pid = answer["pid"]
    return made


def vpcs(server):
    return {vpc["VpcId"] for vpc in server.client("ec2").describe_vpcs()["Vpcs"]}


def gone(pid):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_a_copy_has_the_same_state_and_its_own_from_then_on(server):
    _, group = populate(server)
    before = vpcs(server)
    copy = copy_of(server)
    assert copy.url != server.url
    assert vpcs(copy) == before
    assert copy.client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == b"before"
    # Calls and faults are each one's own.
    assert copy.control("GET", "calls")["mutating"] == 0
    there = copy.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    here = server.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    assert vpcs(copy) == before | {there} and vpcs(server) == before | {here}
    # References between services hold in the copy.
    elbv2 = copy.client("elbv2")
    [balancer] = elbv2.describe_load_balancers()["LoadBalancers"]
    with pytest.raises(ClientError, match="DependencyViolation"):
        copy.client("ec2").delete_security_group(GroupId=group)
    elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    copy.client("rds").delete_db_instance(DBInstanceIdentifier="kept", SkipFinalSnapshot=True)
    copy.client("ec2").delete_security_group(GroupId=group)
    assert len(server.client("elbv2").describe_load_balancers()["LoadBalancers"]) == 1


def test_copies_of_copies_end_when_told_or_with_their_maker(server):
    first = copy_of(server)
    second, third = copy_of(first), copy_of(first)
    second.control("POST", "stop")
    assert gone(second.pid)
    assert vpcs(third) == vpcs(first) == vpcs(server)
    os.kill(first.pid, 9)
    assert gone(third.pid)
    fourth = copy_of(server)
    server.process.kill()
    assert gone(fourth.pid)


def test_a_copy_made_under_load_answers(server):
    """Whatever locks the other threads held, the copy does not wait for them."""
    s3 = server.client("s3")
    where = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="busy", CreateBucketConfiguration=where)
    server.control("POST", "faults", {"action": "DescribeSubnets", "kind": "latency", "ms": 20})

    def work(number):
        ec2 = server.client("ec2")
        for _ in range(15):
            vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
            ec2.describe_subnets()
            s3.put_object(Bucket="busy", Key=str(number), Body=b"x" * 1000)
            ec2.delete_vpc(VpcId=vpc)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        working = [pool.submit(work, number) for number in range(8)]
        for _ in range(10):
            copy = copy_of(server)
            vpcs(copy)
            copy.client("s3").put_bucket_versioning(
                Bucket="busy", VersioningConfiguration={"Status": "Enabled"}
            )
            assert copy.control("GET", "faults") == {"faults": []}
            copy.control("POST", "stop")
        for done in working:
            done.result()


def test_what_was_under_way_goes_on_in_the_copy():
    with running("--control-plane-only", "--time-scale", "60") as server:
        origin = server.client("ec2")
        subnet = origin.describe_subnets()["Subnets"][0]["SubnetId"]
        made = origin.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]
        copy = copy_of(server)
        ec2 = copy.client("ec2")
        deadline = time.monotonic() + 30
        states = set()
        while "available" not in states and time.monotonic() < deadline:
            [gateway] = ec2.describe_nat_gateways(NatGatewayIds=[made["NatGatewayId"]])["NatGateways"]
            states.add(gateway["State"])
        assert states == {"pending", "available"}


def test_a_recording_keeps_the_state_before_every_mutating_call(server):
    ec2 = server.client("ec2")
    original = vpcs(server)
    server.control("POST", "recording")
    one = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ec2.describe_vpcs()
    ec2.create_tags(Resources=[one], Tags=[{"Key": "Name", "Value": "one"}])
    ec2.delete_vpc(VpcId=one)
    recorded = server.control("GET", "recording")
    assert [call["action"] for call in recorded["calls"]] == ["CreateVpc", "CreateTags", "DeleteVpc"]
    assert recorded["calls"][0]["resource"] == ["10.1.0.0/16"]
    assert recorded["calls"][1]["resource"] == sorted(["Name", "one", one])
    for _ in range(2):
        copies = [copy_of(server, recorded=number) for number in range(3)]
        assert [vpcs(copy) for copy in copies] == [original, original | {one}, original | {one}]
        named = [copy.client("ec2").describe_tags()["Tags"] for copy in copies]
        assert [len(tags) for tags in named] == [0, 0, 1]
        # A copy records nothing by itself, and what is done to it stays in it.
        copies[2].client("ec2").delete_vpc(VpcId=one)
        assert copies[2].control("GET", "recording") == {"on": False, "calls": []}
    assert vpcs(copy_of(server, recorded=2)) == original | {one}
    with pytest.raises(urllib.error.HTTPError) as caught:
        copy_of(server, recorded=3)
    assert caught.value.code == 400
    server.control("DELETE", "recording")
    assert all(gone(copy.pid) for copy in copies)


def test_processes_are_not_copied(tmp_path):
    with running("--no-waits", "--state-dir", str(tmp_path)) as server:
        for route in ("fork", "recording"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                server.control("POST", route)
            assert caught.value.code == 400


#: What a killed client leaves behind, by the kind of the fault.
KILLS = [("kill_before", 0), ("kill_after", 1)]


@pytest.mark.parametrize(("kind", "made"), KILLS)
def test_the_client_is_killed(server, kind, made):
    client = subprocess.Popen(["sleep", "600"])
    before = vpcs(server)
    rule = {"action": "CreateVpc", "resource": ["10.2.0.0/16"], "kind": kind, "pid": client.pid}
    server.control("POST", "faults", {**rule, "nth": 1})
    server.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")
    assert client.poll() is None
    with pytest.raises(HTTPClientError):
        server.client("ec2").create_vpc(CidrBlock="10.2.0.0/16")
    assert client.wait(30) == -9
    assert len(vpcs(server)) == len(before) + 1 + made
    # The second time it is let through, with a client that is long gone or not.
    server.client("ec2").create_vpc(CidrBlock="10.2.0.0/16")


@pytest.mark.parametrize("pid", [None, 0, 1, -1, "12", True])
def test_only_a_client_is_killed(server, pid):
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.control("POST", "faults", {"kind": "kill_before", "pid": pid})
    assert caught.value.code == 400
