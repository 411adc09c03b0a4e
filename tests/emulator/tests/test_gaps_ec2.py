"""NAT gateways, launch templates, instances, VPCs, paging."""

import base64
import json

import pytest
from botocore.exceptions import ClientError
from gaps_server import Aws, Network, eventually, refused, server_fixture, serving, tags

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


aws = server_fixture("--no-waits")
# 20 s of AWS are 1 s here.
slow = server_fixture("--time-scale", "20")


@pytest.fixture(scope="module")
def network(aws):
    return Network(aws)


def ami(aws: Aws) -> str:
    return aws.ssm.get_parameter(Name=AL2023)["Parameter"]["Value"]


def nat(aws: Aws, subnet: str, **more):
    allocation = aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = aws.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=allocation, **more)
    return made["NatGateway"], allocation


def state(aws: Aws, nat_id: str):
    return aws.ec2.describe_nat_gateways(NatGatewayIds=[nat_id])["NatGateways"][0]


def test_a_nat_gateway_takes_its_time(slow):
    network = Network(slow)
    made, allocation = nat(slow, network.subnets[0])
    assert made["State"] == "pending"
    nat_id = made["NatGatewayId"]
    eventually(lambda: state(slow, nat_id)["State"] == "available")
    interface = slow.ec2.describe_network_interfaces(
        Filters=[{"Name": "subnet-id", "Values": [network.subnets[0]]}]
    )["NetworkInterfaces"][0]
    assert interface["Description"] == f"Interface for NAT Gateway {nat_id}"
    slow.ec2.delete_nat_gateway(NatGatewayId=nat_id)
    assert state(slow, nat_id)["State"] == "deleting"
    eventually(lambda: state(slow, nat_id)["State"] == "deleted")
    address = slow.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
    assert not address.get("AssociationId")
    assert not slow.ec2.describe_network_interfaces(
        Filters=[{"Name": "subnet-id", "Values": [network.subnets[0]]}]
    )["NetworkInterfaces"]


def test_a_nat_gateway_without_a_way_out_fails(aws):
    vpc = aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    made, allocation = nat(aws, subnet)
    told = state(aws, made["NatGatewayId"])
    assert (told["State"], told["FailureCode"]) == ("failed", "Gateway.NotAttached")
    aws.ec2.release_address(AllocationId=allocation)


def test_nat_gateways_are_found_by_tag_and_page_by_page(aws, network):
    ids = {
        nat(aws, network.subnets[0], TagSpecifications=tags("natgateway", stack="a"))[0]["NatGatewayId"]
        for _ in range(6)
    }
    listed = aws.ec2.get_paginator("describe_nat_gateways").paginate(
        Filters=[{"Name": "tag:stack", "Values": ["a"]}], PaginationConfig={"PageSize": 5}
    )
    pages = [[n["NatGatewayId"] for n in page["NatGateways"]] for page in listed]
    assert [len(page) for page in pages] == [5, 1]
    assert set(sum(pages, [])) == ids


def template(aws: Aws, name: str, **more) -> str:
    data = {
        "ImageId": ami(aws),
        "InstanceType": "t3.micro",
        "UserData": base64.b64encode(b"#!/bin/sh\necho one\n").decode(),
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": "stack", "Value": "x"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "stack", "Value": "v"}]},
        ],
        **more,
    }
    made = aws.ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData=data,
        TagSpecifications=tags("launch-template", stack="x"),
    )["LaunchTemplate"]
    return made["LaunchTemplateId"]


