"""DynamoDB, secrets, alarms, logs, notifications, tags across services."""

from gaps_server import Network, eventually, refused, server_fixture, tags

aws = server_fixture("--no-waits")
# 10 s of AWS are 1 s here.
slow = server_fixture("--time-scale", "10")


def table(aws, name: str, **more):
    return aws.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        Tags=[{"Key": "provision:stack", "Value": name}],
        **more,
    )["TableDescription"]


def test_a_table_takes_its_time(slow):
    made = table(slow, "timed")
    assert made["TableStatus"] == "CREATING"
    item = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    with refused("ResourceNotFoundException"):
        slow.dynamodb.put_item(TableName="timed", Item=item)
    with refused("ContinuousBackupsUnavailableException"):
        slow.dynamodb.update_continuous_backups(
            TableName="timed",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
    with refused("ResourceInUseException"):
        slow.dynamodb.delete_table(TableName="timed")

    def status():
        return slow.dynamodb.describe_table(TableName="timed")["Table"]["TableStatus"]

    eventually(lambda: status() == "ACTIVE")
    slow.dynamodb.put_item(TableName="timed", Item=item)
    backup = slow.dynamodb.create_backup(TableName="timed", BackupName="kept")["BackupDetails"]
    assert backup["BackupStatus"] == "CREATING"
    slow.dynamodb.delete_table(TableName="timed")
    assert status() == "DELETING"
    slow.dynamodb.get_waiter("table_not_exists").wait(
        TableName="timed", WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )
    told = slow.dynamodb.describe_backup(BackupArn=backup["BackupArn"])["BackupDescription"]
    assert told["BackupDetails"]["BackupStatus"] == "AVAILABLE"


def test_table_tags_are_replaced(aws):
    arn = table(aws, "tags")["TableArn"]
    aws.dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "provision:stack", "Value": "new"}])
    told = aws.dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert told == [{"Key": "provision:stack", "Value": "new"}]


def test_recovery_and_time_to_live_are_told(aws):
    table(aws, "told")
    aws.dynamodb.update_continuous_backups(
        TableName="told", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    told = aws.dynamodb.describe_continuous_backups(TableName="told")
    recovery = told["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    aws.dynamodb.update_time_to_live(
        TableName="told",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
    )
    told = aws.dynamodb.describe_time_to_live(TableName="told")["TimeToLiveDescription"]
    assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_a_secrets_name_stays_taken_for_a_moment(slow):
    def create():
        slow.secretsmanager.create_secret(Name="again", SecretString="s")
        return True

    create()
    slow.secretsmanager.delete_secret(SecretId="again", ForceDeleteWithoutRecovery=True)
    with refused("InvalidRequestException", "scheduled for deletion"):
        create()

    def created():
        try:
            return create()
        except slow.secretsmanager.exceptions.InvalidRequestException:
            return False

    eventually(created)


def test_an_alarm_keeps_its_first_tags(aws):
    def put(value):
        aws.cloudwatch.put_metric_alarm(
            AlarmName="alarm",
            Namespace="AWS/RDS",
            MetricName="CPUUtilization",
            Statistic="Average",
            Period=60,
            EvaluationPeriods=3,
            Threshold=80,
            ComparisonOperator="GreaterThanThreshold",
            Tags=[{"Key": "provision:stack", "Value": value}],
        )

    def told():
        return aws.cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]

    put("first")
    arn = aws.cloudwatch.describe_alarms(AlarmNames=["alarm"])["MetricAlarms"][0]["AlarmArn"]
    put("second")
    assert told() == [{"Key": "provision:stack", "Value": "first"}]
    aws.cloudwatch.delete_alarms(AlarmNames=["alarm"])
    found = aws.resourcegroupstaggingapi.get_resources(
        TagFilters=[{"Key": "provision:stack", "Values": ["first"]}]
    )
    assert not found["ResourceTagMappingList"]


def test_log_groups_have_tags(aws):
    aws.logs.create_log_group(logGroupName="/game/x", tags={"provision:stack": "x"})
    group = aws.logs.describe_log_groups(logGroupNamePrefix="/game/x")["logGroups"][0]
    arn = group.get("logGroupArn") or group["arn"].removesuffix(":*")
    assert aws.logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"provision:stack": "x"}


def test_an_address_has_to_confirm(aws):
    topic = aws.sns.create_topic(Name="alarms", Tags=[{"Key": "provision:stack", "Value": "x"}])
    arn = topic["TopicArn"]
    assert aws.sns.create_topic(Name="alarms")["TopicArn"] == arn
    made = aws.sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="ops@example.com")
    assert made["SubscriptionArn"] == "pending confirmation"
    listed = aws.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert [s["SubscriptionArn"] for s in listed] == ["PendingConfirmation"]
    assert aws.sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "provision:stack", "Value": "x"}
    ]


