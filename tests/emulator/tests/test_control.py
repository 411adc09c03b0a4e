"""The routes under /_local/, faults, and how the server starts and ends."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import time
import urllib.error

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from conftest import EMULATOR, running
from network import unique


@pytest.fixture(scope="module")
def own():
    with running("--control-plane-only", "--no-waits") as server:
        yield server


@pytest.fixture
def server(own):
    yield own
    own.control("DELETE", "faults")


def code_of(call, **params):
    try:
        call(**params)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_health_says_the_time_scale(server):
    assert server.control("GET", "health") == {"status": "ok", "time_scale": 0}
    with running("--control-plane-only", "--time-scale", "20") as scaled:
        assert scaled.control("GET", "health")["time_scale"] == 20


def test_calls_are_counted_in_order(server):
    ec2, s3 = server.client("ec2"), server.client("s3")
    server.control("DELETE", "calls")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ec2.describe_vpcs()
    ec2.describe_vpcs()
    s3.list_buckets()
    assert code_of(ec2.delete_vpc, VpcId="vpc-0123456789abcdef0")
    counts = server.control("GET", "calls")
    assert counts["total"] == 5 and counts["mutating"] == 2
    assert counts["services"] == {
        "ec2": {"CreateVpc": 1, "DeleteVpc": 1, "DescribeVpcs": 2},
        "s3": {"ListBuckets": 1},
    }
    listed = server.control("GET", "calls?list=1")["list"]
    assert [c["action"] for c in listed] == [
        "CreateVpc",
        "DescribeVpcs",
        "DescribeVpcs",
        "ListBuckets",
        "DeleteVpc",
    ]
    assert [c["mutating"] for c in listed] == [True, False, False, False, True]
    assert listed[-1]["code"] == "InvalidVpcID.NotFound"
    server.control("DELETE", "calls")
    assert server.control("GET", "calls")["total"] == 0
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]


THROTTLES = [
    ("ec2", "describe_vpcs", "RequestLimitExceeded"),
    ("rds", "describe_db_instances", "Throttling"),
    ("s3", "list_buckets", "SlowDown"),
    ("dynamodb", "list_tables", "ThrottlingException"),
    ("route53", "list_hosted_zones", "Throttling"),
    ("cloudwatch", "describe_alarms", "Throttling"),
    ("logs", "describe_log_groups", "ThrottlingException"),
]


@pytest.mark.parametrize(("service", "call", "code"), THROTTLES)
def test_throttling_in_the_words_of_the_service(server, service, call, code):
    server.control("POST", "faults", {"service": service, "kind": "throttle"})
    assert code_of(getattr(server.client(service), call)) == code
    server.control("DELETE", "faults")
    assert code_of(getattr(server.client(service), call)) is None


def test_the_nth_call_fails(server):
    ec2 = server.client("ec2")
    rule = {"service": "ec2", "action": "DescribeVpcs", "nth": 2, "kind": "error500"}
    server.control("POST", "faults", rule)
    assert [code_of(ec2.describe_vpcs) for _ in range(3)] == [
        None,
        "InternalError",
        None,
    ]
    [seen] = server.control("GET", "faults")["faults"]
    assert (seen["seen"], seen["fired"]) == (3, 1)


def test_faults_at_random_repeat_with_their_seed(server):
    ec2 = server.client("ec2")

    def throw():
        server.control("DELETE", "faults")
        rule = {"service": "ec2", "probability": 0.5, "seed": 7, "kind": "error503"}
        server.control("POST", "faults", [rule])
        return [code_of(ec2.describe_vpcs) for _ in range(20)]

    first = throw()
    assert set(first) == {None, "Unavailable"}
    assert throw() == first


def test_a_lost_answer_was_executed(server):
    s3 = server.client("s3")
    name = unique("b")
    rule = {"service": "s3", "action": "CreateBucket", "resource": name, "kind": "lost"}
    server.control("POST", "faults", rule)
    where = {"LocationConstraint": "eu-west-1"}
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    s3.head_bucket(Bucket=name)
    s3.create_bucket(Bucket=unique("b"), CreateBucketConfiguration=where)


def test_any_error_by_name(server):
    rule = {
        "service": "ec2",
        "action": "CreateSubnet",
        "kind": "error",
        "code": "InvalidVpcID.NotFound",
        "nth": 1,
    }
    server.control("POST", "faults", rule)
    ec2 = server.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = {"VpcId": vpc, "CidrBlock": "10.1.0.0/24"}
    assert code_of(ec2.create_subnet, **subnet) == "InvalidVpcID.NotFound"
    assert code_of(ec2.create_subnet, **subnet) is None


def test_latency_holds_nobody_else(server):
    server.control(
        "POST",
        "faults",
        {"service": "ec2", "action": "DescribeVpcs", "kind": "latency", "ms": 5000},
    )
    slow, fast = server.client("ec2"), server.client("ec2")
    fast.describe_subnets()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slow.describe_vpcs)
        started = time.monotonic()
        fast.describe_subnets()
        assert time.monotonic() - started < 4
        waiting.result()
        assert time.monotonic() - started >= 4


@pytest.mark.parametrize(
    "rule",
    [{"kind": "explode"}, {"kind": "latency"}, {"kind": "lost", "when": "now"}, 7],
)
def test_bad_rules_are_refused(server, rule):
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.control("POST", "faults", rule)
    assert caught.value.code == 400
    assert server.control("GET", "faults") == {"faults": []}


def test_what_is_not_there_says_so(server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.control("GET", "no-such-route")
    assert caught.value.code == 404
    assert code_of(server.client("ec2").describe_trunk_interface_associations) == "NotImplemented"


def test_only_loopback_is_bound():
    command = [sys.executable, "-m", "local_aws", "--port", "0", "--host", "0.0.0.0"]
    done = subprocess.run(
        command, cwd=EMULATOR, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "not a loopback address" in done.stderr


def test_it_ends_cleanly_when_told():
    with running("--control-plane-only", "--no-waits") as server:
        assert server.stop() == 0
        with pytest.raises(urllib.error.URLError):
            server.control("GET", "health")
