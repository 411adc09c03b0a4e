"""All that an account holds, ids apart: two accounts with the same topology give the same lines.

Reads endpoints from standard input, one a line, and answers each with one line of JSON: an array of texts
`service kind name {attributes}`, sorted. What AWS draws by lot or by the clock (ids, addresses, times) is left out or
replaced by the name of what it stands for. Things without any tag are listed too: an orphan has no place to hide.
It asks through boto3, so it shares nothing with provision's own reading.
"""

import base64
import datetime
import json
import re
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HOME = "eu-central-1"
NODE = "provision:node"

#: Drawn by lot, by the clock, or counting what happened on the way.
DROPPED = re.compile(
    r"ResponseMetadata|PrivateIp|PrivateDns|PublicDns|IpAddress$|MacAddress|AvailableIpAddressCount|creationTime|ETag|Etag"
    r"|storedBytes|ItemCount|TableSizeBytes|ClientToken|CallerReference|VersionId|LatestVersionNumber|VersionNumber"
    r"|Serial|ReservationId|AttachmentId|AssociationId|SubnetIpv6|Reason|DbiResourceId|RoleId|InstanceProfileId"
    r"|TableId|WarmThroughput|LaunchIndex|StatusTransition|PasswordLastUsed|ChangeInfo|SecretVersions|LastAccessed"
)
IDS = re.compile(
    r"\b(eni-attach|[a-z]{1,9})-[0-9a-f]{17}\b"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|(?<=\.)[0-9a-z]{6,12}(?=\.(?:eu-?central-?1)\.)|(?<=-)\d{4}(?:-\d\d){4}\b"
    r"|(?<=/)[0-9a-f]{16}\b|\b[0-9a-f]{32}\b|(?<=_)[0-9a-f]{32}\b|\b[0-9a-f]{10}(?=\.acm-validations)"
)

session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local")


