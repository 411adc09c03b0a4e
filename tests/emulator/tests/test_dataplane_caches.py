"""Replication groups are Redis servers: replication, AUTH, TLS, failover, members."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import redis

import dataplane
from conftest import Server, running
from dataplane import until

TOKEN = "a-token-of-more-than-16"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("caches")
    with running("--time-scale", "400", "--state-dir", str(directory)) as server:
        net = dataplane.network(server)
        server.client("elasticache").create_cache_subnet_group(
            CacheSubnetGroupName="cache",
            CacheSubnetGroupDescription="cache",
            SubnetIds=net["subnets"],
        )
        yield server


def create(server: Server, name: str, **more: Any) -> dict[str, Any]:
    server.client("elasticache").create_replication_group(
        ReplicationGroupId=name,
        ReplicationGroupDescription=name,
        Engine="redis",
        EngineVersion="7.1",
        CacheNodeType="cache.t4g.small",
        CacheSubnetGroupName="cache",
        NumCacheClusters=3,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        **more,
    )
    return available(server, name)


def available(server: Server, name: str) -> dict[str, Any]:
    def check() -> Any:
        client = server.client("elasticache")
        held = client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
        return held["NodeGroups"][0] if held["Status"] == "available" else None

    return until(f"{name} available", check)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def group(server: Server) -> dict[str, Any]:
    return create(server, "plain", TransitEncryptionEnabled=False)


def at(endpoint: dict[str, Any], **more: Any) -> redis.Redis:
    return redis.Redis(
        host=endpoint["Address"],
        port=endpoint["Port"],
        socket_timeout=3,
        decode_responses=True,
        **more,
    )


def roles(group: dict[str, Any]) -> dict[str, str]:
    return {member["CacheClusterId"]: member["CurrentRole"] for member in group["NodeGroupMembers"]}


def test_writes_reach_the_replicas(group: dict[str, Any]) -> None:
    primary, reader = at(group["PrimaryEndpoint"]), at(group["ReaderEndpoint"])
    assert primary.info("replication")["connected_slaves"] == 2
    primary.set("a", "1")
    until("the reader endpoint has it", lambda: reader.get("a") == "1")
    with pytest.raises(redis.ReadOnlyError):
        reader.set("a", "2")
    for member in group["NodeGroupMembers"]:
        assert at(member["ReadEndpoint"]).get("a") == "1"


def test_the_reader_endpoint_takes_turns(group: dict[str, Any]) -> None:
    seen = {at(group["ReaderEndpoint"]).info("server")["run_id"] for _ in range(8)}
    assert len(seen) == 2


def test_what_elasticache_forbids_is_forbidden(group: dict[str, Any]) -> None:
    with pytest.raises(redis.ResponseError):
        at(group["PrimaryEndpoint"]).config_get("*")


def test_a_requested_failover_moves_the_primary_endpoint(
    server: Server, group: dict[str, Any]
) -> None:
    before = roles(available(server, "plain"))
    old = next(name for name, role in before.items() if role == "primary")
    at(group["PrimaryEndpoint"]).set("kept", "yes")
    until("replicated", lambda: at(group["ReaderEndpoint"]).get("kept") == "yes")
    pid = pid_of(server, old)
    server.client("elasticache").test_failover(ReplicationGroupId="plain", NodeGroupId="0001")
    until("the old primary is killed", lambda: not dataplane.is_running(pid))
    until("writes are taken again", lambda: at(group["PrimaryEndpoint"]).set("after", "1"))
    assert at(group["PrimaryEndpoint"]).get("kept") == "yes"
    until("another member is primary", lambda: roles(available(server, "plain"))[old] == "replica")
    settled(server, group)


def settled(server: Server, group: dict[str, Any]) -> None:
    until(
        "both replicas are back",
        lambda: at(group["PrimaryEndpoint"]).info("replication")["connected_slaves"] == 2,
    )


def test_a_killed_primary_is_replaced_by_a_replica(server: Server, group: dict[str, Any]) -> None:
    before = roles(available(server, "plain"))
    old = next(name for name, role in before.items() if role == "primary")
    at(group["PrimaryEndpoint"]).set("survives", "1")
    until("replicated", lambda: at(group["ReaderEndpoint"]).get("survives") == "1")
    os.kill(pid_of(server, old), signal.SIGKILL)
    until("writes are taken again", lambda: at(group["PrimaryEndpoint"]).set("b", "2"))
    assert at(group["PrimaryEndpoint"]).get("survives") == "1"
    until("AWS says so too", lambda: roles(available(server, "plain"))[old] == "replica")
    settled(server, group)


def test_members_come_and_go(server: Server, group: dict[str, Any]) -> None:
    client = server.client("elasticache")
    client.increase_replica_count(ReplicationGroupId="plain", NewReplicaCount=3, ApplyImmediately=True)
    until("a third replica", lambda: len(dataplane.processes(server, "cache")) == 4)
    primary = at(group["PrimaryEndpoint"])
    until("it replicates", lambda: primary.info("replication")["connected_slaves"] == 3)
    available(server, "plain")
    client.decrease_replica_count(ReplicationGroupId="plain", NewReplicaCount=1, ApplyImmediately=True)
    until("one replica", lambda: len(dataplane.processes(server, "cache")) == 2)
    primary.set("last", "1")
    until("the reader endpoint works", lambda: at(group["ReaderEndpoint"]).get("last") == "1")


def test_tls_and_auth(server: Server) -> None:
    group = create(server, "secure", TransitEncryptionEnabled=True, AuthToken=TOKEN)
    tls = {"ssl": True, "ssl_ca_certs": str(dataplane.authority(server))}
    primary = at(group["PrimaryEndpoint"], password=TOKEN, **tls)
    primary.set("a", "1")
    reader = at(group["ReaderEndpoint"], password=TOKEN, **tls)
    until("the reader endpoint has it", lambda: reader.get("a") == "1")
    with pytest.raises(redis.AuthenticationError):
        at(group["PrimaryEndpoint"], **tls).get("a")
    with pytest.raises(redis.RedisError):
        at(group["PrimaryEndpoint"], password=TOKEN).get("a")
    pids = [row["pid"] for row in dataplane.processes(server, "cache") if "secure" in row["resource"]]
    server.client("elasticache").delete_replication_group(ReplicationGroupId="secure")
    until("its processes are gone", lambda: not any(map(dataplane.is_running, pids)))


def pid_of(server: Server, name: str) -> int:
    rows = dataplane.processes(server, "cache")
    return int(next(row["pid"] for row in rows if row["resource"] == name))
