"""Snapshots hold all services at once, and come back as they were."""

from __future__ import annotations

import time
import urllib.error

import pytest
from certificates import issued
from conftest import running
from network import TRUST, Network, unique
from test_rules_data import instance, replication_group
from test_rules_edge import distribution


def populate(server):
    """Something of every service of the topology."""
    ec2 = server.client("ec2")
    network = Network(ec2)
    network.nat()
    group = network.group()
    s3 = server.client("s3")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="kept", Key="k", Body=b"before")
    rds = server.client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="kept", DBSubnetGroupDescription="d", SubnetIds=network.subnets
    )
    made = instance("kept", DBInstanceIdentifier="kept", VpcSecurityGroupIds=[group])
    rds.create_db_instance(**made)
    server.client("elasticache").create_replication_group(**replication_group())
    elbv2 = server.client("elbv2")
    elbv2.create_load_balancer(Name="kept", Subnets=network.subnets, SecurityGroups=[group])
    iam = server.client("iam")
    iam.create_role(RoleName="kept", AssumeRolePolicyDocument=TRUST)
    issued(server.client("acm"), "example.org")
    config = distribution()
    server.client("cloudfront").create_distribution(DistributionConfig=config)
    server.client("route53").create_hosted_zone(Name="example.org", CallerReference=unique())
    server.client("secretsmanager").create_secret(Name="kept", SecretString="s")
    server.client("logs").create_log_group(logGroupName="/kept")
    server.client("sns").create_topic(Name="kept")
    dynamodb = server.client("dynamodb")
    dynamodb.create_table(
        TableName="kept",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    dynamodb.put_item(TableName="kept", Item={"pk": {"S": "1"}})
    return network, group


def test_everything_comes_back():
    with running("--control-plane-only", "--no-waits") as server:
        network, group = populate(server)
        ec2, s3 = server.client("ec2"), server.client("s3")
        elbv2, rds = server.client("elbv2"), server.client("rds")
        server.control("POST", "snapshot", {"name": "one"})

        s3.put_object(Bucket="kept", Key="k", Body=b"after")
        late = Network(ec2).vpc
        [balancer] = elbv2.describe_load_balancers()["LoadBalancers"]
        elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        rds.delete_db_instance(DBInstanceIdentifier="kept", SkipFinalSnapshot=True)
        server.client("dynamodb").delete_item(TableName="kept", Key={"pk": {"S": "1"}})
        elsewhere = server.client("ec2", "eu-central-1")
        away = Network(elsewhere).vpc

        for _ in range(2):
            server.control("POST", "restore", {"name": "one"})
            assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"before"
            vpcs = {v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]}
            assert network.vpc in vpcs and late not in vpcs
            assert away not in {v["VpcId"] for v in elsewhere.describe_vpcs()["Vpcs"]}
            [found] = elbv2.describe_load_balancers()["LoadBalancers"]
            assert found["LoadBalancerArn"] == balancer["LoadBalancerArn"]
            assert server.client("dynamodb").scan(TableName="kept")["Count"] == 1
            # References between services hold: the group is used by the balancer again.
            with pytest.raises(ec2.exceptions.ClientError, match="DependencyViolation"):
                ec2.delete_security_group(GroupId=group)
            elbv2.delete_load_balancer(LoadBalancerArn=found["LoadBalancerArn"])
            rds.delete_db_instance(DBInstanceIdentifier="kept", SkipFinalSnapshot=True)
            ec2.delete_security_group(GroupId=group)


def test_what_was_under_way_goes_on():
    with running("--control-plane-only", "--time-scale", "200") as server:
        rds = server.client("rds")
        network = Network(server.client("ec2"))
        rds.create_db_subnet_group(
            DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=network.subnets
        )
        rds.create_db_instance(**instance("g", DBInstanceIdentifier="db"))
        _until(lambda: _status(rds) == "available")
        rds.delete_db_instance(DBInstanceIdentifier="db", SkipFinalSnapshot=True)
        server.control("POST", "snapshot")
        _until(lambda: _status(rds) is None)
        server.control("POST", "restore")
        assert _status(rds) == "deleting"
        _until(lambda: _status(rds) is None)


def _status(rds):
    found = rds.describe_db_instances()["DBInstances"]
    return found[0]["DBInstanceStatus"] if found else None


def _until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_unknown_snapshot(shared):
    with pytest.raises(urllib.error.HTTPError) as caught:
        shared.control("POST", "restore", {"name": "never-taken"})
    assert caught.value.code == 400
