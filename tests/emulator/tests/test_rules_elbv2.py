"""Load balancing refuses what it refuses on AWS, and certificates in use stay."""

from __future__ import annotations

import pytest
from certificates import issued
from network import Network, unique


@pytest.fixture
def network(aws):
    return Network(aws("ec2"))


@pytest.fixture
def elbv2(aws):
    return aws("elbv2")


@pytest.fixture
def balancer(elbv2, network):
    made = elbv2.create_load_balancer(
        Name=unique("lb"), Subnets=network.subnets, SecurityGroups=[network.group()]
    )
    return made["LoadBalancers"][0]["LoadBalancerArn"]


def target_group(elbv2, network, **changes):
    made = elbv2.create_target_group(
        **{
            "Name": unique("tg"),
            "Protocol": "HTTP",
            "Port": 8080,
            "VpcId": network.vpc,
            "TargetType": "instance",
            **changes,
        }
    )
    return made["TargetGroups"][0]["TargetGroupArn"]


@pytest.mark.parametrize("name", ["x" * 33, "under_score", "-edge", "edge-", "internal-lb"])
def test_names(elbv2, network, refused, name):
    refused(
        "ValidationError",
        elbv2.create_load_balancer,
        Name=name,
        Subnets=network.subnets,
    )


def test_zones_groups_and_gateways(aws, elbv2, network, refused):
    call = elbv2.create_load_balancer
    refused("ValidationError", call, Name=unique("lb"), Subnets=network.subnets[:1])
    extra = aws("ec2").create_subnet(
        VpcId=network.vpc,
        CidrBlock=_third_block(aws, network),
        AvailabilityZone="eu-west-1a",
    )["Subnet"]["SubnetId"]
    refused(
        "InvalidConfigurationRequest",
        call,
        Name=unique("lb"),
        Subnets=[*network.subnets, extra],
    )
    refused(
        "InvalidSecurityGroup",
        call,
        Name=unique("lb"),
        Subnets=network.subnets,
        SecurityGroups=["sg-0123456789abcdef0"],
    )
    ec2 = aws("ec2")
    ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)
    refused("InvalidSubnet", call, Name=unique("lb"), Subnets=network.subnets)
    call(Name=unique("lb"), Subnets=network.subnets, Scheme="internal")


def _third_block(aws, network):
    [vpc] = aws("ec2").describe_vpcs(VpcIds=[network.vpc])["Vpcs"]
    return vpc["CidrBlock"].replace(".0.0/16", ".9.0/24")


def test_deletion_protection(elbv2, balancer, refused):
    def protect(on):
        elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=balancer,
            Attributes=[{"Key": "deletion_protection.enabled", "Value": on}],
        )

    protect("true")
    refused("OperationNotPermitted", elbv2.delete_load_balancer, LoadBalancerArn=balancer)
    protect("false")
    elbv2.delete_load_balancer(LoadBalancerArn=balancer)


def test_listeners_and_target_groups(elbv2, network, balancer, refused):
    group = target_group(elbv2, network)
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    listener = {
        "LoadBalancerArn": balancer,
        "Protocol": "HTTP",
        "Port": 80,
        "DefaultActions": forward,
    }
    elbv2.create_listener(**listener)
    refused("DuplicateListener", elbv2.create_listener, **listener)
    refused("ResourceInUse", elbv2.delete_target_group, TargetGroupArn=group)
    other = elbv2.create_load_balancer(Name=unique("lb"), Subnets=network.subnets)
    refused(
        "TargetGroupAssociationLimit",
        elbv2.create_listener,
        **{
            **listener,
            "LoadBalancerArn": other["LoadBalancers"][0]["LoadBalancerArn"],
        },
    )
    elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    elbv2.delete_target_group(TargetGroupArn=group)


def test_target_groups_of_one_name(elbv2, network, refused):
    name = unique("tg")
    arn = target_group(elbv2, network, Name=name)
    assert target_group(elbv2, network, Name=name) == arn
    refused(
        "DuplicateTargetGroupName",
        elbv2.create_target_group,
        Name=name,
        Protocol="HTTP",
        Port=9090,
        VpcId=network.vpc,
    )


def test_attributes_have_ranges(elbv2, network, refused):
    group = target_group(elbv2, network)
    refused(
        "ValidationError",
        elbv2.modify_target_group_attributes,
        TargetGroupArn=group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "3601"}],
    )
    refused(
        "ValidationError",
        elbv2.modify_target_group,
        TargetGroupArn=group,
        HealthCheckIntervalSeconds=4,
    )


def test_certificates_of_listeners(aws, elbv2, network, balancer, refused):
    acm = aws("acm")
    listener = {
        "LoadBalancerArn": balancer,
        "Protocol": "HTTPS",
        "Port": 443,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": target_group(elbv2, network)}],
    }
    refused("ValidationError", elbv2.create_listener, **listener)
    pending = acm.request_certificate(DomainName="api.example.org", ValidationMethod="DNS")[
        "CertificateArn"
    ]
    refused(
        "UnsupportedCertificate",
        elbv2.create_listener,
        **listener,
        Certificates=[{"CertificateArn": pending}],
    )
    refused(
        "CertificateNotFound",
        elbv2.create_listener,
        **listener,
        Certificates=[{"CertificateArn": pending[:-4] + "0000"}],
    )
    certificate = issued(acm, "api.example.org")
    arn = elbv2.create_listener(**listener, Certificates=[{"CertificateArn": certificate}])[
        "Listeners"
    ][0]["ListenerArn"]
    refused("ResourceInUseException", acm.delete_certificate, CertificateArn=certificate)
    described = acm.describe_certificate(CertificateArn=certificate)["Certificate"]
    assert described["InUseBy"] == [balancer]
    elbv2.delete_listener(ListenerArn=arn)
    described = acm.describe_certificate(CertificateArn=certificate)["Certificate"]
    assert described["InUseBy"] == []
    acm.delete_certificate(CertificateArn=certificate)
