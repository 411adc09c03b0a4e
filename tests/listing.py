"""Lists everything of one stack through boto3, one `service kind id` a line: independent of provision's own code.

Usage: listing.py ENDPOINT REGION STACK [PART...]

A resource counts when it carries `provision:stack = STACK` and `provision:home = REGION`, or, where AWS keeps no tags on it, when
its name or its parent says so. Default things that every account has are not listed.
"""

import hashlib
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, region, stack, *only = sys.argv[1:]
config = Config(retries={"max_attempts": 3})


def client(service, where=region):
    return boto3.client(service, endpoint_url=endpoint, region_name=where, config=config)


def as_dict(tags):
    if isinstance(tags, dict):
        return tags
    return {t.get("Key", t.get("key")): t.get("Value", t.get("value")) for t in tags or []}


def mine(tags):
    tags = as_dict(tags)
    kept = "provision:kept" in tags
    return tags.get("provision:stack") == stack and tags.get("provision:home") == region and not kept


def show(service, kind, ident):
    print(service, kind, ident)


def pages(api, operation, key, **kwargs):
    if api.can_paginate(operation):
        for page in api.get_paginator(operation).paginate(**kwargs):
            yield from page.get(key) or []
    else:
        yield from getattr(api, operation)(**kwargs).get(key) or []


def ec2():
    api = client("ec2")
    plain = [
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("describe_route_tables", "RouteTables", "RouteTableId"),
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
        ("describe_addresses", "Addresses", "AllocationId"),
        ("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        ("describe_volumes", "Volumes", "VolumeId"),
        ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ]
    for operation, key, ident in plain:
        for item in pages(api, operation, key):
            tags = item.get("Tags") or item.get("TagSet")
            if mine(tags):
                show("ec2", operation.removeprefix("describe_"), item[ident])
    for item in pages(api, "describe_nat_gateways", "NatGateways"):
        if mine(item.get("Tags")) and item["State"] not in ("deleted", "failed"):
            show("ec2", "nat_gateways", item["NatGatewayId"])
    for item in pages(api, "describe_vpc_endpoints", "VpcEndpoints"):
        if mine(item.get("Tags")) and item["State"] != "deleted":
            show("ec2", "vpc_endpoints", item["VpcEndpointId"])
    for reservation in pages(api, "describe_instances", "Reservations"):
        for item in reservation["Instances"]:
            if mine(item.get("Tags")) and item["State"]["Name"] != "terminated":
                show("ec2", "instances", item["InstanceId"])


def rds():
    api = client("rds")
    for operation, key, ident, arn in [
        ("describe_db_instances", "DBInstances", "DBInstanceIdentifier", "DBInstanceArn"),
        ("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", "DBSubnetGroupArn"),
        ("describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName", "DBParameterGroupArn"),
        ("describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier", "DBSnapshotArn"),
    ]:
        for item in pages(api, operation, key):
            if mine(api.list_tags_for_resource(ResourceName=item[arn])["TagList"]):
                show("rds", operation.removeprefix("describe_"), item[ident])


def elasticache():
    api = client("elasticache")
    for operation, key, ident in [
        ("describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"),
        ("describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName"),
        ("describe_cache_parameter_groups", "CacheParameterGroups", "CacheParameterGroupName"),
    ]:
        for item in pages(api, operation, key):
            if item[ident].startswith("default"):
                continue
            if mine(api.list_tags_for_resource(ResourceName=item["ARN"])["TagList"]):
                show("elasticache", operation.removeprefix("describe_"), item[ident])


def elbv2():
    api = client("elbv2")
    balancers = list(pages(api, "describe_load_balancers", "LoadBalancers"))
    arns = [item["LoadBalancerArn"] for item in balancers]
    arns += [item["TargetGroupArn"] for item in pages(api, "describe_target_groups", "TargetGroups")]
    for balancer in balancers:
        found = pages(api, "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"])
        arns += [item["ListenerArn"] for item in found]
    for start in range(0, len(arns), 20):
        for item in api.describe_tags(ResourceArns=arns[start : start + 20])["TagDescriptions"]:
            if mine(item["Tags"]):
                show("elbv2", "resource", item["ResourceArn"])


def autoscaling():
    api = client("autoscaling")
    for item in pages(api, "describe_auto_scaling_groups", "AutoScalingGroups"):
        if mine(item["Tags"]):
            show("autoscaling", "groups", item["AutoScalingGroupName"])
            for policy in pages(api, "describe_policies", "ScalingPolicies", AutoScalingGroupName=item["AutoScalingGroupName"]):
                show("autoscaling", "policies", policy["PolicyARN"])


