"""Instance refreshes: checkpoints, the time to bake, alarms, and what cannot be rolled back."""

from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from gaps_server import eventually, refused, server_fixture
from test_gaps_balancing import Service

# 60 s of AWS are 1 s here.
quick = server_fixture("--time-scale", "60")
aws = server_fixture("--no-waits")

BOUNDS = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "AutoRollback": True}


def alarm(aws: Any, name: str) -> None:
    aws.cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="game",
        MetricName="errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )


def ring(aws: Any, name: str, state: str = "ALARM") -> None:
    aws.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def service_of(aws: Any, name: str, cidr: str, count: int) -> Service:
    service = Service(aws, name, cidr)
    service.scale(count, count * 2)
    eventually(lambda: len(service.in_service()) == count, 30)
    return service


def test_a_checkpoint_keeps_what_it_does_not_reach(quick):
    service = service_of(quick, "checkpoint", "10.60", 4)
    version = service.new_version(InstanceType="t3.small")
    refresh_id = service.refresh(
        version, **BOUNDS, CheckpointPercentages=[50, 100], CheckpointDelay=300
    )
    most = []

    def at_the_checkpoint():
        most.append(len([i for i in service.instances if i["LaunchTemplate"]["Version"] == version]))
        return "checkpoint" in service.refreshed(refresh_id).get("StatusReason", "")

    eventually(at_the_checkpoint, 30)
    assert max(most) == 2 and len(service.in_service("1")) == 2
    eventually(lambda: service.refreshed(refresh_id)["Status"] == "Successful", 60)
    assert len(service.in_service(version)) == 4


def test_an_alarm_turns_a_refresh_back_while_it_bakes(quick):
    alarm(quick, "bad-servers")
    service = service_of(quick, "bake", "10.61", 2)
    version = service.new_version(InstanceType="t3.small")
    watch = {"AlarmSpecification": {"Alarms": ["bad-servers"]}, "BakeTime": 3600}
    refresh_id = service.refresh(version, **BOUNDS, **watch)
    eventually(lambda: service.refreshed(refresh_id)["Status"] == "Baking", 60)
    assert len(service.in_service(version)) == 2
    assert service.group["LaunchTemplate"]["Version"] == "1"
    ring(quick, "bad-servers")
    eventually(lambda: service.refreshed(refresh_id)["Status"] == "RollbackSuccessful", 60)
    told = service.refreshed(refresh_id)
    assert "bad-servers" in told["RollbackDetails"]["RollbackReason"]
    assert len(service.in_service("1")) == 2
    assert service.group["LaunchTemplate"]["Version"] == "1"


def test_it_bakes_and_then_it_is_done(quick):
    service = service_of(quick, "baked", "10.62", 1)
    version = service.new_version(InstanceType="t3.small")
    refresh_id = service.refresh(version, **BOUNDS, BakeTime=120)
    seen = set()

    def done():
        seen.add(service.refreshed(refresh_id)["Status"])
        return "Successful" in seen

    eventually(done, 60)
    assert "Baking" in seen
    assert service.group["LaunchTemplate"]["Version"] == version


@pytest.mark.parametrize(
    "preferences",
    [
        {"CheckpointDelay": 60},
        {"CheckpointPercentages": [50, 20]},
        {"CheckpointPercentages": [50, 50, 100]},
        {"AlarmSpecification": {"Alarms": ["nobody-made-it"]}},
        {"AlarmSpecification": {"Alarms": [f"alarm-{n}" for n in range(11)]}},
        {"BakeTime": 172801},
    ],
)
def test_preferences_that_are_refused(aws, preferences):
    name = f"refused-{abs(hash(str(preferences))) % 10**6}"
    service = Service(aws, name, "10.63")
    service.scale(0, 1)
    with pytest.raises((Exception,)) as raised:
        service.refresh("1", **preferences)
    assert isinstance(raised.value, ParamValidationError) or "ValidationError" in str(raised.value)


def test_a_group_that_follows_the_latest_version_cannot_go_back(aws):
    service = Service(aws, "latest", "10.64")
    service.scale(0, 1)
    template = {"LaunchTemplateId": service.template, "Version": "$Latest"}
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="latest", LaunchTemplate=template)
    with refused("ValidationError"):
        service.refresh("1", AutoRollback=True)
