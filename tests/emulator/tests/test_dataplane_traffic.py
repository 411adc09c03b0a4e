"""What a load balancer measures sets alarms off, and requests in flight outlive a deregistration."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import Server, running
from dataplane import until
from fleet import get, health, make
from local_aws.dataplane.alarms import judge, statistic

APP = """
import http.server, json, os, time, urllib.request
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
        if self.path == "/slow":
            time.sleep(3)
        body = json.dumps({"instance": ME}).encode()
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer((ADDRESS, 8080), Handler).serve_forever()
"""
SCRIPT = f"""#!/bin/bash
cat > /opt/app.py <<'END'
{APP}
END
cat > /etc/systemd/system/app.service <<END
[Service]
ExecStart=/usr/bin/env python3 /opt/app.py
Restart=always
END
systemctl daemon-reload
systemctl start app
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("traffic")
    with running("--time-scale", "60", "--state-dir", str(directory)) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(server: Server) -> dict[str, Any]:
    return make(server, script=SCRIPT)


def state_of(server: Server, name: str) -> str:
    told = server.client("cloudwatch").describe_alarms(AlarmNames=[name])
    return str(told["MetricAlarms"][0]["StateValue"])


def put(server: Server, fleet: dict[str, Any], name: str, metric: str) -> None:
    suffix = fleet["load_balancer"].rpartition("loadbalancer/")[2]
    server.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName=metric,
        Dimensions=[{"Name": "LoadBalancer", "Value": suffix}],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )


def test_answers_of_the_targets_set_an_alarm_off_and_it_calms_down(
    server: Server, fleet: dict[str, Any]
) -> None:
    put(server, fleet, "target-errors", "HTTPCode_Target_5XX_Count")
    put(server, fleet, "balancer-errors", "HTTPCode_ELB_5XX_Count")
    for _ in range(20):
        get(fleet)
    until("it is quiet", lambda: state_of(server, "target-errors") == "OK")
    for _ in range(10):
        with pytest.raises(urllib.error.HTTPError):
            get(fleet, "/broken")
    until("it goes off", lambda: state_of(server, "target-errors") == "ALARM")
    assert state_of(server, "balancer-errors") == "OK"
    # Five minutes of AWS later nothing of it is left in the period.
    until("it is quiet again", lambda: state_of(server, "target-errors") == "OK", 30)


def test_a_request_in_flight_outlives_the_deregistration(
    server: Server, fleet: dict[str, Any]
) -> None:
    answers: list[int] = []

    def ask() -> None:
        url = f"http://{fleet['host']}:8081/slow"
        with urllib.request.urlopen(url, timeout=20) as answer:
            answers.append(answer.status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    threading.Event().wait(0.5)
    # Thirty seconds of AWS are half a second here, and the requests take three.
    for instance in health(server, fleet):
        server.client("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=False
        )
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    until("two new ones", lambda: list(health(server, fleet).values()).count("healthy") == 2, 120)


def alarm(**more: Any) -> SimpleNamespace:
    told = {
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": 3.0,
        "statistic": "Sum",
        "extended_statistic": None,
        "evaluation_periods": 2,
        "datapoints_to_alarm": None,
        "treat_missing_data": "missing",
    }
    return SimpleNamespace(**{**told, **more})


def test_an_alarm_is_judged_by_its_periods() -> None:
    assert judge([[1, 2], [3]], alarm()) == "ALARM"
    assert judge([[1, 1], [3]], alarm()) == "OK"
    assert judge([[1, 1], [3]], alarm(datapoints_to_alarm=1)) == "ALARM"
    assert judge([[], []], alarm()) == "INSUFFICIENT_DATA"
    assert judge([[], []], alarm(treat_missing_data="notBreaching")) == "OK"
    assert judge([[], [4]], alarm(treat_missing_data="breaching")) == "ALARM"
    assert judge([[], []], alarm(treat_missing_data="ignore")) is None
    assert statistic("p95", [float(n) for n in range(100)]) == 95.0
    assert statistic("Average", [1.0, 3.0]) == 2.0
