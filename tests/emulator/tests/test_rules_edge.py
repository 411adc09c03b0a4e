"""CloudFront, Route 53, IAM and Auto Scaling refuse what they refuse on AWS."""

from __future__ import annotations

import pytest
from certificates import issued
from network import TRUST, Network, unique


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


def test_tokens_of_certificates_have_no_hyphen(aws, refused):
    refused(
        "ValidationException",
        aws("acm").request_certificate,
        DomainName="example.org",
        IdempotencyToken="with-hyphen",
    )


def distribution(**changes):
    return {
        "CallerReference": unique(),
        "Comment": "assets",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "assets",
                    "DomainName": "assets.s3.eu-west-1.amazonaws.com",
                    "S3OriginConfig": {"OriginAccessIdentity": ""},
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "assets",
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
        **changes,
    }


def test_distributions(aws, refused):
    call = aws("cloudfront").create_distribution

    def attempt(code, **changes):
        return refused(code, call, DistributionConfig=distribution(**changes))

    alias = {"Quantity": 1, "Items": [f"{unique()}.example.org"]}
    attempt("InvalidViewerCertificate", Aliases=alias)
    attempt("InconsistentQuantities", Aliases={"Quantity": 2, "Items": ["a.b.c"]})
    attempt("InvalidArgument", Comment="x" * 129)
    behavior = distribution()["DefaultCacheBehavior"]
    attempt("NoSuchOrigin", DefaultCacheBehavior={**behavior, "TargetOriginId": "other"})
    attempt(
        "NoSuchCachePolicy",
        DefaultCacheBehavior={
            **behavior,
            "CachePolicyId": "00000000-0000-0000-0000-000000000000",
        },
    )
    origins = distribution()["Origins"]
    origins["Items"][0]["OriginAccessControlId"] = "E0000000000000"
    attempt("NoSuchOriginAccessControl", Origins=origins)


def test_aliases_of_distributions(aws, refused):
    call = aws("cloudfront").create_distribution
    name = f"{unique()}.example.org"
    alias = {"Quantity": 1, "Items": [name]}
    elsewhere = issued(aws("acm"), name)
    here = issued(aws("acm", "us-east-1"), name)
    viewer = {
        "ACMCertificateArn": here,
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021",
    }

    def attempt(code, viewer):
        config = distribution(Aliases=alias, ViewerCertificate=viewer)
        refused(code, call, DistributionConfig=config)

    attempt("InvalidViewerCertificate", {**viewer, "ACMCertificateArn": elsewhere})
    attempt("InvalidViewerCertificate", {"ACMCertificateArn": here})
    call(DistributionConfig=distribution(Aliases=alias, ViewerCertificate=viewer))
    attempt("CNAMEAlreadyExists", viewer)
    refused(
        "ResourceInUseException",
        aws("acm", "us-east-1").delete_certificate,
        CertificateArn=here,
    )