def s3():
    api = client("s3")
    for bucket in api.list_buckets()["Buckets"]:
        try:
            tags = api.get_bucket_tagging(Bucket=bucket["Name"])["TagSet"]
        except ClientError:
            tags = []
        # A bucket that lost its tags is known by its name.
        if mine(tags) or (not tags and bucket["Name"].startswith(f"{stack}-stack-")):
            show("s3", "buckets", bucket["Name"])


def dynamodb():
    api = client("dynamodb")
    for name in pages(api, "list_tables", "TableNames"):
        arn = api.describe_table(TableName=name)["Table"]["TableArn"]
        if mine(api.list_tags_of_resource(ResourceArn=arn)["Tags"]):
            show("dynamodb", "tables", name)


def edge():
    api = client("cloudfront", "us-east-1")
    for item in api.list_distributions().get("DistributionList", {}).get("Items", []):
        if mine(api.list_tags_for_resource(Resource=item["ARN"])["Tags"]["Items"]):
            show("cloudfront", "distributions", item["Id"])
    for item in api.list_origin_access_controls().get("OriginAccessControlList", {}).get("Items", []):
        # It cannot be tagged: its name ends in a hash of region and wanted name, as every global name does.
        wanted = f"{stack}-origin-access-control"
        if item["Name"].startswith(stack) and item["Name"].endswith(hashlib.sha256(f"{region}/{wanted}".encode()).hexdigest()[:8]):
            show("cloudfront", "origin_access_controls", item["Id"])


def acm_and_dns():
    for where in {region, "us-east-1"}:
        acm = client("acm", where)
        for item in pages(acm, "list_certificates", "CertificateSummaryList"):
            if mine(acm.list_tags_for_certificate(CertificateArn=item["CertificateArn"])["Tags"]):
                show("acm", where, item["CertificateArn"])
    route53 = client("route53", "us-east-1")
    for zone in pages(route53, "list_hosted_zones", "HostedZones"):
        ident = zone["Id"].removeprefix("/hostedzone/")
        tags = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=ident)
        # A zone cannot be tagged when it is made; whose it is says its caller reference too.
        if mine(tags["ResourceTagSet"]["Tags"]) or zone["CallerReference"].startswith(f"{stack}/{region}/"):
            show("route53", "hosted_zones", ident)
        for record in pages(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=ident):
            values = [value["Value"] for value in record.get("ResourceRecords", [])]
            if record["Type"] == "TXT" and record["Name"].startswith("_provision.") and any(f"stack={stack} home={region} " in v for v in values):
                show("route53", "owned_record", f"{ident} {record['Name']}")


def iam():
    api = client("iam", "us-east-1")
    for item in pages(api, "list_roles", "Roles"):
        if mine(api.list_role_tags(RoleName=item["RoleName"])["Tags"]):
            show("iam", "roles", item["RoleName"])
    for item in pages(api, "list_instance_profiles", "InstanceProfiles"):
        profile = api.get_instance_profile(InstanceProfileName=item["InstanceProfileName"])["InstanceProfile"]
        if mine(profile.get("Tags")):
            show("iam", "instance_profiles", item["InstanceProfileName"])


def watching():
    logs = client("logs")
    for item in pages(logs, "describe_log_groups", "logGroups"):
        arn = item["arn"].removesuffix(":*")
        if mine(logs.list_tags_for_resource(resourceArn=arn)["tags"]):
            show("logs", "log_groups", item["logGroupName"])
    for where in {region, "us-east-1"}:
        cloudwatch = client("cloudwatch", where)
        for item in pages(cloudwatch, "describe_alarms", "MetricAlarms"):
            if mine(cloudwatch.list_tags_for_resource(ResourceARN=item["AlarmArn"])["Tags"]):
                show("cloudwatch", where, item["AlarmName"])
    sns = client("sns")
    for item in pages(sns, "list_topics", "Topics"):
        if mine(sns.list_tags_for_resource(ResourceArn=item["TopicArn"])["Tags"]):
            show("sns", "topics", item["TopicArn"])
    secrets = client("secretsmanager")
    for item in pages(secrets, "list_secrets", "SecretList"):
        if mine(item.get("Tags")):
            show("secretsmanager", "secrets", item["ARN"])


for part in (ec2, rds, elasticache, elbv2, autoscaling, s3, dynamodb, edge, acm_and_dns, iam, watching):
    # An endpoint may lack the others.
    if not only or part.__name__ in only:
        part()
