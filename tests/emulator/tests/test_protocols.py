"""Every protocol is parsed, validated and answered, our own answers included."""

from __future__ import annotations

import concurrent.futures
import copy
import struct
import time
import urllib.request

import botocore.loaders
import botocore.session
import pytest
from botocore.config import Config

MISSING = [
    ("ec2", "create_vpc_endpoint", {}, "MissingParameter"),
    ("rds", "create_db_instance", {}, "MissingParameter"),
    ("elasticache", "create_replication_group", {}, "MissingParameter"),
    ("iam", "create_role", {}, "ValidationError"),
    ("autoscaling", "create_auto_scaling_group", {}, "ValidationError"),
    ("elbv2", "create_load_balancer", {}, "ValidationError"),
    ("sns", "create_topic", {}, "InvalidParameter"),
    ("dynamodb", "create_table", {}, "ValidationException"),
    ("secretsmanager", "create_secret", {}, "ValidationException"),
    ("ssm", "get_parameter", {}, "ValidationException"),
    ("acm", "request_certificate", {}, "ValidationException"),
    ("logs", "create_log_group", {}, "InvalidParameterException"),
    ("cloudwatch", "put_metric_alarm", {}, "MissingParameter"),
    ("route53", "create_hosted_zone", {}, "InvalidInput"),
    ("cloudfront", "create_distribution", {"DistributionConfig": {}}, "MalformedXML"),
]


@pytest.mark.parametrize(("service", "operation", "params", "code"), MISSING)
def test_missing_members_are_refused(aws, refused, service, operation, params, code):
    refused(code, getattr(aws(service), operation), **params)


def test_values_outside_the_model_are_refused(aws, refused):
    ec2, iam, logs = aws("ec2"), aws("iam"), aws("logs")
    message = refused(
        "InvalidParameterValue",
        ec2.create_vpc,
        CidrBlock="10.0.0.0/16",
        InstanceTenancy="shared",
    )
    assert "instanceTenancy" in message
    refused("InvalidParameterValue", ec2.describe_vpcs, MaxResults=2)
    message = refused(
        "ValidationError",
        iam.create_role,
        RoleName="r" * 65,
        AssumeRolePolicyDocument="{}",
    )
    assert "length less than or equal to 64" in message
    message = refused(
        "InvalidParameterException", logs.create_log_group, logGroupName="spaces are out"
    )
    assert "regular expression pattern" in message
    refused("InvalidArgument", aws("s3").list_objects_v2, Bucket="some-bucket", EncodingType="gzip")


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor", "json", "query"])
def test_cloudwatch_in_each_of_its_protocols(shared, refused, protocol):
    name = f"high-cpu-{protocol}"
    client = _speaking(shared, protocol)
    alarm = {
        "AlarmName": name,
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 3,
        "MetricName": "CPUUtilization",
        "Namespace": "AWS/RDS",
        "Period": 60,
        "Statistic": "Average",
        "Threshold": 80.5,
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "main"}],
        "Tags": [{"Key": "provision:stack", "Value": "game-dev"}],
    }
    client.put_metric_alarm(**alarm)
    [found] = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert found["Threshold"] == 80.5
    assert found["Dimensions"] == alarm["Dimensions"]
    assert found["StateUpdatedTimestamp"].year > 2000
    tags = client.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"]
    assert tags == alarm["Tags"]
    refused("ValidationError", client.put_metric_alarm, **{**alarm, "Statistic": "Middle"})
    client.delete_alarms(AlarmNames=[name])
    assert client.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


class _OneProtocol(botocore.loaders.Loader):
    """Service models that offer one protocol only, so that the client must speak it."""

    protocol = ""

    def load_service_model(self, *args, **kwargs):
        model = copy.deepcopy(super().load_service_model(*args, **kwargs))
        if "protocols" in model.get("metadata", {}):
            model["metadata"].update(protocol=self.protocol, protocols=[self.protocol])
        return model


def _speaking(shared, protocol):
    loader = botocore.loaders.create_loader()
    one = _OneProtocol(extra_search_paths=loader.search_paths)
    one.protocol = protocol
    session = botocore.session.get_session()
    session.register_component("data_loader", one)
    return session.create_client(
        "cloudwatch",
        region_name="eu-west-1",
        endpoint_url=shared.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False),
    )


def test_twenty_clients_at_once_and_the_cost_of_a_call(shared):
    def one(number: int) -> float:
        ec2 = shared.client("ec2")
        started = time.monotonic()
        for step in range(5):
            vpc = ec2.create_vpc(CidrBlock=f"10.{number}.{step}.0/24")["Vpc"]["VpcId"]
            assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["VpcId"] == vpc
            ec2.delete_vpc(VpcId=vpc)
        return time.monotonic() - started

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(20)))
    each = (time.monotonic() - started) / 300
    assert each < 0.25, f"{each * 1000:.0f} ms a call"


def test_cbor_of_indefinite_length(shared):
    """What the Rust SDK sends: maps and lists that end in a break instead of naming their size."""

    def text(value):
        raw = value.encode()
        return (
            bytes([0x60 + len(raw)]) + raw if len(raw) < 24 else b"\x78" + bytes([len(raw)]) + raw
        )

    def record(**members):
        pairs = b"".join(text(key) + value for key, value in members.items())
        return b"\xbf" + pairs + b"\xff"

    body = record(
        AlarmName=text("indefinite"),
        ComparisonOperator=text("LessThanThreshold"),
        EvaluationPeriods=b"\x02",
        Period=b"\x18\x3c",
        Threshold=b"\xfb" + struct.pack(">d", 0.5),
        MetricName=text("HealthyHostCount"),
        Namespace=text("AWS/ApplicationELB"),
        Statistic=text("Minimum"),
        Dimensions=b"\x9f" + record(Name=text("LoadBalancer"), Value=text("app/n/i")) + b"\xff",
    )
    request = urllib.request.Request(
        f"{shared.url}/service/GraniteServiceVersion20100801/operation/PutMetricAlarm",
        data=body,
        method="POST",
        headers={
            "smithy-protocol": "rpc-v2-cbor",
            "content-type": "application/cbor",
            "accept": "application/cbor",
            "authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/monitoring/aws4_request, "
            "SignedHeaders=host, Signature=0",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["smithy-protocol"] == "rpc-v2-cbor"
    client = shared.client("cloudwatch")
    [found] = client.describe_alarms(AlarmNames=["indefinite"])["MetricAlarms"]
    assert found["Threshold"] == 0.5
    assert found["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/n/i"}]
