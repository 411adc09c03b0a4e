"""S3, DynamoDB, secrets, logs, alarms, notifications and tags."""

from __future__ import annotations

import concurrent.futures

import pytest
from botocore.exceptions import ClientError
from conftest import running
from network import unique

HERE = {"LocationConstraint": "eu-west-1"}


@pytest.fixture
def s3(aws):
    return aws("s3")


def test_where_buckets_are_made(aws, s3, refused):
    refused("IllegalLocationConstraintException", s3.create_bucket, Bucket=unique("b"))
    refused(
        "InvalidLocationConstraint",
        aws("s3", "us-east-1").create_bucket,
        Bucket=unique("b"),
        CreateBucketConfiguration={"LocationConstraint": "us-east-1"},
    )
    aws("s3", "us-east-1").create_bucket(Bucket=unique("b"))


def test_tags_of_a_new_bucket_are_kept(s3, refused):
    name = unique("b")
    tags = [
        {"Key": "provision:stack", "Value": "game-dev"},
        {"Key": "provision:node", "Value": "bucket.stack"},
    ]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={**HERE, "Tags": tags})
    kept = s3.get_bucket_tagging(Bucket=name)["TagSet"]
    assert sorted(kept, key=str) == sorted(tags, key=str)
    refused(
        "BucketAlreadyOwnedByYou",
        s3.create_bucket,
        Bucket=name,
        CreateBucketConfiguration=HERE,
    )


def test_a_bucket_with_versions_stays(s3, refused):
    name = unique("b")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=HERE)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=name, Key="k", Body=b"v")["VersionId"]
    marker = s3.delete_object(Bucket=name, Key="k")["VersionId"]
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="k", VersionId=version)
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=name)


def test_conditional_writes_are_atomic(shared, s3, refused):
    name = unique("b")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=HERE)
    clients = [shared.client("s3") for _ in range(20)]

    def won(arguments):
        client, condition = arguments
        try:
            client.put_object(Bucket=name, Key="lease", Body=b"x", **condition)
            return 1
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return 0

    def race(condition):
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            return sum(pool.map(won, [(client, condition) for client in clients]))

    assert race({"IfNoneMatch": "*"}) == 1
    s3.put_object(Bucket=name, Key="lease", Body=b"y")
    refused(
        "PreconditionFailed",
        s3.put_object,
        Bucket=name,
        Key="lease",
        Body=b"z",
        IfMatch='"0123456789abcdef0123456789abcdef"',
    )


def test_configuration_of_a_bucket_changes_one_at_a_time():
    with running("--control-plane-only", "--time-scale", "1000") as server:
        s3 = server.client("s3")
        name = unique("b")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=HERE)
        clients = [server.client("s3") for _ in range(8)]

        def version(client):
            try:
                client.put_bucket_versioning(
                    Bucket=name, VersioningConfiguration={"Status": "Enabled"}
                )
                return "done"
            except ClientError as error:
                return error.response["Error"]["Code"]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ends = list(pool.map(version, clients))
        assert set(ends) == {"done", "OperationAborted"}
        assert [version(client) for client in clients] == ["done"] * 8


def table(**changes):
    return {
        "TableName": unique("t"),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        **changes,
    }


def test_tables(aws, refused):
    dynamodb = aws("dynamodb")
    extra = [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "unused", "AttributeType": "S"},
    ]
    refused(
        "ValidationException",
        dynamodb.create_table,
        **table(AttributeDefinitions=extra),
    )
    made = table(DeletionProtectionEnabled=True)
    name = made["TableName"]
    dynamodb.create_table(**made)
    refused("ResourceInUseException", dynamodb.create_table, **made)
    refused("ValidationException", dynamodb.delete_table, TableName=name)
    ttl = {"AttributeName": "expires_at", "Enabled": True}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
    message = refused(
        "ValidationException",
        dynamodb.update_time_to_live,
        TableName=name,
        TimeToLiveSpecification={**ttl, "Enabled": False},
    )
    assert "multiple times" in message
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=name)


def test_a_secret_in_its_recovery_window(aws, refused):
    secrets = aws("secretsmanager")
    name = unique("s")
    secrets.create_secret(Name=name, SecretString="x")
    refused("ResourceExistsException", secrets.create_secret, Name=name, SecretString="y")
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    message = refused("InvalidRequestException", secrets.create_secret, Name=name, SecretString="x")
    assert "scheduled for deletion" in message
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name=name, SecretString="x")
    refused(
        "InvalidParameterException",
        secrets.delete_secret,
        SecretId=name,
        RecoveryWindowInDays=3,
    )


def test_retention_and_periods(aws, refused):
    logs, name = aws("logs"), unique("/g")
    logs.create_log_group(logGroupName=name)
    refused(
        "InvalidParameterException",
        logs.put_retention_policy,
        logGroupName=name,
        retentionInDays=42,
    )
    refused(
        "ValidationError",
        aws("cloudwatch").put_metric_alarm,
        AlarmName=unique("a"),
        MetricName="m",
        Namespace="n",
        Statistic="Sum",
        Period=45,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )


def test_an_unconfirmed_address_stays(aws, refused):
    sns = aws("sns")
    topic = sns.create_topic(Name=unique("t"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
    refused("InvalidParameter", sns.unsubscribe, SubscriptionArn="PendingConfirmation")


TAGGED = [
    ("iam", "create_instance_profile", {"InstanceProfileName": "p"}, "Tags", "ValidationError"),
    (
        "rds",
        "create_db_parameter_group",
        {
            "DBParameterGroupName": "p",
            "DBParameterGroupFamily": "mysql8.4",
            "Description": "d",
        },
        "Tags",
        "InvalidParameterValue",
    ),
    (
        "elbv2",
        "add_tags",
        {"ResourceArns": ["arn:aws:elasticloadbalancing:x"]},
        "Tags",
        "ValidationError",
    ),
    ("acm", "request_certificate", {"DomainName": "example.org"}, "Tags", "ValidationException"),
]


@pytest.mark.parametrize(("service", "call", "params", "member", "code"), TAGGED)
def test_tag_values_with_odd_characters(aws, refused, service, call, params, member, code):
    tags = {member: [{"Key": "note", "Value": "50% <off>"}]}
    refused(code, getattr(aws(service), call), **params, **tags)


def test_reserved_tag_keys(aws, refused):
    refused(
        "InvalidParameterValue",
        aws("ec2").create_vpc,
        CidrBlock="10.250.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "aws:mine", "Value": "x"}]}],
    )