def test_an_access_control_in_use_stays(aws, refused):
    cloudfront = aws("cloudfront")
    control = {
        "Name": unique("oac"),
        "SigningProtocol": "sigv4",
        "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    }
    create = cloudfront.create_origin_access_control
    made = create(OriginAccessControlConfig=control)
    refused("OriginAccessControlAlreadyExists", create, OriginAccessControlConfig=control)
    identifier = made["OriginAccessControl"]["Id"]
    origins = distribution()["Origins"]
    origins["Items"][0]["OriginAccessControlId"] = identifier
    cloudfront.create_distribution(DistributionConfig=distribution(Origins=origins))
    refused(
        "OriginAccessControlInUse",
        cloudfront.delete_origin_access_control,
        Id=identifier,
        IfMatch=made["ETag"],
    )


@pytest.fixture
def zone(aws):
    name = f"{unique()}.example.org"
    made = aws("route53").create_hosted_zone(Name=name, CallerReference=unique())
    return made["HostedZone"]["Id"], name


def change(action, name, kind, **record):
    return {
        "Changes": [
            {
                "Action": action,
                "ResourceRecordSet": {"Name": name, "Type": kind, **record},
            }
        ]
    }


def values(*texts, ttl=300):
    return {"TTL": ttl, "ResourceRecords": [{"Value": text} for text in texts]}


def test_records(aws, zone, refused):
    route53 = aws("route53")
    zone_id, name = zone
    call = route53.change_resource_record_sets

    def attempt(batch, code="InvalidChangeBatch"):
        return refused(code, call, HostedZoneId=zone_id, ChangeBatch=batch)

    attempt(change("CREATE", name, "TXT", **values("no quotes")))
    attempt(change("CREATE", name, "TXT", **values(f'"{"x" * 256}"')))
    attempt(change("CREATE", name, "CNAME", **values("other.example.org")))
    a = f"a.{name}"
    call(HostedZoneId=zone_id, ChangeBatch=change("CREATE", a, "A", **values("10.0.0.1")))
    attempt(change("CREATE", a, "A", **values("10.0.0.1")))
    attempt(change("CREATE", a, "CNAME", **values("other.example.org")))
    attempt(change("DELETE", a, "A", **values("10.0.0.2")))
    attempt(change("DELETE", a, "A", **values("10.0.0.1", ttl=60)))
    attempt(change("DELETE", f"b.{name}", "A", **values("10.0.0.1")))
    refused("HostedZoneNotEmpty", route53.delete_hosted_zone, Id=zone_id)
    call(HostedZoneId=zone_id, ChangeBatch=change("DELETE", a, "A", **values("10.0.0.1")))
    route53.delete_hosted_zone(Id=zone_id)


def test_aliases_name_the_right_zone(aws, elbv2, balancer, zone, refused):
    zone_id, name = zone
    [found] = elbv2.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"]

    def alias(zone_of_target):
        target = {
            "DNSName": found["DNSName"],
            "HostedZoneId": zone_of_target,
            "EvaluateTargetHealth": True,
        }
        return change("CREATE", f"api.{name}", "A", AliasTarget=target)

    call = aws("route53").change_resource_record_sets
    refused(
        "InvalidChangeBatch",
        call,
        HostedZoneId=zone_id,
        ChangeBatch=alias("Z00000000000"),
    )
    call(HostedZoneId=zone_id, ChangeBatch=alias(found["CanonicalHostedZoneId"]))


def test_roles_and_profiles(aws, refused):
    iam = aws("iam")
    name = unique("Role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    refused(
        "EntityAlreadyExists",
        iam.create_role,
        RoleName=name.upper(),
        AssumeRolePolicyDocument=TRUST,
    )
    iam.create_instance_profile(InstanceProfileName=name)
    refused(
        "EntityAlreadyExists",
        iam.create_instance_profile,
        InstanceProfileName=name.upper(),
    )
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    refused(
        "LimitExceeded",
        iam.add_role_to_instance_profile,
        InstanceProfileName=name,
        RoleName=name,
    )
    iam.put_role_policy(
        RoleName=name,
        PolicyName="p",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}',
    )
    refused("DeleteConflict", iam.delete_role, RoleName=name)
    refused("DeleteConflict", iam.delete_instance_profile, InstanceProfileName=name)
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    refused("DeleteConflict", iam.delete_role, RoleName=name)
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    iam.delete_instance_profile(InstanceProfileName=name)


def test_a_template_with_interfaces_and_groups(aws, network, refused):
    ec2, group = aws("ec2"), network.group()
    image = ec2.describe_images()["Images"][0]["ImageId"]
    template = ec2.create_launch_template(
        LaunchTemplateName=unique("lt"),
        LaunchTemplateData={
            "ImageId": image,
            "InstanceType": "t3.micro",
            "SecurityGroupIds": [group],
            "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": [group]}],
        },
    )["LaunchTemplate"]
    refused(
        "InvalidQueryParameter",
        aws("autoscaling").create_auto_scaling_group,
        AutoScalingGroupName=unique("asg"),
        MinSize=1,
        MaxSize=1,
        LaunchTemplate={
            "LaunchTemplateId": template["LaunchTemplateId"],
            "Version": "1",
        },
        VPCZoneIdentifier=",".join(network.subnets),
    )
