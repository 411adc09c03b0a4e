"""The data plane's parts that need no running emulator."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_aws.dataplane.addresses import Addresses, NoAddresses
from local_aws.dataplane.balancer_config import Listener, Pool, Rule, Target, render

GUEST = Path(__file__).parent.parent / "local_aws" / "dataplane" / "guest"
sys.path.insert(0, str(GUEST))
import units  # noqa: E402

RANGE = ipaddress.ip_network("127.250.0.0/23")


def test_an_address_stays_with_its_name_until_it_is_released() -> None:
    held = Addresses(RANGE)
    try:
        first = held.of("rds", "eu-west-1", "main")
        assert held.of("rds", "eu-west-1", "main") == first
        assert held.of("rds", "us-east-1", "main") != first
        held.release("rds", "eu-west-1", "main")
        assert held.of("ec2", "eu-west-1", "i-1") != first, "a released address is used again last"
    finally:
        held.close()


def test_two_emulators_never_share_an_address() -> None:
    one, other, third = Addresses(RANGE), Addresses(RANGE), Addresses(RANGE)
    try:
        mine = {one.of(str(number)) for number in range(100)}
        theirs = {other.of(str(number)) for number in range(100)}
        assert not mine & theirs
        with pytest.raises(NoAddresses):
            third.of("there are but two blocks")
        one.close()
        assert third.of("now one is free")
    finally:
        for held in (one, other, third):
            held.close()


POOL = Pool("blue", False, False, "/livez?a=\"b\"", "200-299,404", "traffic-port", False, 0.5, 2.0, 2, 3)


def rule(action: dict[str, Any], *conditions: dict[str, Any]) -> Rule:
    return Rule(conditions, action)


def forward(*weights: tuple[str, int]) -> dict[str, Any]:
    groups = [{"TargetGroupArn": f"x:targetgroup/{name}/1", "Weight": w} for name, w in weights]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def test_every_kind_of_rule_is_a_valid_configuration(tmp_path: Path) -> None:
    redirect = {"StatusCode": "HTTP_302", "Path": "/moved/#{path}", "Query": "from=#{host}", "Port": "#{port}"}
    fixed = {"StatusCode": "503", "MessageBody": 'back "soon" at $5\n', "ContentType": "text/html"}
    rules = (
        rule(forward(("blue", 90), ("green", 10)), {"Field": "path-pattern", "Values": ["/a*", "/b?.x"]}),
        rule(forward(("green", 1)), {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.game.test"]}}),
        rule(
            {"Type": "redirect", "RedirectConfig": redirect},
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}},
        ),
        rule(
            {"Type": "fixed-response", "FixedResponseConfig": fixed},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Old", "Values": ["1"]}},
        ),
        rule({"Type": "forward", "TargetGroupArn": "x:targetgroup/blue/1"}),
    )
    pools = {name: Pool(**{**POOL.__dict__, "name": name}) for name in ("blue-1", "green-1")}
    targets = {"blue-1": [Target("i-0123", 8080, "127.0.0.9", False)]}
    config = render("127.250.0.1", [Listener(18080, "HTTP", None, rules)], pools, targets, 60)
    path = tmp_path / "haproxy.cfg"
    path.write_text(config)
    (tmp_path / "servers.state").touch()
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    done = subprocess.run(
        ["haproxy", "-c", "-f", path.name], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr + config
    # 90 of 100, then all that is left.
    assert "rand(100) lt 90" in config and "rand(10)" not in config


def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Any:
    monkeypatch.setattr(units, "DIRECTORIES", (str(tmp_path),))
    (tmp_path / "game.service").write_text(text)
    return units.Unit("game.service")


def test_a_unit_file_is_read_as_systemd_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text('# comment\nB=from the file\nC="quoted"\n')
    held = unit(
        tmp_path,
        monkeypatch,
        "[Service]\nEnvironment=A=1 \"B=two words\"\n"
        f"EnvironmentFile={tmp_path}/env\nEnvironmentFile=-/does/not/exist\n"
        "ExecStart=/bin/false\nExecStart=\nExecStart=/bin/echo \\\n  ${A} $C\nRestartSec=1min 500ms\n",
    )
    environment = held.environment({})
    assert environment == {"A": "1", "B": "from the file", "C": "quoted"}
    assert held.seconds("RestartSec", 0) == 60.5
    assert units.command_line(held.last("ExecStart"), environment) == ["/bin/echo", "1", "quoted"]
    assert len(held.all("ExecStart")) == 1


def test_a_missing_environment_file_stops_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = unit(tmp_path, monkeypatch, "[Service]\nEnvironmentFile=/does/not/exist\nExecStart=/bin/true\n")
    with pytest.raises(units.UnitError):
        held.environment({})
