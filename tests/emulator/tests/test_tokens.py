"""Idempotency tokens outlive what they made."""

from __future__ import annotations

import uuid

import pytest
from network import Network, unique


@pytest.fixture
def ec2(aws):
    return aws("ec2")


@pytest.fixture
def network(ec2):
    return Network(ec2)


def test_nat_gateways(ec2, network, refused):
    request = {
        "SubnetId": network.subnets[0],
        "AllocationId": network.address(),
        "ClientToken": unique(),
    }
    first = ec2.create_nat_gateway(**request)["NatGateway"]["NatGatewayId"]
    assert ec2.create_nat_gateway(**request)["NatGateway"]["NatGatewayId"] == first
    ec2.delete_nat_gateway(NatGatewayId=first)
    assert ec2.create_nat_gateway(**request)["NatGateway"]["NatGatewayId"] == first
    refused(
        "IdempotentParameterMismatch",
        ec2.create_nat_gateway,
        **{**request, "SubnetId": network.subnets[1]},
    )
    request["ClientToken"] = unique()
    assert ec2.create_nat_gateway(**request)["NatGateway"]["NatGatewayId"] != first


def test_route_tables(ec2, network, refused):
    request = {"VpcId": network.vpc, "ClientToken": unique()}
    first = ec2.create_route_table(**request)["RouteTable"]["RouteTableId"]
    ec2.delete_route_table(RouteTableId=first)
    again = ec2.create_route_table(**request)["RouteTable"]["RouteTableId"]
    assert again == first
    refused("InvalidRouteTableID.NotFound", ec2.delete_route_table, RouteTableId=first)


def test_launch_templates_and_their_versions(ec2, refused):
    name, data = unique("lt"), {"InstanceType": "t3.micro"}
    request = {
        "LaunchTemplateName": name,
        "LaunchTemplateData": data,
        "ClientToken": unique(),
    }
    first = ec2.create_launch_template(**request)["LaunchTemplate"]
    again = ec2.create_launch_template(**request)["LaunchTemplate"]
    assert again["LaunchTemplateId"] == first["LaunchTemplateId"]
    version = {
        "LaunchTemplateName": name,
        "LaunchTemplateData": {"InstanceType": "t3.small"},
        "ClientToken": unique(),
    }
    for _ in range(2):
        made = ec2.create_launch_template_version(**version)["LaunchTemplateVersion"]
        assert made["VersionNumber"] == 2
    refused(
        "IdempotentParameterMismatch",
        ec2.create_launch_template_version,
        **{**version, "LaunchTemplateData": data},
    )


def test_endpoints(ec2, network):
    request = {
        "VpcId": network.vpc,
        "ServiceName": "com.amazonaws.eu-west-1.s3",
        "VpcEndpointType": "Gateway",
        "ClientToken": unique(),
    }
    first = ec2.create_vpc_endpoint(**request)["VpcEndpoint"]["VpcEndpointId"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[first])
    assert ec2.create_vpc_endpoint(**request)["VpcEndpoint"]["VpcEndpointId"] == first


def test_tokens_belong_to_a_region(aws, network):
    token = unique()
    one = aws("ec2").create_route_table(VpcId=network.vpc, ClientToken=token)
    there = aws("ec2", "eu-central-1")
    other = there.create_route_table(VpcId=Network(there).vpc, ClientToken=token)
    assert one["RouteTable"]["RouteTableId"] != other["RouteTable"]["RouteTableId"]


def test_secrets(aws, refused):
    secrets = aws("secretsmanager")
    request = {
        "Name": unique("s"),
        "SecretString": "one",
        "ClientRequestToken": str(uuid.uuid4()),
    }
    first = secrets.create_secret(**request)
    assert secrets.create_secret(**request)["ARN"] == first["ARN"]
    refused(
        "ResourceExistsException",
        secrets.create_secret,
        **{**request, "SecretString": "two"},
    )
    secrets.delete_secret(SecretId=first["ARN"], ForceDeleteWithoutRecovery=True)
    assert secrets.create_secret(**request)["ARN"] == first["ARN"]


def test_certificates(aws, refused):
    acm = aws("acm")
    request = {"DomainName": "example.org", "IdempotencyToken": uuid.uuid4().hex}
    first = acm.request_certificate(**request)["CertificateArn"]
    assert acm.request_certificate(**request)["CertificateArn"] == first
    acm.delete_certificate(CertificateArn=first)
    assert acm.request_certificate(**request)["CertificateArn"] == first
    refused(
        "InvalidParameterException",
        acm.request_certificate,
        **{**request, "DomainName": "example.net"},
    )


def test_a_zone_reference_is_used_once(aws, refused):
    route53 = aws("route53")
    request = {"Name": "example.org", "CallerReference": unique()}
    zone = route53.create_hosted_zone(**request)["HostedZone"]["Id"]
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, **request)
    route53.delete_hosted_zone(Id=zone)
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, **request)


def test_a_distribution_reference_is_used_once(aws, refused):
    from test_rules_edge import distribution

    config = distribution()
    call = aws("cloudfront").create_distribution
    call(DistributionConfig=config)
    refused("DistributionAlreadyExists", call, DistributionConfig=config)
