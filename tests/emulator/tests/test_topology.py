"""What is right is taken: the whole topology made and unmade in the right order, nothing refused."""

from __future__ import annotations

import base64
import io
import json

import pytest
from certificates import issued
from conftest import running
from network import TAGS, TRUST, Network, unique
from test_rules_edge import change, distribution


@pytest.fixture(scope="module")
def server():
    with running("--control-plane-only", "--no-waits") as own:
        yield own


def test_buckets(server):
    s3, name = server.client("s3"), unique("stack")
    where = {"LocationConstraint": "eu-west-1", "Tags": TAGS}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_ownership_controls(
        Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "journal",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "journal/"},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                }
            ]
        },
    )
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "cloudfront.amazonaws.com"},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{name}/*",
            }
        ],
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    s3.put_object(Bucket=name, Key="a b/ü+%.txt", Body=b"x", Metadata={"sha256": "0"})
    s3.upload_fileobj(io.BytesIO(b"0" * 9_000_000), name, "releases/big")
    assert s3.head_object(Bucket=name, Key="releases/big")["ContentLength"] == 9_000_000
    s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "a b/ü+%.txt"})
    assert s3.get_object(Bucket=name, Key="copy", Range="bytes=0-0")["Body"].read() == b"x"
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "copy"}]})
    page = s3.list_object_versions(Bucket=name, Prefix="")
    gone = [
        {"Key": v["Key"], "VersionId": v["VersionId"]}
        for v in page.get("Versions", []) + page.get("DeleteMarkers", [])
    ]
    s3.delete_objects(Bucket=name, Delete={"Objects": gone, "Quiet": True})
    s3.delete_bucket(Bucket=name)


def specification(kind):
    return [{"ResourceType": kind, "Tags": TAGS}]


def test_servers(server):
    ec2, elbv2 = server.client("ec2"), server.client("elbv2")
    iam, groups = server.client("iam"), server.client("autoscaling")
    network = Network(ec2)
    name = unique("game-dev")
    group = ec2.create_security_group(
        GroupName=name,
        Description="Servers of game-dev: load balancer to 8080, nothing else",
        VpcId=network.vpc,
        TagSpecifications=specification("security-group"),
    )["GroupId"]
    iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=TRUST, Description="The servers'", Tags=TAGS
    )
    iam.create_instance_profile(InstanceProfileName=name, Tags=TAGS)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    managed = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    iam.attach_role_policy(RoleName=name, PolicyArn=managed)
    parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = server.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    template = ec2.create_launch_template(
        LaunchTemplateName=name,
        ClientToken=unique(),
        TagSpecifications=specification("launch-template"),
        LaunchTemplateData={
            "ImageId": image,
            "InstanceType": "t4g.small",
            "IamInstanceProfile": {"Name": name},
            "SecurityGroupIds": [group],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "UserData": base64.b64encode(b"#!/bin/sh\nset -eu\n").decode(),
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": TAGS[:2]}
                for kind in ("instance", "volume", "network-interface")
            ],
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    balancer = elbv2.create_load_balancer(
        Name=name, Subnets=network.subnets, SecurityGroups=[group], Tags=TAGS
    )["LoadBalancers"][0]["LoadBalancerArn"]
    target = elbv2.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=8080,
        VpcId=network.vpc,
        HealthCheckPath="/livez",
        HealthCheckIntervalSeconds=10,
        HealthCheckTimeoutSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        Matcher={"HttpCode": "200"},
        Tags=TAGS,
    )["TargetGroups"][0]["TargetGroupArn"]
    certificate = issued(server.client("acm"), "api.example.org")
    elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}],
        Tags=TAGS,
    )
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}],
    )
    groups.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=2,
        MaxSize=4,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        VPCZoneIdentifier=",".join(network.subnets),
        TargetGroupARNs=[target],
        HealthCheckType="ELB",
        HealthCheckGracePeriod=120,
        Tags=[{**tag, "PropagateAtLaunch": True} for tag in TAGS[:2]],
    )
    groups.put_scaling_policy(
        AutoScalingGroupName=name,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 60.0,
        },
    )
    groups.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    elbv2.delete_target_group(TargetGroupArn=target)
    server.client("acm").delete_certificate(CertificateArn=certificate)
    ec2.delete_launch_template(LaunchTemplateId=template)
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    iam.delete_instance_profile(InstanceProfileName=name)
    iam.detach_role_policy(RoleName=name, PolicyArn=managed)
    iam.delete_role(RoleName=name)
    ec2.delete_security_group(GroupId=group)
    network.remove()


def test_names_and_assets(server):
    route53, cloudfront = server.client("route53"), server.client("cloudfront")
    name = f"{unique()}.example.org"
    zone = route53.create_hosted_zone(Name=name, CallerReference=unique())["HostedZone"]["Id"]
    certificate = issued(server.client("acm", "us-east-1"), f"assets.{name}")
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": unique("oac"),
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )
    config = distribution(
        Aliases={"Quantity": 1, "Items": [f"assets.{name}"]},
        ViewerCertificate={
            "ACMCertificateArn": certificate,
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        },
        PriceClass="PriceClass_100",
        HttpVersion="http2and3",
    )
    origin = config["Origins"]["Items"][0]
    origin["OriginAccessControlId"] = control["OriginAccessControl"]["Id"]
    made = cloudfront.create_distribution_with_tags(
        DistributionConfigWithTags={"DistributionConfig": config, "Tags": {"Items": TAGS}}
    )
    alias = {
        "DNSName": made["Distribution"]["DomainName"],
        "HostedZoneId": "Z2FDTNDATAQYW2",
        "EvaluateTargetHealth": False,
    }
    records = [
        change("UPSERT", f"assets.{name}", "A", AliasTarget=alias),
        change(
            "CREATE",
            f"_provision.{name}",
            "TXT",
            TTL=60,
            ResourceRecords=[{"Value": '"game-dev eu-west-1"'}],
        ),
    ]
    batch = {"Changes": [entry for record in records for entry in record["Changes"]]}
    done = route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    assert route53.get_change(Id=done["ChangeInfo"]["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    for entry in batch["Changes"]:
        entry["Action"] = "DELETE"
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    route53.delete_hosted_zone(Id=zone)
    identifier = made["Distribution"]["Id"]
    current = cloudfront.get_distribution_config(Id=identifier)
    updated = cloudfront.update_distribution(
        Id=identifier,
        IfMatch=current["ETag"],
        DistributionConfig={**current["DistributionConfig"], "Enabled": False},
    )
    cloudfront.delete_distribution(Id=identifier, IfMatch=updated["ETag"])
    cloudfront.delete_origin_access_control(
        Id=control["OriginAccessControl"]["Id"], IfMatch=control["ETag"]
    )
    server.client("acm", "us-east-1").delete_certificate(CertificateArn=certificate)
