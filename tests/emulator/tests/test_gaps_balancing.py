"""Load balancers, target health, Auto Scaling groups and their refreshes."""

import pytest
from gaps_server import Aws, Network, eventually, refused, server_fixture, serving
from test_gaps_ec2 import profile, template

aws = server_fixture("--no-waits")
# 30 s of AWS are 1 s here.
slow = server_fixture("--time-scale", "30")


class Service:
    """A load balancer, a target group behind a listener, and a template, on a network."""

    def __init__(self, aws: Aws, name: str, cidr: str) -> None:
        self.aws, self.name = aws, name
        self.network = Network(aws, cidr)
        made = aws.elbv2.create_load_balancer(
            Name=name,
            Subnets=self.network.subnets,
            SecurityGroups=[self.network.group],
            Tags=[{"Key": "stack", "Value": name}],
        )
        self.balancer = made["LoadBalancers"][0]
        self.arn = self.balancer["LoadBalancerArn"]
        self.targets = aws.elbv2.create_target_group(
            Name=name, Protocol="HTTP", Port=8080, VpcId=self.network.vpc
        )["TargetGroups"][0]["TargetGroupArn"]
        self.listener = aws.elbv2.create_listener(
            LoadBalancerArn=self.arn,
            Protocol="HTTP",
            Port=8080,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.targets}],
        )["Listeners"][0]["ListenerArn"]

    def scale(self, low: int, high: int, **more) -> None:
        self.template = template(self.aws, self.name, SecurityGroupIds=[self.network.group])
        self.aws.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            MinSize=low,
            MaxSize=high,
            VPCZoneIdentifier=",".join(self.network.subnets),
            LaunchTemplate={"LaunchTemplateId": self.template, "Version": "1"},
            TargetGroupARNs=[self.targets],
            Tags=[{"Key": "stack", "Value": self.name, "PropagateAtLaunch": True}],
            **more,
        )

    @property
    def group(self):
        told = self.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        return told["AutoScalingGroups"][0]

    @property
    def instances(self):
        return self.group["Instances"]

    def in_service(self, version=None):
        return [
            i["InstanceId"]
            for i in self.instances
            if i["LifecycleState"] == "InService"
            and version in (None, i["LaunchTemplate"]["Version"])
        ]

    def health(self):
        told = self.aws.elbv2.describe_target_health(TargetGroupArn=self.targets)
        return {
            t["Target"]["Id"]: t["TargetHealth"]["State"] for t in told["TargetHealthDescriptions"]
        }

    def interfaces(self):
        name = self.arn.split("loadbalancer/")[1]
        return self.aws.ec2.describe_network_interfaces(
            Filters=[
                {"Name": "description", "Values": [f"ELB {name}"]},
                {"Name": "attachment.instance-owner-id", "Values": ["amazon-elb"]},
            ]
        )["NetworkInterfaces"]

    def new_version(self, **data) -> str:
        made = self.aws.ec2.create_launch_template_version(
            LaunchTemplateId=self.template, SourceVersion="1", LaunchTemplateData=data
        )
        return str(made["LaunchTemplateVersion"]["VersionNumber"])

    def refresh(self, version: str, **preferences):
        return self.aws.autoscaling.start_instance_refresh(
            AutoScalingGroupName=self.name,
            DesiredConfiguration={
                "LaunchTemplate": {"LaunchTemplateId": self.template, "Version": version}
            },
            Preferences={"InstanceWarmup": 0, **preferences},
        )["InstanceRefreshId"]

    def refreshed(self, refresh_id: str):
        return self.aws.autoscaling.describe_instance_refreshes(
            AutoScalingGroupName=self.name, InstanceRefreshIds=[refresh_id]
        )["InstanceRefreshes"][0]