class Account:
    """One endpoint's things, as they are found, and the names of their ids."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.clients = {}
        self.found = []
        self.names = {"http://" + endpoint.split("//")[-1]: "http://endpoint"}

    def client(self, service, region=HOME):
        if (service, region) not in self.clients:
            config = Config(retries={"max_attempts": 3})
            self.clients[service, region] = session.client(service, region_name=region, endpoint_url=self.endpoint, config=config)
        return self.clients[service, region]

    def pages(self, service, operation, key, region=HOME, **arguments):
        api = self.client(service, region)
        pages = api.get_paginator(operation).paginate(**arguments) if api.can_paginate(operation) else [getattr(api, operation)(**arguments)]
        for page in pages:
            for part in key.split("."):
                page = page.get(part) or {}
            yield from page or []

    def add(self, service, kind, name, item, ident=None):
        """Something; `ident` is its id where that is drawn by lot."""
        if ident:
            self.names[ident] = f"<{name}>"
        self.found.append((service, kind, name, item))

    def lines(self):
        known = sorted(self.names, key=len, reverse=True)
        names = re.compile("|".join(re.escape(ident) for ident in known))

        def plain(text):
            return IDS.sub(lambda match: f"{match[1] or ''}*", names.sub(lambda match: self.names[match[0]], text))

        def scrub(value):
            if isinstance(value, dict):
                if value.get("Key") == "provision:incarnation":
                    return {"Key": value["Key"]}
                kept = {k: v for k, v in value.items() if not DROPPED.search(k) and not isinstance(v, datetime.datetime)}
                if "UserData" in kept:
                    kept["UserData"] = base64.b64decode(kept["UserData"]).decode()
                return {plain(k): scrub(v) for k, v in kept.items()}
            if isinstance(value, list | tuple | set):
                return sorted((scrub(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True, default=str))
            return plain(value) if isinstance(value, str) else value

        made = [(s, k, plain(n), json.dumps(scrub(i), sort_keys=True, default=str)) for s, k, n, i in self.found]
        return sorted(" ".join(line) for line in made)


def absent(call, **arguments):
    """The answer, or nothing where there is none."""
    try:
        return call(**arguments)
    except ClientError as error:
        return {"absent": error.response["Error"]["Code"]}


def tagged(tags, otherwise):
    """The node that the tags name."""
    tags = {t.get("Key", t.get("key")): t.get("Value", t.get("value")) for t in tags or []}
    return tags.get(NODE, otherwise)


def ec2(account):
    plain = [
        ("vpcs", "Vpcs", "VpcId"),
        ("subnets", "Subnets", "SubnetId"),
        ("internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("route_tables", "RouteTables", "RouteTableId"),
        ("security_groups", "SecurityGroups", "GroupId"),
        ("security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
        ("addresses", "Addresses", "AllocationId"),
        ("nat_gateways", "NatGateways", "NatGatewayId"),
        ("vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        ("network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        ("volumes", "Volumes", "VolumeId"),
        ("launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        ("network_acls", "NetworkAcls", "NetworkAclId"),
    ]
    for kind, key, ident in plain:
        for item in account.pages("ec2", f"describe_{kind}", key):
            if item.get("State") in ("deleted", "deleting"):
                continue
            name = tagged(item.get("Tags") or item.get("TagSet"), item.get("GroupName") or kind)
            account.add("ec2", kind, name, item, item[ident])
            if "PublicIp" in item:
                account.names[item["PublicIp"]] = f"<address of {name}>"
    api = account.client("ec2")
    for item in account.pages("ec2", "describe_vpcs", "Vpcs"):
        for attribute in ("enableDnsHostnames", "enableDnsSupport"):
            value = api.describe_vpc_attribute(VpcId=item["VpcId"], Attribute=attribute)
            account.add("ec2", attribute, tagged(item.get("Tags"), "vpcs"), value)
    for item in account.pages("ec2", "describe_instances", "Reservations"):
        for instance in item["Instances"]:
            if instance["State"]["Name"] != "terminated":
                account.add("ec2", "instances", "instance", instance, instance["InstanceId"])
    for item in account.pages("ec2", "describe_launch_template_versions", "LaunchTemplateVersions", Versions=["$Latest"]):
        account.add("ec2", "launch_template_version", item["LaunchTemplateName"], item)


def rds(account):
    api = account.client("rds")
    for kind, key, ident, arn in [
        ("db_instances", "DBInstances", "DBInstanceIdentifier", "DBInstanceArn"),
        ("db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", "DBSubnetGroupArn"),
        ("db_parameter_groups", "DBParameterGroups", "DBParameterGroupName", "DBParameterGroupArn"),
        ("db_snapshots", "DBSnapshots", "DBSnapshotIdentifier", "DBSnapshotArn"),
    ]:
        for item in account.pages("rds", f"describe_{kind}", key):
            tags = api.list_tags_for_resource(ResourceName=item[arn])["TagList"]
            more = []
            if kind == "db_parameter_groups" and not item[ident].startswith("default"):
                more = list(account.pages("rds", "describe_db_parameters", "Parameters", DBParameterGroupName=item[ident], Source="user"))
            account.add("rds", kind, item[ident], [item, tags, more])


def elasticache(account):
    api = account.client("elasticache")
    for kind, key, ident in [
        ("replication_groups", "ReplicationGroups", "ReplicationGroupId"),
        ("cache_clusters", "CacheClusters", "CacheClusterId"),
        ("cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName"),
        ("cache_parameter_groups", "CacheParameterGroups", "CacheParameterGroupName"),
        ("snapshots", "Snapshots", "SnapshotName"),
    ]:
        for item in account.pages("elasticache", f"describe_{kind}", key):
            if not item[ident].startswith("default"):
                tags = api.list_tags_for_resource(ResourceName=item["ARN"])["TagList"]
                account.add("elasticache", kind, item[ident], [item, tags])


def elbv2(account):
    api = account.client("elbv2")
    for balancer in account.pages("elbv2", "describe_load_balancers", "LoadBalancers"):
        arn = balancer["LoadBalancerArn"]
        attributes = api.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        tags = api.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        account.add("elbv2", "load_balancer", balancer["LoadBalancerName"], [balancer, attributes, tags], balancer["DNSName"])
        for listener in account.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn):
            tags = api.describe_tags(ResourceArns=[listener["ListenerArn"]])["TagDescriptions"]
            account.add("elbv2", "listener", str(listener["Port"]), [listener, tags])
    for group in account.pages("elbv2", "describe_target_groups", "TargetGroups"):
        arn = group["TargetGroupArn"]
        attributes = api.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        targets = [target["Target"] for target in api.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]]
        tags = api.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        account.add("elbv2", "target_group", group["TargetGroupName"], [group, attributes, targets, tags])


def autoscaling(account):
    for item in account.pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
        account.add("autoscaling", "groups", item["AutoScalingGroupName"], item)
    for item in account.pages("autoscaling", "describe_policies", "ScalingPolicies"):
        account.add("autoscaling", "policies", item["PolicyName"], item)


def s3(account):
    api = account.client("s3")
    for bucket in api.list_buckets()["Buckets"]:
        name = bucket["Name"]
        about = ("tagging", "encryption", "versioning", "lifecycle_configuration", "ownership_controls", "policy")
        item = {what: absent(getattr(api, f"get_bucket_{what}"), Bucket=name) for what in about}
        item["public_access"] = absent(api.get_public_access_block, Bucket=name)
        # Journals are as many as there were runs, and the lease says who held it last.
        keys = {version["Key"] for version in account.pages("s3", "list_object_versions", "Versions", Bucket=name)}
        item["keys"] = sorted(key for key in keys if not key.startswith(("journal/", "lease/")))
        account.add("s3", "bucket", name, item)


def dynamodb(account):
    api = account.client("dynamodb")
    for name in account.pages("dynamodb", "list_tables", "TableNames"):
        table = api.describe_table(TableName=name)["Table"]
        tags = api.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
        life, backups = api.describe_time_to_live(TableName=name), api.describe_continuous_backups(TableName=name)
        account.add("dynamodb", "table", name, [table, tags, life, backups])
    for item in account.pages("dynamodb", "list_backups", "BackupSummaries"):
        account.add("dynamodb", "backup", item["BackupName"], item)


def edge(account):
    cloudfront = account.client("cloudfront", "us-east-1")
    for item in account.pages("cloudfront", "list_origin_access_controls", "OriginAccessControlList.Items", "us-east-1"):
        account.add("cloudfront", "origin_access_control", item["Name"], item, item["Id"])
    for item in account.pages("cloudfront", "list_distributions", "DistributionList.Items", "us-east-1"):
        tags = cloudfront.list_tags_for_resource(Resource=item["ARN"])["Tags"]["Items"]
        config = cloudfront.get_distribution_config(Id=item["Id"])["DistributionConfig"]
        account.add("cloudfront", "distribution", tagged(tags, "distribution"), [config, tags], item["Id"])
        account.names[item["DomainName"]] = "<domain of the distribution>"
    for region in (HOME, "us-east-1"):
        acm = account.client("acm", region)
        for item in account.pages("acm", "list_certificates", "CertificateSummaryList", region):
            arn = item["CertificateArn"]
            tags = acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]
            account.add("acm", region, item["DomainName"], [acm.describe_certificate(CertificateArn=arn)["Certificate"], tags], arn)
    route53 = account.client("route53", "us-east-1")
    for zone in account.pages("route53", "list_hosted_zones", "HostedZones", "us-east-1"):
        ident = zone["Id"].removeprefix("/hostedzone/")
        tags = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=ident)["ResourceTagSet"]["Tags"]
        account.add("route53", "zone", zone["Name"], [zone, tags], ident)
        for record in account.pages("route53", "list_resource_record_sets", "ResourceRecordSets", "us-east-1", HostedZoneId=ident):
            account.add("route53", "record", record["Name"], record)


def iam(account):
    api = account.client("iam", "us-east-1")
    for role in account.pages("iam", "list_roles", "Roles", "us-east-1"):
        name = role["RoleName"]
        inline = [
            api.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in account.pages("iam", "list_role_policies", "PolicyNames", "us-east-1", RoleName=name)
        ]
        attached = list(account.pages("iam", "list_attached_role_policies", "AttachedPolicies", "us-east-1", RoleName=name))
        account.add("iam", "role", name, [role, inline, attached, api.list_role_tags(RoleName=name)["Tags"]])
    for item in account.pages("iam", "list_instance_profiles", "InstanceProfiles", "us-east-1"):
        profile = api.get_instance_profile(InstanceProfileName=item["InstanceProfileName"])["InstanceProfile"]
        account.add("iam", "instance_profile", item["InstanceProfileName"], profile)


def watching(account):
    logs = account.client("logs")
    for item in account.pages("logs", "describe_log_groups", "logGroups"):
        tags = logs.list_tags_for_resource(resourceArn=item["arn"].removesuffix(":*"))["tags"]
        account.add("logs", "group", item["logGroupName"], [item, tags])
    for region in (HOME, "us-east-1"):
        for item in account.pages("cloudwatch", "describe_alarms", "MetricAlarms", region):
            tags = account.client("cloudwatch", region).list_tags_for_resource(ResourceARN=item["AlarmArn"])["Tags"]
            account.add("cloudwatch", region, item["AlarmName"], [item, tags])
    for item in account.pages("sns", "list_topics", "Topics"):
        tags = account.client("sns").list_tags_for_resource(ResourceArn=item["TopicArn"])["Tags"]
        account.add("sns", "topic", item["TopicArn"], tags)
    for item in account.pages("sns", "list_subscriptions", "Subscriptions"):
        account.add("sns", "subscription", item["Endpoint"], item)
    for item in account.pages("secretsmanager", "list_secrets", "SecretList", IncludePlannedDeletion=True):
        account.add("secretsmanager", "secret", item["Name"], item, item["ARN"])


for line in sys.stdin:
    asked = Account(line.strip())
    for part in (ec2, rds, elasticache, elbv2, autoscaling, s3, dynamodb, edge, iam, watching):
        part(asked)
    print(json.dumps(asked.lines()), flush=True)
