"""Two instances behind a load balancer, made as the provisioner makes them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import urllib.request
from typing import Any

import dataplane
from conftest import Server
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


def make(
    server: Server,
    net: dict[str, Any] | None = None,
    script: str | None = None,
    files: dict[str, bytes] | None = None,
) -> dict[str, Any]:
    """Two instances behind a load balancer, by launch template and Auto Scaling group.

    `files` is what they find in the bucket; the small Python server and its user data are the default.
    """
    if script is None:
        app = APP.replace("@HOST@", str(dataplane.state_dir(server))).encode()
        script = USER_DATA.replace("@HASH@", hashlib.sha256(app).hexdigest())
        files = {"app.py": app}
    s3 = server.client("s3")
    s3.create_bucket(
        Bucket="releases-of-the-test", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    for key, body in (files or {}).items():
        s3.put_object(Bucket="releases-of-the-test", Key=key, Body=body)
    made = dict(net or dataplane.network(server))
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
    until("two healthy targets", lambda: list(health(server, made).values()) == ["healthy"] * 2, 120)
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


def direct(server: Server, instance: str, path: str) -> bool:
    """A request to an instance itself; whether it was answered."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        url = f"http://{address(server, instance)}:{PORT}{path}"
        urllib.request.urlopen(url, timeout=5).read()
        return True
    return False


def address(server: Server, instance: str) -> str:
    found = server.client("ec2").describe_instances(InstanceIds=[instance])
    return str(found["Reservations"][0]["Instances"][0]["PrivateIpAddress"])