def test_a_load_balancer_provisions_and_leaves_its_interfaces_a_while(slow):
    service = Service(slow, "timed", "10.20")
    assert service.balancer["State"]["Code"] == "provisioning"
    assert service.balancer["CanonicalHostedZoneId"] == "Z35SXDOTRQ7X7K"
    assert len(service.interfaces()) == 2
    assert service.interfaces()[0]["Groups"][0]["GroupId"] == service.network.group

    def code():
        told = slow.elbv2.describe_load_balancers(LoadBalancerArns=[service.arn])
        return told["LoadBalancers"][0]["State"]["Code"]

    eventually(lambda: code() == "active")
    slow.elbv2.delete_load_balancer(LoadBalancerArn=service.arn)
    with refused("LoadBalancerNotFound"):
        slow.elbv2.describe_load_balancers(LoadBalancerArns=[service.arn])
    assert len(service.interfaces()) == 2
    eventually(lambda: not service.interfaces())


def test_deletion_protection_holds(aws):
    service = Service(aws, "protected", "10.21")

    def protect(value):
        aws.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=service.arn,
            Attributes=[{"Key": "deletion_protection.enabled", "Value": value}],
        )

    protect("true")
    with refused("OperationNotPermitted"):
        aws.elbv2.delete_load_balancer(LoadBalancerArn=service.arn)
    protect("false")
    aws.elbv2.delete_load_balancer(LoadBalancerArn=service.arn)
    assert not service.interfaces()


def test_the_same_load_balancer_twice_is_one(aws):
    service = Service(aws, "twice", "10.22")
    again = aws.elbv2.create_load_balancer(
        Name="twice", Subnets=service.network.subnets, SecurityGroups=[service.network.group]
    )["LoadBalancers"][0]
    assert again["LoadBalancerArn"] == service.arn
    with refused("DuplicateLoadBalancerName"):
        aws.elbv2.create_load_balancer(
            Name="twice",
            Scheme="internal",
            Subnets=service.network.subnets,
            SecurityGroups=[service.network.group],
        )


def test_a_groups_instances_come_in_time_and_go_in_time(slow):
    service = Service(slow, "group", "10.23")
    service.scale(2, 4)
    eventually(lambda: len(service.instances) == 2)
    assert {i["LifecycleState"] for i in service.instances} == {"Pending"}
    assert {i["AvailabilityZone"] for i in service.instances} == {"us-east-1a", "us-east-1b"}
    eventually(lambda: len(service.in_service()) == 2)
    assert set(service.health().values()) == {"initial"}
    eventually(lambda: set(service.health().values()) == {"healthy"})

    instance_id = service.in_service()[0]
    told = slow.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    tags = {tag["Key"]: tag["Value"] for tag in told["Tags"]}
    assert tags["stack"] == "group" and tags["aws:autoscaling:groupName"] == "group"
    assert tags["aws:ec2launchtemplate:version"] == "1"

    slow.autoscaling.set_desired_capacity(AutoScalingGroupName="group", DesiredCapacity=3)
    eventually(lambda: len(service.in_service()) == 3)
    slow.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=instance_id, ShouldDecrementDesiredCapacity=False
    )
    assert service.health()[instance_id] == "draining"
    eventually(lambda: instance_id not in [i["InstanceId"] for i in service.instances])
    eventually(lambda: len(service.in_service()) == 3)
    activities = slow.autoscaling.describe_scaling_activities(AutoScalingGroupName="group")
    assert any(instance_id in a["Description"] for a in activities["Activities"])

    with refused("ResourceInUse"):
        slow.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="group")
    slow.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="group", ForceDelete=True)
    assert service.group["Status"] == "Delete in progress"
    eventually(
        lambda: not slow.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["group"])[
            "AutoScalingGroups"
        ]
    )


def test_what_is_terminated_behind_its_back_is_replaced(aws):
    service = Service(aws, "replace", "10.24")
    service.scale(2, 2)
    eventually(lambda: len(service.in_service()) == 2)
    victim = service.in_service()[0]
    aws.ec2.terminate_instances(InstanceIds=[victim])
    eventually(lambda: len(service.in_service()) == 2 and victim not in service.in_service())


