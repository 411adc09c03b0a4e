"""Listeners, rules and target groups in HAProxy's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .haproxy import GLOBAL

#: Checks are never closer together than this, however fast time goes.
MIN_INTERVAL_SECONDS = 0.2
MIN_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Target:
    """A registered target: its id and port in AWS, and where it really is."""

    id: str
    port: int
    address: str
    draining: bool

    @property
    def server(self) -> str:
        return f"{self.id}_{self.port}"


@dataclass(frozen=True)
class Pool:
    """A target group, as a backend."""

    name: str
    tls: bool
    least_outstanding: bool
    path: str
    codes: str
    check_port: str
    check_tls: bool
    interval: float
    timeout: float
    healthy: int
    unhealthy: int
    group: str = ""

    def server_options(self) -> str:
        """What follows `server NAME ADDRESS:PORT`."""
        options = f"check inter {int(self.interval * 1000)}ms rise {self.healthy} fall {self.unhealthy}"
        if self.check_port != "traffic-port":
            options += f" port {self.check_port}"
        if self.tls:
            options += " ssl verify none"
        elif self.check_tls:
            options += " check-ssl verify none"
        return options


@dataclass(frozen=True)
class Listener:
    """A port of the load balancer, its certificate if it has one, and its rules in order."""

    port: int
    protocol: str
    certificate: Path | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Rule:
    """Conditions (in botocore's shape) and the last action, which decides."""

    conditions: tuple[dict[str, Any], ...]
    action: dict[str, Any]


def pool_of(group: Any, seconds: Any) -> Pool:
    """A moto target group; `seconds` turns AWS seconds into real ones."""
    interval = float(group.health_check_interval_seconds or 30)
    timeout = float(group.health_check_timeout_seconds or 5)
    matcher = getattr(group, "matcher", None) or {}
    return Pool(
        name=pool_name(group.arn),
        tls=group.protocol == "HTTPS",
        least_outstanding=group.attributes.get("load_balancing.algorithm.type")
        == "least_outstanding_requests",
        path=group.health_check_path or "/",
        codes=matcher.get("HttpCode") or "200",
        check_port=str(group.health_check_port or "traffic-port"),
        check_tls=group.health_check_protocol == "HTTPS",
        interval=max(MIN_INTERVAL_SECONDS, seconds(interval)),
        timeout=min(timeout, max(MIN_TIMEOUT_SECONDS, seconds(timeout))),
        healthy=int(group.healthy_threshold_count or 5),
        unhealthy=int(group.unhealthy_threshold_count or 2),
        group=group.arn.rpartition(":")[2],
    )


def pool_name(arn: str) -> str:
    """targetgroup/NAME/ID as a backend's name."""
    return arn.rpartition("targetgroup/")[2].replace("/", "-")


def render(
    address: str,
    listeners: list[Listener],
    pools: dict[str, Pool],
    targets: dict[str, list[Target]],
    idle_seconds: int,
) -> str:
    """The whole configuration."""
    parts = [
        GLOBAL,
        "defaults\n    mode http\n    log global\n    option dontlognull\n    timeout connect 5s\n"
        f"    timeout client {idle_seconds}s\n    timeout server {idle_seconds}s\n"
        "    timeout http-keep-alive 60s\n    retries 0\n    load-server-state-from-file global\n",
    ]
    parts += [_frontend(address, listener) for listener in listeners]
    for name in sorted(pools):
        parts.append(_backend(pools[name], targets.get(name, [])))
    return "\n".join(parts)


def _frontend(address: str, listener: Listener) -> str:
    tls = f" ssl crt {_quoted(str(listener.certificate))} alpn h2,http/1.1" if listener.certificate else ""
    scheme = listener.protocol.lower()
    lines = [
        f"frontend listener-{listener.port}",
        f"    bind {address}:{listener.port}{tls}",
        '    http-request set-header X-Forwarded-For "%[req.fhdr(x-forwarded-for)], %[src]"'
        " if { req.hdr(x-forwarded-for) -m found }",
        "    http-request set-header X-Forwarded-For %[src] unless { req.hdr(x-forwarded-for) -m found }",
        f"    http-request set-header X-Forwarded-Proto {scheme}",
        f"    http-request set-header X-Forwarded-Port {listener.port}",
        "    http-request set-header X-Amzn-Trace-Id Root=%[uuid] unless { req.hdr(x-amzn-trace-id) -m found }",
    ]
    # The first rule that applies leaves its number; answers and forwards go by that.
    answers, forwards = [], []
    for number, rule in enumerate(listener.rules):
        tests = ["!{ var(txn.rule) -m found }"]
        for index, condition in enumerate(rule.conditions):
            name = f"rule-{number}-{index}"
            lines += [f"    acl {name} {test}" for test in _tests(condition)]
            tests.append(name)
        lines.append(f"    http-request set-var(txn.rule) int({number}) if {' '.join(tests)}")
        chosen = f"{{ var(txn.rule) -m int {number} }}"
        if rule.action.get("Type") == "forward":
            forwards += _forward(rule.action, chosen)
        else:
            answers.append(f"    {_answer(rule.action, listener, scheme)} if {chosen}")
    return "\n".join(lines + answers + forwards) + "\n"


def _tests(condition: dict[str, Any]) -> list[str]:
    field = condition.get("Field")
    config = {
        "path-pattern": ("PathPatternConfig", "path"),
        "host-header": ("HostHeaderConfig", "req.hdr(host),field(1,:),lower"),
        "http-request-method": ("HttpRequestMethodConfig", "method"),
        "http-header": ("HttpHeaderConfig", ""),
        "source-ip": ("SourceIpConfig", "src"),
    }.get(str(field))
    if config is None:
        raise ValueError(f"listener rules by {field} are not supported here")
    values = condition.get("Values") or (condition.get(config[0]) or {}).get("Values") or []
    fetch = config[1]
    if field == "source-ip":
        return [f"{fetch} {value}" for value in values]
    if field == "http-header":
        fetch = f"req.hdr({condition['HttpHeaderConfig']['HttpHeaderName']})"
    return [f"{fetch} -m reg {_quoted(_pattern(str(value)))}" for value in values]


def _pattern(wildcard: str) -> str:
    """`*` is any text, `?` any character."""
    text = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in wildcard)
    return f"^{text}$"


