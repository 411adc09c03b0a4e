"""What a data plane hangs on to: events in their order, addresses and health from outside.

Here moto runs in this process, so that a test can be the data plane itself.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

import boto3
import pytest
from gaps_server import eventually
from moto import mock_aws

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local_aws import clock, gaps  # noqa: E402

for module in pkgutil.iter_modules(gaps.__path__):
    importlib.import_module(f"local_aws.gaps.{module.name}")

from test_gaps_balancing import Service  # noqa: E402
from test_gaps_elasticache import Cache  # noqa: E402
from test_gaps_rds import Database  # noqa: E402

from local_aws.gaps import (  # noqa: E402
    autoscaling_refresh,
    elasticache_changes,
    events,
    providers,
)
from local_aws.gaps import elasticache as caches  # noqa: E402

ACCOUNT = "123456789012"


class Inside:
    """Clients of the moto in this process."""

    def __call__(self, service, region="us-east-1"):
        return boto3.client(service, region_name=region)

    def __getattr__(self, service):
        return self(service)


@pytest.fixture
def aws(monkeypatch):
    monkeypatch.setattr(clock, "scale", 0.0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield Inside()


@pytest.fixture
def seen(monkeypatch):
    """The events of a test: (name, details), in order."""
    told = []
    for name in events.EVENTS:
        held = list(events._subscribers[name])
        monkeypatch.setitem(events._subscribers, name, held)
        events.on(name, lambda _name=name, **details: told.append((_name, details)))
    return told


@pytest.fixture
def answering(monkeypatch):
    """Provides answers for one test."""
    monkeypatch.setattr(providers, "_providers", {})
    return providers.provide


def names(seen):
    return [name for name, _ in seen]


def test_a_databases_life(aws, seen):
    db = Database(aws, "life", MasterUserPassword="the-password")
    assert names(seen) == ["database-creating", "database-available"]
    assert seen[0][1]["password"] == "the-password"
    db.modify(DBInstanceClass="db.t4g.large", ApplyImmediately=True)
    assert names(seen)[2:] == ["database-modified", "database-rebooting", "database-available"]
    assert seen[2][1]["changes"] == {"db_instance_class": "db.t4g.large"}
    assert seen[3][1]["failover"] is True
    db.delete()
    assert names(seen)[5:] == ["database-deleting", "database-deleted"]


def test_an_address_from_outside(aws, answering):
    answering("database-address", lambda region, db: f"127.0.9.{len(db.db_instance_identifier)}")
    assert Database(aws, "four").told()["Endpoint"]["Address"] == "127.0.9.4"


def test_a_replication_group_that_fails_over_by_itself(aws, seen, answering):
    addresses = {"primary": "127.0.9.1", "reader": "127.0.9.2"}
    answering("cache-address", lambda region, group, role: addresses.get(role, f"{role}.local"))
    cache = Cache(aws, "own", "10.80")
    node_group = cache.told()["NodeGroups"][0]
    assert node_group["PrimaryEndpoint"]["Address"] == "127.0.9.1"
    assert node_group["NodeGroupMembers"][1]["ReadEndpoint"]["Address"] == "own-002.local"
    group = caches.groups("us-east-1", ACCOUNT)[0]
    assert elasticache_changes.fail_over(group) == "own-002"
    assert [m.id for m in caches.members(group)] == ["own-001", "own-002", "own-003"]
    name, details = seen[-1]
    assert (name, details["old"], details["new"]) == ("cache-failover", "own-001", "own-002")


def test_targets_are_told_about(aws, seen):
    service = Service(aws, "told", "10.81")
    service.scale(1, 2)
    instance_id = eventually(lambda: service.in_service())[0]
    assert names(seen).index("instance-launched") < names(seen).index("targets-registered")
    registered = next(details for name, details in seen if name == "targets-registered")
    assert registered["targets"] == [(instance_id, 8080)]
    aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="told", ForceDelete=True)
    tail = names(seen)[-3:]
    assert tail == ["targets-draining", "targets-removed", "instance-terminating"]


def test_what_is_called_unhealthy_is_replaced(aws, seen):
    service = Service(aws, "sick", "10.82")
    service.scale(2, 4)
    eventually(lambda: len(service.in_service()) == 2)
    victim = service.in_service()[0]
    aws.autoscaling.set_instance_health(InstanceId=victim, HealthStatus="Unhealthy")
    eventually(lambda: victim not in service.in_service() and len(service.in_service()) == 2)
    ended = [d["instance"].id for name, d in seen if name == "instance-terminating"]
    assert ended == [victim]


def test_a_version_that_never_answers_is_rolled_back(aws, answering, monkeypatch):
    monkeypatch.setattr(autoscaling_refresh, "SHORTEST_PATIENCE", 1.0)
    service = Service(aws, "never", "10.83")
    service.scale(2, 4)
    eventually(lambda: len(service.in_service()) == 2)
    first = set(service.in_service())
    answering(
        "target-health",
        lambda region, group, target, port: (
            ("healthy", None, None)
            if target in first
            else ("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
        ),
    )
    version = service.new_version(InstanceType="t3.small")
    refresh_id = service.refresh(
        version, MinHealthyPercentage=100, MaxHealthyPercentage=150, AutoRollback=True
    )
    eventually(lambda: service.refreshed(refresh_id)["Status"] == "RollbackSuccessful", 30)
    assert set(service.in_service()) == first
    assert service.group["LaunchTemplate"]["Version"] == "1"
    assert service.refreshed(refresh_id)["RollbackDetails"]["RollbackReason"]