def test_sizes_that_contradict_each_other_are_refused(aws):
    service = Service(aws, "sizes", "10.25")
    with refused("ValidationError"):
        service.scale(3, 2)
    aws.ec2.delete_launch_template(LaunchTemplateName="sizes")
    service.scale(1, 2)
    with refused("ValidationError"):
        aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="sizes", MinSize=3)
    with refused("ValidationError"):
        aws.autoscaling.set_desired_capacity(AutoScalingGroupName="sizes", DesiredCapacity=3)
    with refused("AlreadyExists"):
        aws.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="sizes",
            MinSize=0,
            MaxSize=0,
            VPCZoneIdentifier=service.network.subnets[0],
            LaunchTemplate={"LaunchTemplateId": service.template, "Version": "1"},
        )
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="sizes", MinSize=2)
    eventually(lambda: len(service.in_service()) == 2)
    assert service.group["DesiredCapacity"] == 2


def test_a_profile_that_is_too_new_is_refused():
    with serving("--time-scale", "4") as server:
        service = Service(server, "late", "10.26")
        arn = profile(server, "late")
        service.template = template(server, "late", IamInstanceProfile={"Arn": arn})

        def create():
            server.autoscaling.create_auto_scaling_group(
                AutoScalingGroupName="late",
                MinSize=0,
                MaxSize=1,
                VPCZoneIdentifier=service.network.subnets[0],
                LaunchTemplate={"LaunchTemplateId": service.template, "Version": "1"},
            )
            return True

        with refused("ValidationError", "Invalid IAM Instance Profile"):
            create()

        def created():
            try:
                return create()
            except server.autoscaling.exceptions.ClientError:
                return False

        eventually(created)


@pytest.mark.parametrize(
    ("name", "bounds", "least", "most"),
    [
        ("above", {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150}, 4, 6),
        ("below", {"MinHealthyPercentage": 50, "MaxHealthyPercentage": 100}, 2, 4),
        ("exact", {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 100}, 3, 4),
    ],
)
def test_a_refresh_replaces_every_instance_within_its_bounds(slow, name, bounds, least, most):
    service = Service(slow, f"refresh-{name}", {"above": "10.30", "below": "10.31", "exact": "10.32"}[name])
    service.scale(4, 8)
    eventually(lambda: len(service.in_service()) == 4)
    before = set(service.in_service())
    version = service.new_version(InstanceType="t3.small")
    refresh_id = service.refresh(version, **bounds)
    with refused("InstanceRefreshInProgress"):
        service.refresh(version)
    seen = []

    def done():
        live = [i for i in service.instances if i["LifecycleState"] in ("Pending", "InService")]
        seen.append((len(service.in_service()), len(live)))
        return service.refreshed(refresh_id)["Status"] == "Successful"

    eventually(done, 60)
    assert min(well for well, _ in seen) >= least
    assert max(live for _, live in seen) <= most
    assert len(service.in_service(version)) == 4 and not before & set(service.in_service())
    assert service.group["LaunchTemplate"]["Version"] == version
    assert service.refreshed(refresh_id)["PercentageComplete"] == 100


def test_a_refresh_can_be_rolled_back(slow):
    service = Service(slow, "rollback", "10.33")
    service.scale(2, 4)
    eventually(lambda: len(service.in_service()) == 2)
    version = service.new_version(InstanceType="t3.small")
    refresh_id = service.refresh(
        version, MinHealthyPercentage=100, MaxHealthyPercentage=150, AutoRollback=True
    )
    eventually(lambda: any(i["LaunchTemplate"]["Version"] == version for i in service.instances))
    slow.autoscaling.rollback_instance_refresh(AutoScalingGroupName="rollback")
    eventually(lambda: service.refreshed(refresh_id)["Status"] == "RollbackSuccessful", 60)
    assert len(service.in_service("1")) == 2
    assert service.group["LaunchTemplate"]["Version"] == "1"
    with refused("ActiveInstanceRefreshNotFound"):
        slow.autoscaling.cancel_instance_refresh(AutoScalingGroupName="rollback")