def test_managed_policies_can_be_attached(aws):
    aws.iam.create_role(RoleName="managed", AssumeRolePolicyDocument="{}")
    arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    aws.iam.attach_role_policy(RoleName="managed", PolicyArn=arn)
    held = aws.iam.list_attached_role_policies(RoleName="managed")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in held] == [arn]


def test_the_tagging_api_finds_what_aws_finds(aws):
    network = Network(aws, "10.90")
    expected = {
        aws.ec2.allocate_address(
            Domain="vpc", TagSpecifications=tags("elastic-ip", stack="all")
        )["AllocationId"],
        aws.ec2.create_vpc_endpoint(
            VpcId=network.vpc,
            ServiceName="com.amazonaws.us-east-1.s3",
            VpcEndpointType="Gateway",
            TagSpecifications=tags("vpc-endpoint", stack="all"),
        )["VpcEndpoint"]["VpcEndpointId"],
        aws.ec2.create_launch_template(
            LaunchTemplateName="all",
            LaunchTemplateData={"InstanceType": "t3.micro"},
            TagSpecifications=tags("launch-template", stack="all"),
        )["LaunchTemplate"]["LaunchTemplateId"],
    }
    pair = [{"Key": "stack", "Value": "all"}]
    aws.rds.create_db_subnet_group(
        DBSubnetGroupName="all",
        DBSubnetGroupDescription="d",
        SubnetIds=network.subnets,
        Tags=pair,
    )
    aws.rds.create_db_parameter_group(
        DBParameterGroupName="all", DBParameterGroupFamily="mysql8.4", Description="d", Tags=pair
    )
    aws.elasticache.create_cache_parameter_group(
        CacheParameterGroupName="all",
        CacheParameterGroupFamily="redis7",
        Description="d",
        Tags=pair,
    )
    found = aws.resourcegroupstaggingapi.get_resources(
        TagFilters=[{"Key": "stack", "Values": ["all"]}]
    )["ResourceTagMappingList"]
    arns = {resource["ResourceARN"] for resource in found}
    assert {arn.rsplit("/", 1)[-1] for arn in arns if ":ec2:" in arn} == expected
    assert {arn.split(":")[2] + ":" + arn.split(":")[5] for arn in arns if ":ec2:" not in arn} == {
        "rds:subgrp",
        "rds:pg",
        "elasticache:parametergroup",
    }


def test_pages_of_other_services(aws):
    for i in range(5):
        aws.iam.create_role(RoleName=f"page-{i}", AssumeRolePolicyDocument="{}", Path="/page/")
        aws.cloudwatch.put_metric_alarm(
            AlarmName=f"page-{i}",
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        aws.rds.create_db_parameter_group(
            DBParameterGroupName=f"page-{i}", DBParameterGroupFamily="mysql8.4", Description="d"
        )
    roles = aws.iam.get_paginator("list_roles").paginate(
        PathPrefix="/page/", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["Roles"]) for page in roles] == [2, 2, 1]
    alarms = aws.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix="page-", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["MetricAlarms"]) for page in alarms] == [2, 2, 1]
    groups = aws.rds.get_paginator("describe_db_parameter_groups").paginate(
        PaginationConfig={"PageSize": 20}
    )
    named = [g["DBParameterGroupName"] for page in groups for g in page["DBParameterGroups"]]
    assert len([name for name in named if name.startswith("page-")]) == 5


def test_a_role_is_removed_from_a_profile_once(aws):
    aws.iam.create_role(RoleName="removed", AssumeRolePolicyDocument="{}")
    aws.iam.create_instance_profile(InstanceProfileName="removed")
    pair = {"InstanceProfileName": "removed", "RoleName": "removed"}
    aws.iam.add_role_to_instance_profile(**pair)
    aws.iam.remove_role_from_instance_profile(**pair)
    with refused("NoSuchEntity"):
        aws.iam.remove_role_from_instance_profile(**pair)


def test_a_deleted_record_can_be_made_again(aws):
    made = aws.route53.create_hosted_zone(Name="again.test", CallerReference="again")
    zone = made["HostedZone"]["Id"]
    values = [{"Value": "192.0.2.1"}]
    later = {"Name": "z.again.test", "Type": "A", "TTL": 60, "ResourceRecords": values}
    record = {**later, "Name": "a.again.test"}

    def change(action, what):
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": what}]}
        aws.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)

    change("CREATE", later)
    change("CREATE", record)
    change("DELETE", record)
    change("CREATE", record)
    with refused("InvalidChangeBatch"):
        change("CREATE", record)
