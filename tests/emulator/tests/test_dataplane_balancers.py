"""The load balancer: draining, rules, redirects, certificates, and its end."""

from __future__ import annotations

import datetime
import http.client
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import dataplane
from conftest import Server, running
from dataplane import until
from fleet import get, health, make


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("balancers")
    with running("--time-scale", "100", "--state-dir", str(directory)) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(server: Server) -> dict[str, Any]:
    return make(server)


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


def self_signed(name: str) -> dict[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"Certificate": certificate.public_bytes(pem), "PrivateKey": key.private_bytes(pem, *plain)}


def test_https_has_a_certificate_for_its_names(server: Server, fleet: dict[str, Any]) -> None:
    acm = server.client("acm")
    arn = acm.import_certificate(**self_signed("api.game.test"))["CertificateArn"]
    server.client("elbv2").create_listener(
        LoadBalancerArn=fleet["load_balancer"],
        Protocol="HTTPS",
        Port=8443,
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": fleet["target_group"]}],
    )
    trusting = ssl.create_default_context(cafile=str(dataplane.authority(server)))

    def ask(name: str) -> str:
        with socket.create_connection((fleet["host"], 8443), timeout=5) as raw:
            with trusting.wrap_socket(raw, server_hostname=name) as secured:
                secured.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return secured.makefile("rb").readline().decode()

    until("it answers by address", lambda: ask(fleet["host"]).split()[1] == "200")
    assert ask("api.game.test").split()[1] == "200"
    with pytest.raises(ssl.SSLCertVerificationError):
        ask("other.game.test")


def test_a_port_that_cannot_be_had_leaves_the_others_alone(
    server: Server, fleet: dict[str, Any]
) -> None:
    with socket.socket() as taken:
        taken.bind((fleet["host"], 8099))
        taken.listen()
        forward = [{"Type": "forward", "TargetGroupArn": fleet["target_group"]}]
        listener = server.client("elbv2").create_listener(
            LoadBalancerArn=fleet["load_balancer"], Protocol="HTTP", Port=8099, DefaultActions=forward
        )["Listeners"][0]["ListenerArn"]
        for _ in range(20):
            assert get(fleet)["greeting"] == "hello there"
    server.client("elbv2").delete_listener(ListenerArn=listener)


def test_a_killed_load_balancer_comes_back(server: Server, fleet: dict[str, Any]) -> None:
    before = dataplane.processes(server, "load-balancer")[-1]["pid"]
    os.kill(before, signal.SIGKILL)
    until("it answers again", lambda: get(fleet)["greeting"] == "hello there")
    after = [row["pid"] for row in dataplane.processes(server, "load-balancer")]
    assert after and before not in after


def test_no_process_is_left_of_a_deleted_load_balancer(server: Server, fleet: dict[str, Any]) -> None:
    pids = [row["pid"] for row in dataplane.processes(server, "load-balancer")]
    assert pids
    server.client("elbv2").delete_load_balancer(LoadBalancerArn=fleet["load_balancer"])
    until("haproxy is gone", lambda: not any(map(dataplane.is_running, pids)))
    with pytest.raises(OSError):
        get(fleet)