def test_versions_merge_and_keep_their_numbers(aws):
    template_id = template(aws, "merging")
    second = aws.ec2.create_launch_template_version(
        LaunchTemplateId=template_id,
        SourceVersion="1",
        LaunchTemplateData={"InstanceType": "t3.small"},
    )["LaunchTemplateVersion"]
    data = second["LaunchTemplateData"]
    assert (data["ImageId"], data["InstanceType"]) == (ami(aws), "t3.small")
    assert base64.b64decode(data["UserData"]) == b"#!/bin/sh\necho one\n"
    gone = aws.ec2.delete_launch_template_versions(
        LaunchTemplateId=template_id, Versions=["1", "2", "9"]
    )
    assert [v["VersionNumber"] for v in gone["SuccessfullyDeletedLaunchTemplateVersions"]] == [2]
    refusals = gone["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [v["VersionNumber"] for v in refusals] == [1, 9]
    third = aws.ec2.create_launch_template_version(
        LaunchTemplateId=template_id, SourceVersion="1", LaunchTemplateData={}
    )["LaunchTemplateVersion"]
    assert third["VersionNumber"] == 3
    with refused("InvalidLaunchTemplateId.VersionNotFound"):
        aws.ec2.describe_launch_template_versions(LaunchTemplateId=template_id, Versions=["2"])


def test_a_templates_own_tags_stay_out_of_its_data(aws):
    template_id = template(aws, "tagged")
    told = aws.ec2.describe_launch_template_versions(LaunchTemplateId=template_id)
    specs = told["LaunchTemplateVersions"][0]["LaunchTemplateData"]["TagSpecifications"]
    assert {spec["ResourceType"] for spec in specs} == {"instance", "volume"}
    listed = aws.ec2.describe_launch_templates(LaunchTemplateIds=[template_id])
    assert listed["LaunchTemplates"][0]["Tags"] == [{"Key": "stack", "Value": "x"}]


def test_more_versions_than_a_page(aws):
    template_id = template(aws, "many")
    for _ in range(19):
        aws.ec2.create_launch_template_version(
            LaunchTemplateId=template_id, SourceVersion="1", LaunchTemplateData={}
        )
    pages = aws.ec2.get_paginator("describe_launch_template_versions").paginate(
        LaunchTemplateId=template_id, PaginationConfig={"PageSize": 8}
    )
    assert [len(page["LaunchTemplateVersions"]) for page in pages] == [8, 8, 4]


def profile(aws: Aws, name: str) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    made = aws.iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    aws.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return made["Arn"]


def test_an_instance_is_what_its_template_says(aws, network):
    arn = profile(aws, "whole")
    template_id = template(
        aws,
        "whole",
        IamInstanceProfile={"Arn": arn},
        SecurityGroupIds=[network.group],
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9, "DeleteOnTermination": True}}
        ],
    )
    launched = aws.ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        SubnetId=network.subnets[0],
        LaunchTemplate={"LaunchTemplateId": template_id, "Version": "1"},
    )["Instances"][0]["InstanceId"]
    told = aws.ec2.describe_instances(InstanceIds=[launched])["Reservations"][0]["Instances"][0]
    assert told["State"]["Name"] == "running"
    assert told["IamInstanceProfile"]["Arn"] == arn
    assert {"Key": "stack", "Value": "x"} in told["Tags"]
    volume = told["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    told_volume = aws.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
    assert (told_volume["Size"], told_volume["Tags"]) == (9, [{"Key": "stack", "Value": "v"}])
    interface = told["NetworkInterfaces"][0]["NetworkInterfaceId"]
    aws.ec2.terminate_instances(InstanceIds=[launched])
    with refused("InvalidNetworkInterfaceID.NotFound"):
        aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])
    with refused("InvalidVolume.NotFound"):
        aws.ec2.describe_volumes(VolumeIds=[volume])


def test_a_new_profile_reaches_ec2_late():
    with serving("--time-scale", "3") as aws:
        image, network = ami(aws), Network(aws)
        profile(aws, "late")

        def dry_run():
            try:
                aws.ec2.run_instances(
                    ImageId=image,
                    MinCount=1,
                    MaxCount=1,
                    DryRun=True,
                    SubnetId=network.subnets[0],
                    IamInstanceProfile={"Name": "late"},
                )
            except ClientError as error:
                return error.response["Error"]["Code"]

        assert dry_run() == "InvalidParameterValue"
        eventually(lambda: dry_run() == "DryRunOperation")


def test_instances_pass_through_their_states(slow):
    network = Network(slow, "10.2")
    launched = slow.ec2.run_instances(
        ImageId=ami(slow), MinCount=1, MaxCount=1, SubnetId=network.subnets[0]
    )["Instances"][0]["InstanceId"]

    def told():
        answer = slow.ec2.describe_instances(InstanceIds=[launched])
        return answer["Reservations"][0]["Instances"][0]["State"]["Name"]

    assert told() == "pending"
    eventually(lambda: told() == "running")
    slow.ec2.terminate_instances(InstanceIds=[launched])
    assert told() == "shutting-down"
    eventually(lambda: told() == "terminated")


def test_a_vpc_takes_its_acl_and_interfaces_with_it(aws):
    vpc = aws.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    assert aws.ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]
    group = aws.ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    with refused("DependencyViolation"):
        aws.ec2.delete_vpc(VpcId=vpc)
    aws.ec2.delete_security_group(GroupId=group)
    aws.ec2.delete_vpc(VpcId=vpc)
    assert not aws.ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]
    assert not aws.ec2.describe_network_interfaces(Filters=of_vpc)["NetworkInterfaces"]


def test_offerings_name_zones(aws):
    offered = aws.ec2.describe_instance_type_offerings(
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}],
    )["InstanceTypeOfferings"]
    assert {"us-east-1a", "us-east-1b"} <= {offer["Location"] for offer in offered}


def test_the_routes_of_a_gateway_endpoint_follow_its_tables(aws):
    vpc = aws.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    first, second = (
        aws.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2)
    )
    service = f"com.amazonaws.{aws.ec2.meta.region_name}.s3"
    made = aws.ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=service, VpcEndpointType="Gateway", RouteTableIds=[first]
    )
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]

    def leads_there(table: str) -> bool:
        found = aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
        return endpoint in [route.get("GatewayId") for route in found["Routes"]]

    aws.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint, AddRouteTableIds=[second], RemoveRouteTableIds=[first]
    )
    assert leads_there(second) and not leads_there(first)
    assert not aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"]
    assert not leads_there(second)