def _forward(action: dict[str, Any], chosen: str) -> list[str]:
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    weighted = [(g["TargetGroupArn"], int(g.get("Weight") or 0)) for g in groups]
    weighted = [item for item in weighted if item[1] > 0]
    if not weighted:
        weighted = [(action["TargetGroupArn"], 1)]
    left = sum(weight for _, weight in weighted)
    lines = []
    for arn, weight in weighted:
        share = f" {{ rand({left}) lt {weight} }}" if weight < left else ""
        lines.append(f"    use_backend {pool_name(arn)} if {chosen}{share}")
        left -= weight
    return lines


def _answer(action: dict[str, Any], listener: Listener, scheme: str) -> str:
    kind = action.get("Type")
    if kind == "fixed-response":
        config = action["FixedResponseConfig"]
        body = _quoted(config.get("MessageBody") or "")
        content = config.get("ContentType") or "text/plain"
        return f"http-request return status {config['StatusCode']} content-type {content} string {body}"
    if kind == "redirect":
        config = action["RedirectConfig"]
        code = str(config["StatusCode"]).removeprefix("HTTP_")
        return f"http-request redirect location {_location(config, listener, scheme)} code {code}"
    raise ValueError(f"listener actions of type {kind} are not supported here")


def _location(config: dict[str, Any], listener: Listener, scheme: str) -> str:
    host = "%[req.hdr(host),field(1,:)]"
    protocol = (config.get("Protocol") or "#{protocol}").lower().replace("#{protocol}", scheme)
    port = str(config.get("Port") or "#{port}").replace("#{port}", str(listener.port))
    default = {"http": "80", "https": "443"}[protocol]
    name = (config.get("Host") or "#{host}").replace("#{host}", host)
    path, query = config.get("Path") or "/#{path}", config.get("Query", "#{query}")
    if path == "/#{path}" and query == "#{query}":
        rest = "%[pathq]"
    else:
        rest = path.replace("#{path}", "%[path,regsub(^/,)]")
        rest += f"?{query.replace('#{query}', '%[query]')}" if query else ""
        rest = rest.replace("#{host}", host).replace("#{port}", port).replace("#{protocol}", scheme)
    return _quoted(f"{protocol}://{name}{'' if port == default else ':' + port}{rest}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\n") + '"'


def _backend(pool: Pool, targets: list[Target]) -> str:
    lines = [
        f"backend {pool.name}",
        f"    balance {'leastconn' if pool.least_outstanding else 'roundrobin'}",
        "    option httpchk",
        f"    http-check send meth GET uri {_quoted(pool.path)} ver HTTP/1.1 hdr Host health-check"
        " hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close",
        f"    http-check expect status {pool.codes}",
        f"    timeout check {int(pool.timeout * 1000)}ms",
    ]
    for target in targets:
        lines.append(
            f"    server {target.server} {target.address}:{target.port} {pool.server_options()}"
        )
    return "\n".join(lines) + "\n"
