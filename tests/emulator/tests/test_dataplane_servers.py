"""Instances boot their own user data; the load balancer finds them, checks them, and lets go of them."""

from __future__ import annotations

import base64
import contextlib
import http.client
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

import dataplane
import pytest
from conftest import Server, running
from dataplane import until

PORT = 8080
#: What a release's user data does, with a few lines of Python for the server.
USER_DATA = """#!/bin/bash
set -euo pipefail
echo "booting"
mkdir -p /opt/game-server /etc/game-server
aws s3 cp s3://releases-of-the-test/app.py /opt/game-server/app.py --region eu-west-1
echo "@HASH@  /opt/game-server/app.py" | sha256sum -c
cat > /etc/game-server/env <<END
GREETING="hello there"
END
cat > /etc/systemd/system/game-server.service <<END
[Unit]
Description=game server
[Service]
ExecStart=/usr/bin/env python3 /opt/game-server/app.py
EnvironmentFile=/etc/game-server/env
Environment=PORT=8080
Restart=always
RestartSec=200ms
DynamicUser=yes
StateDirectory=game-server
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now game-server
systemctl is-active game-server
echo "booted"
"""
APP = """
import http.server, json, os, urllib.request
base = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
ask = urllib.request.Request(base + "/latest/api/token", method="PUT")
ask.add_header("X-aws-ec2-metadata-token-ttl-seconds", "60")
token = urllib.request.urlopen(ask).read().decode()
def meta(path):
    ask = urllib.request.Request(base + "/latest/" + path)
    ask.add_header("X-aws-ec2-metadata-token", token)
    return urllib.request.urlopen(ask).read().decode()
ADDRESS, ME = meta("meta-data/local-ipv4"), meta("meta-data/instance-id")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sick = self.path == "/livez" and os.path.exists("/tmp/sick")
        if self.path == "/sicken":
            open("/tmp/sick", "w").close()
        if self.path == "/crash":
            os._exit(3)
        body = json.dumps({
            "instance": ME, "greeting": os.environ["GREETING"], "state": os.environ["STATE_DIRECTORY"],
            "forwarded": self.headers.get("X-Forwarded-For"), "ca": open(os.environ["GAME_CA_FILE"]).read(),
            "root": sorted(os.listdir("/")), "host_home": os.path.exists("@HOST@"),
        }).encode()
        self.send_response(503 if sick else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer((ADDRESS, int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("servers")
    with running("--time-scale", "100", "--state-dir", str(directory)) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(server: Server) -> dict[str, Any]:
    """Two instances behind a load balancer, by launch template and Auto Scaling group."""
    import hashlib

    app = APP.replace("@HOST@", str(dataplane.state_dir(server))).encode()
    s3 = server.client("s3")
    s3.create_bucket(
        Bucket="releases-of-the-test", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    s3.put_object(Bucket="releases-of-the-test", Key="app.py", Body=app)
    script = USER_DATA.replace("@HASH@", hashlib.sha256(app).hexdigest())
    made = dataplane.network(server)
    made |= balancer(server, made)
    iam = server.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    iam.create_role(RoleName="servers", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName="servers")
    iam.add_role_to_instance_profile(InstanceProfileName="servers", RoleName="servers")
    server.client("ec2").create_launch_template(
        LaunchTemplateName="servers",
        LaunchTemplateData={
            "ImageId": dataplane.image(server),
            "InstanceType": "t3.micro",
            "UserData": base64.b64encode(script.encode()).decode(),
            "SecurityGroupIds": [made["group"]],
            "IamInstanceProfile": {"Name": "servers"},
            "MetadataOptions": {"HttpTokens": "required"},
        },
    )

    def create_group() -> bool:
        server.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName="servers",
            MinSize=2,
            MaxSize=4,
            DesiredCapacity=2,
            VPCZoneIdentifier=",".join(made["subnets"]),
            LaunchTemplate={"LaunchTemplateName": "servers", "Version": "1"},
            TargetGroupARNs=[made["target_group"]],
        )
        return True

    until("the profile has arrived", create_group)
    until("two healthy targets", lambda: list(health(server, made).values()) == ["healthy"] * 2)
    return made


def balancer(server: Server, net: dict[str, Any]) -> dict[str, Any]:
    elb = server.client("elbv2")
    load_balancer = elb.create_load_balancer(
        Name="front", Subnets=net["subnets"], SecurityGroups=[net["group"]]
    )["LoadBalancers"][0]
    target_group = elb.create_target_group(
        Name="servers",
        Protocol="HTTP",
        Port=PORT,
        VpcId=net["vpc"],
        HealthCheckPath="/livez",
        HealthCheckIntervalSeconds=10,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    listener = elb.create_listener(
        LoadBalancerArn=load_balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=8081,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
    )["Listeners"][0]["ListenerArn"]
    return {
        "target_group": target_group,
        "load_balancer": load_balancer["LoadBalancerArn"],
        "listener": listener,
        "host": load_balancer["DNSName"],
    }


def health(server: Server, fleet: dict[str, Any]) -> dict[str, str]:
    rows = server.client("elbv2").describe_target_health(TargetGroupArn=fleet["target_group"])
    return {
        row["Target"]["Id"]: row["TargetHealth"]["State"] for row in rows["TargetHealthDescriptions"]
    }


def get(fleet: dict[str, Any], path: str = "/", **headers: str) -> dict[str, Any]:
    request = urllib.request.Request(f"http://{fleet['host']}:8081{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)  # type: ignore[no-any-return]


def direct(server: Server, instance: str, path: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        urllib.request.urlopen(f"http://{address(server, instance)}:{PORT}{path}", timeout=5).read()


def address(server: Server, instance: str) -> str:
    found = server.client("ec2").describe_instances(InstanceIds=[instance])
    return str(found["Reservations"][0]["Instances"][0]["PrivateIpAddress"])


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
    direct(server, instance, "/sicken")

    def reason() -> Any:
        elb = server.client("elbv2")
        rows = elb.describe_target_health(TargetGroupArn=fleet["target_group"])
        told = {r["Target"]["Id"]: r["TargetHealth"] for r in rows["TargetHealthDescriptions"]}
        return told[instance].get("Reason")

    until("unhealthy by its answer", lambda: reason() == "Target.ResponseCodeMismatch")
    assert health(server, fleet)[instance] == "unhealthy"
    assert instance not in {get(fleet)["instance"] for _ in range(6)}
    # It recovers by being replaced: terminated, and another one launched in its place.
    pid = next(r["pid"] for r in dataplane.processes(server, "instance") if r["resource"] == instance)
    server.client("ec2").terminate_instances(InstanceIds=[instance])
    until("its process is gone", lambda: not dataplane.is_running(pid))
    files = dataplane.state_dir(server) / "dataplane" / "ec2" / instance
    until("its files are gone", lambda: not files.exists())
    until(
        "a new instance serves",
        lambda: instance not in health(server, fleet)
        and list(health(server, fleet).values()) == ["healthy"] * 2,
    )


def test_a_deregistered_target_is_drained(server: Server, fleet: dict[str, Any]) -> None:
    elb = server.client("elbv2")
    instance = next(iter(health(server, fleet)))
    target = [{"Id": instance}]
    elb.deregister_targets(TargetGroupArn=fleet["target_group"], Targets=target)
    until("it gets nothing", lambda: instance not in {get(fleet)["instance"] for _ in range(6)})
    elb.register_targets(TargetGroupArn=fleet["target_group"], Targets=target)
    until("it is back", lambda: instance in {get(fleet)["instance"] for _ in range(6)})


def test_redirects_and_fixed_answers(server: Server, fleet: dict[str, Any]) -> None:
    elb = server.client("elbv2")
    redirect = {"Protocol": "HTTPS", "Port": "8443", "StatusCode": "HTTP_301"}
    elb.create_listener(
        LoadBalancerArn=fleet["load_balancer"],
        Protocol="HTTP",
        Port=8082,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}],
    )
    fixed = {"StatusCode": "418", "MessageBody": 'a "teapot"', "ContentType": "text/plain"}
    elb.create_rule(
        ListenerArn=fleet["listener"],
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/tea*"]}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    )

    def ask(port: int, path: str) -> Any:
        connection = http.client.HTTPConnection(fleet["host"], port, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("location"), answer.read().decode()

    status, location, _ = until("the new listener answers", lambda: ask(8082, "/a?b=c"))
    assert (status, location) == (301, f"https://{fleet['host']}:8443/a?b=c")
    until("the rule is in force", lambda: ask(8081, "/teapot")[0] == 418)
    assert ask(8081, "/teapot")[2] == 'a "teapot"'
    # The change of configuration has not made anybody prove himself again.
    assert get(fleet)["greeting"] == "hello there"


def test_no_process_is_left_of_a_deleted_load_balancer(server: Server, fleet: dict[str, Any]) -> None:
    pids = [row["pid"] for row in dataplane.processes(server, "load-balancer")]
    assert pids
    server.client("elbv2").delete_load_balancer(LoadBalancerArn=fleet["load_balancer"])
    until("haproxy is gone", lambda: not any(map(dataplane.is_running, pids)))
    with pytest.raises(OSError):
        get(fleet)


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
