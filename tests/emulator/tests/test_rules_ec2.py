"""EC2 refuses what it refuses on AWS."""

from __future__ import annotations

import base64

import pytest
from network import Network, unique


@pytest.fixture
def ec2(aws):
    return aws("ec2")


@pytest.fixture
def network(ec2):
    return Network(ec2)


def allow_from(group):
    return [
        {
            "IpProtocol": "tcp",
            "FromPort": 3306,
            "ToPort": 3306,
            "UserIdGroupPairs": [{"GroupId": group}],
        }
    ]


def test_a_group_that_another_refers_to_stays(ec2, network, refused):
    app, data = network.group(), network.group()
    ec2.authorize_security_group_ingress(GroupId=data, IpPermissions=allow_from(app))
    refused("DependencyViolation", ec2.delete_security_group, GroupId=app)
    ec2.revoke_security_group_ingress(GroupId=data, IpPermissions=allow_from(app))
    ec2.delete_security_group(GroupId=app)
    ec2.delete_security_group(GroupId=data)


def test_the_default_group_cannot_be_deleted(ec2, network, refused):
    [group] = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])[
        "SecurityGroups"
    ]
    refused("CannotDelete", ec2.delete_security_group, GroupId=group["GroupId"])


def test_what_a_load_balancer_uses_stays(aws, ec2, network, refused):
    elbv2 = aws("elbv2")
    group = network.group()
    made = elbv2.create_load_balancer(
        Name=unique("lb"), Subnets=network.subnets, SecurityGroups=[group]
    )
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=network.subnets[1])
    message = refused(
        "DependencyViolation",
        ec2.detach_internet_gateway,
        InternetGatewayId=network.gateway,
        VpcId=network.vpc,
    )
    assert "mapped public address" in message
    elbv2.delete_load_balancer(LoadBalancerArn=arn)
    ec2.delete_security_group(GroupId=group)


def test_what_an_instance_uses_stays(ec2, network, refused):
    group = network.group()
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        SubnetId=network.subnets[0],
        SecurityGroupIds=[group],
    )
    instance = made["Instances"][0]["InstanceId"]
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=network.subnets[0])
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=network.subnets[0])


def test_nat_gateway_holds_subnet_address_and_gateway(ec2, network, refused):
    nat, address = network.nat()
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=network.subnets[0])
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address)
    refused(
        "DependencyViolation",
        ec2.detach_internet_gateway,
        InternetGatewayId=network.gateway,
        VpcId=network.vpc,
    )
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=address)
    ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)


def test_nat_gateway_needs_an_address_that_exists(ec2, network, refused):
    refused(
        "InvalidElasticIpID.NotFound",
        ec2.create_nat_gateway,
        SubnetId=network.subnets[0],
        AllocationId="eipalloc-0123456789abcdef0",
    )
    refused("MissingParameter", ec2.create_nat_gateway, SubnetId=network.subnets[0])


def test_subnet_groups_hold_their_subnets(aws, ec2, network, refused):
    rds, cache = aws("rds"), aws("elasticache")
    name = unique("sg")
    rds.create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription="d",
        SubnetIds=network.subnets,
    )
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=network.subnets[0])
    rds.delete_db_subnet_group(DBSubnetGroupName=name)
    cache.create_cache_subnet_group(
        CacheSubnetGroupName=name,
        CacheSubnetGroupDescription="d",
        SubnetIds=network.subnets,
    )
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=network.subnets[0])


def test_a_vpc_with_anything_in_it_stays(ec2, network, refused):
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network.vpc)
    for subnet in network.subnets:
        ec2.delete_subnet(SubnetId=subnet)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network.vpc)
    refused(
        "DependencyViolation",
        ec2.delete_internet_gateway,
        InternetGatewayId=network.gateway,
    )
    ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)
    group = network.group()
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network.vpc)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=network.vpc)


def test_route_tables_in_use_stay(ec2, network, refused):
    [main] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])[
        "RouteTables"
    ]
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=main["RouteTableId"])
    made = ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    association = ec2.associate_route_table(RouteTableId=made, SubnetId=network.subnets[0])[
        "AssociationId"
    ]
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=made)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network.vpc)
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_route_table(RouteTableId=made)


@pytest.mark.parametrize("kind", ["nat-gateway", "subnet"])
def test_tags_at_creation_name_the_right_type(ec2, network, refused, kind):
    specification = [{"ResourceType": kind, "Tags": [{"Key": "a", "Value": "b"}]}]
    refused(
        "InvalidParameterValue",
        ec2.create_nat_gateway,
        SubnetId=network.subnets[0],
        AllocationId=network.address(),
        TagSpecifications=specification,
    )


def test_group_names_and_descriptions(ec2, network, refused):
    def create(**changes):
        return {
            "GroupName": unique("g"),
            "Description": "ok",
            "VpcId": network.vpc,
            **changes,
        }

    for bad in ({"Description": "it's"}, {"Description": "x" * 256}):
        refused("InvalidParameterValue", ec2.create_security_group, **create(**bad))
    refused("InvalidParameterValue", ec2.create_security_group, **create(GroupName="sg-web"))
    name = unique("Mixed")
    network.group(name)
    refused(
        "InvalidGroup.Duplicate",
        ec2.create_security_group,
        **create(GroupName=name.lower()),
    )


def test_rules_of_groups(ec2, network, refused):
    group = network.group()
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    refused(
        "InvalidPermission.Duplicate",
        ec2.authorize_security_group_egress,
        GroupId=group,
        IpPermissions=everything,
    )
    refused(
        "InvalidParameterValue",
        ec2.authorize_security_group_ingress,
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ],
    )
    refused(
        "InvalidGroup.NotFound",
        ec2.authorize_security_group_ingress,
        GroupId=group,
        IpPermissions=allow_from("sg-0123456789abcdef0"),
    )


def test_one_attribute_a_call(ec2, network, refused):
    refused(
        "InvalidParameterCombination",
        ec2.modify_vpc_attribute,
        VpcId=network.vpc,
        EnableDnsSupport={"Value": True},
        EnableDnsHostnames={"Value": True},
    )
    ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsHostnames={"Value": True})


def test_interface_endpoints_with_private_dns(ec2, network, refused):
    endpoint = {
        "VpcId": network.vpc,
        "VpcEndpointType": "Interface",
        "ServiceName": "com.amazonaws.eu-west-1.secretsmanager",
        "SubnetIds": network.subnets[:1],
        "PrivateDnsEnabled": True,
    }
    refused("InvalidParameter", ec2.create_vpc_endpoint, **endpoint)
    ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsHostnames={"Value": True})
    ec2.create_vpc_endpoint(**endpoint)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=network.subnets[0])


def test_launch_templates(ec2, refused):
    def create(name=None, **data):
        return {
            "LaunchTemplateName": name or unique("lt"),
            "LaunchTemplateData": {"InstanceType": "t3.micro", **data},
        }

    call = ec2.create_launch_template
    refused("InvalidLaunchTemplateName.MalformedException", call, **create("no spaces"))
    refused("InvalidUserData.Malformed", call, **create(UserData="#!/bin/sh"))
    long = base64.b64encode(b"#" * (16 * 1024 + 1)).decode()
    refused("InvalidParameterValue", call, **create(UserData=long))
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}]
    refused("InvalidParameterValue", call, **create(TagSpecifications=tags))
    call(**create(UserData=base64.b64encode(b"#!/bin/sh\n").decode()))