def test_a_refresh_where_nothing_waits(aws):
    service = Service(aws, "at-once", "10.34")
    service.scale(2, 4)
    eventually(lambda: len(service.in_service()) == 2)
    version = service.new_version(InstanceType="t3.small")
    refresh_id = service.refresh(version, MinHealthyPercentage=100, MaxHealthyPercentage=200)
    eventually(lambda: service.refreshed(refresh_id)["Status"] == "Successful")
    assert len(service.in_service(version)) == 2


def test_auto_rollback_wants_a_numbered_version(aws):
    service = Service(aws, "numbered", "10.35")
    service.scale(0, 1)
    with refused("ValidationError"):
        service.refresh("$Latest", AutoRollback=True)


def test_policies_of_two_groups_and_their_alarms(aws):
    services = [Service(aws, f"policy-{i}", f"10.4{i}") for i in range(2)]
    for service in services:
        service.scale(0, 1)
        aws.autoscaling.put_scaling_policy(
            AutoScalingGroupName=service.name,
            PolicyName="cpu",
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={
                "TargetValue": 50,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            },
        )

    def alarms(name):
        prefix = f"TargetTracking-{name}-"
        return aws.cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]

    for service in services:
        told = aws.autoscaling.describe_policies(AutoScalingGroupName=service.name)
        assert [len(p["Alarms"]) for p in told["ScalingPolicies"]] == [2]
        assert len(alarms(service.name)) == 2
    aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="policy-0", ForceDelete=True)
    assert not alarms("policy-0")
    aws.autoscaling.delete_policy(AutoScalingGroupName="policy-1", PolicyName="cpu")
    assert not alarms("policy-1")


def test_a_resource_label_names_what_the_group_is_behind(aws):
    service = Service(aws, "label", "10.46")
    service.scale(0, 1)

    def track(label):
        aws.autoscaling.put_scaling_policy(
            AutoScalingGroupName="label",
            PolicyName="requests",
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={
                "TargetValue": 50,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget",
                    "ResourceLabel": label,
                },
            },
        )

    balancer = service.arn.partition(":loadbalancer/")[2]
    targets = service.targets.rpartition(":")[2]
    for wrong in (balancer, f"{targets}/{balancer}", f"{balancer}/targetgroup/other/0"):
        with refused("ValidationError"):
            track(wrong)
    track(f"{balancer}/{targets}")
    aws.elbv2.delete_listener(ListenerArn=service.listener)
    with refused("ValidationError"):
        track(f"{balancer}/{targets}")


def test_metrics_are_switched_off_again(aws):
    service = Service(aws, "metrics", "10.45")
    service.scale(0, 1)
    name = {"AutoScalingGroupName": "metrics"}
    aws.autoscaling.enable_metrics_collection(**name, Granularity="1Minute")
    assert len(service.group["EnabledMetrics"]) == 8
    aws.autoscaling.disable_metrics_collection(**name, Metrics=["GroupMinSize"])
    assert len(service.group["EnabledMetrics"]) == 7
    aws.autoscaling.disable_metrics_collection(**name)
    assert not service.group.get("EnabledMetrics")


def test_what_a_zone_does_not_have_shows_in_the_activities(aws):
    service = Service(aws, "offers", "10.46")
    service.scale(0, 1)
    version = service.new_version(InstanceType="p3dn.24xlarge")
    aws.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="offers",
        DesiredCapacity=1,
        LaunchTemplate={"LaunchTemplateId": service.template, "Version": version},
    )

    def failed():
        told = aws.autoscaling.describe_scaling_activities(AutoScalingGroupName="offers")
        return [a for a in told["Activities"] if a["StatusCode"] == "Failed"]

    assert "not supported in your requested Availability Zone" in failed()[0]["StatusMessage"]
    assert not service.instances


def test_a_group_that_is_not_there(aws):
    with refused("ValidationError", "not found"):
        aws.autoscaling.suspend_processes(AutoScalingGroupName="nobody")
    with refused("ValidationError", "does not exist"):
        aws.autoscaling.create_or_update_tags(
            Tags=[
                {
                    "ResourceId": "nobody",
                    "ResourceType": "auto-scaling-group",
                    "Key": "k",
                    "Value": "v",
                    "PropagateAtLaunch": True,
                }
            ]
        )
