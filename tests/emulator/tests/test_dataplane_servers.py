"""Instances boot their own user data in private roots, and are replaced when they fail."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dataplane
from conftest import Server, running
from dataplane import until
from fleet import address, direct, get, health, make


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("servers")
    with running("--time-scale", "100", "--state-dir", str(directory)) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(server: Server) -> dict[str, Any]:
    return make(server)


def test_both_instances_serve_through_the_load_balancer(fleet: dict[str, Any]) -> None:
    answers = [get(fleet) for _ in range(10)]
    assert sorted(Counter(answer["instance"] for answer in answers).values()) == [5, 5]
    assert answers[0]["greeting"] == "hello there"
    assert answers[0]["forwarded"] == "127.0.0.1"
    assert get(fleet, **{"X-Forwarded-For": "203.0.113.9"})["forwarded"] == "203.0.113.9, 127.0.0.1"
    assert answers[0]["state"] == "/var/lib/game-server"
    assert "BEGIN CERTIFICATE" in answers[0]["ca"]


def test_an_instance_sees_nothing_of_the_host(server: Server, fleet: dict[str, Any]) -> None:
    seen = get(fleet)
    assert not seen["host_home"]
    own = set("bin dev etc home lib lib32 lib64 libx32 opt proc root run sbin srv tmp usr var".split())
    # The Python environment that has the AWS CLI is visible too, read-only.
    own |= {Path(prefix).parts[1] for prefix in (sys.prefix, sys.base_prefix)}
    assert set(seen["root"]) <= own


def test_the_console_has_what_user_data_said(server: Server, fleet: dict[str, Any]) -> None:
    instance = next(iter(health(server, fleet)))
    output = server.client("ec2").get_console_output(InstanceId=instance)["Output"]
    assert "booting" in output and "app.py: OK" in output and "booted" in output


def test_metadata_needs_a_token_and_gives_the_roles_credentials(
    server: Server, fleet: dict[str, Any]
) -> None:
    instance = next(iter(health(server, fleet)))
    base = f"http://{address(server, instance)}:1338/latest"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{base}/meta-data/instance-id")
    assert caught.value.code == 401
    ask = urllib.request.Request(f"{base}/api/token", method="PUT")
    ask.add_header("X-aws-ec2-metadata-token-ttl-seconds", "60")
    token = urllib.request.urlopen(ask).read().decode()

    def meta(path: str) -> str:
        request = urllib.request.Request(f"{base}/{path}", headers={"X-aws-ec2-metadata-token": token})
        return str(urllib.request.urlopen(request).read().decode())

    assert meta("meta-data/instance-id") == instance
    assert meta("meta-data/placement/region") == "eu-west-1"
    assert json.loads(meta("dynamic/instance-identity/document"))["instanceId"] == instance
    assert meta("meta-data/iam/security-credentials/") == "servers"
    assert json.loads(meta("meta-data/iam/security-credentials/servers"))["Code"] == "Success"
    assert meta("user-data").startswith("#!/bin/bash")


def test_a_crashed_server_is_restarted(server: Server, fleet: dict[str, Any]) -> None:
    instance = next(iter(health(server, fleet)))
    before = service_pid(server, instance)
    direct(server, instance, "/crash")
    until("it runs again", lambda: service_pid(server, instance) != before)
    until("healthy again", lambda: list(health(server, fleet).values()) == ["healthy"] * 2)


def service_pid(server: Server, instance: str) -> int:
    rows = dataplane.processes(server, "service")
    return int(next(r["pid"] for r in rows if r["resource"] == f"{instance}/game-server.service"))


def test_a_sick_target_gets_no_requests(server: Server, fleet: dict[str, Any]) -> None:
    instance = next(iter(health(server, fleet)))
    until("it can be told", lambda: direct(server, instance, "/sicken"))

    def reason() -> Any:
        elb = server.client("elbv2")
        rows = elb.describe_target_health(TargetGroupArn=fleet["target_group"])
        told = {r["Target"]["Id"]: r["TargetHealth"] for r in rows["TargetHealthDescriptions"]}
        return told[instance].get("Reason")

    until("unhealthy by its answer", lambda: reason() == "Target.ResponseCodeMismatch")
    assert health(server, fleet)[instance] == "unhealthy"
    assert instance not in {get(fleet)["instance"] for _ in range(6)}
    # A group that listens to its load balancer replaces it.
    pid = instance_pid(server, instance)
    server.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="servers", HealthCheckType="ELB", HealthCheckGracePeriod=30
    )
    until("its process is gone", lambda: not dataplane.is_running(pid))
    files = dataplane.state_dir(server) / "dataplane" / "ec2" / instance
    until("its files are gone", lambda: not files.exists())
    replaced(server, fleet, instance)


def replaced(server: Server, fleet: dict[str, Any], instance: str) -> None:
    def check() -> bool:
        told = health(server, fleet)
        return instance not in told and list(told.values()) == ["healthy"] * 2

    until(f"another instance serves in place of {instance}", check)


def instance_pid(server: Server, instance: str) -> int:
    rows = dataplane.processes(server, "instance")
    return int(next(row["pid"] for row in rows if row["resource"] == instance))


def test_an_instance_whose_host_fails_is_replaced(server: Server, fleet: dict[str, Any]) -> None:
    instance = next(iter(health(server, fleet)))
    service = service_pid(server, instance)
    os.kill(instance_pid(server, instance), signal.SIGKILL)
    until("all in it died with it", lambda: not dataplane.is_running(service))
    replaced(server, fleet, instance)


def test_a_terminated_instance_is_replaced(server: Server, fleet: dict[str, Any]) -> None:
    instance = next(iter(health(server, fleet)))
    pid = instance_pid(server, instance)
    server.client("ec2").terminate_instances(InstanceIds=[instance])
    until("its process is gone", lambda: not dataplane.is_running(pid))
    replaced(server, fleet, instance)


def test_the_group_ends_with_its_processes(server: Server, fleet: dict[str, Any]) -> None:
    pids = [row["pid"] for kind in ("instance", "service") for row in dataplane.processes(server, kind)]
    assert len(pids) >= 4
    server.client("autoscaling").delete_auto_scaling_group(
        AutoScalingGroupName="servers", ForceDelete=True
    )
    until("every process is gone", lambda: not any(map(dataplane.is_running, pids)))
    assert not dataplane.processes(server, "instance")


def test_nothing_outlives_the_emulator(tmp_path: Any) -> None:
    """Neither a polite end nor SIGKILL leaves a process."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        options = ("--time-scale", "1000", "--state-dir", str(tmp_path / str(int(number))))
        with running(*options) as server:
            script = "#!/bin/bash\nsleep 1000 &\nsleep 2000\n"
            server.client("ec2").run_instances(
                ImageId=dataplane.image(server),
                MinCount=1,
                MaxCount=1,
                InstanceType="t3.micro",
                UserData=script,
            )
            row = until("it boots", lambda: dataplane.processes(server, "instance"))[0]
            inside = until("user data runs", lambda: sleepers(row["pid"]))
            os.kill(server.process.pid, number)
            server.process.wait(timeout=30)
            gone = [row["pid"], *inside]
            until("all is gone", lambda pids=gone: not any(map(dataplane.is_running, pids)), 10)


def sleepers(top: int) -> list[int]:
    """The host's numbers of the two `sleep`s below a process."""
    from local_aws.dataplane.instances import _descendants

    found = [pid for pid in _descendants(top) if _command(pid).startswith(b"sleep")]
    return found if len(found) == 2 else []


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()
    return b""
