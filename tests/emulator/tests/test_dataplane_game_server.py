"""The real game server on the data plane: booted by user data, over TLS, through failovers.

Needs the server's binary: $GAME_SERVER, or what `cargo build -p server` made in the target directory.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import redis

import dataplane
from conftest import Server, running
from dataplane import until
from fleet import health, make

PASSWORD, TOKEN = "A-secret-of-20-chars", "a-token-of-more-than-16"
USER_DATA = """#!/bin/bash
set -euo pipefail
binary=/opt/game-server/game-server
mkdir -p /opt/game-server /etc/game-server
aws s3 cp --only-show-errors --region eu-west-1 s3://releases-of-the-test/game-server $binary
echo "@HASH@  $binary" | sha256sum --check --strict --quiet
chmod 0755 $binary
cat > /etc/game-server/env <<'END'
@ENVIRONMENT@
END
cat > /etc/systemd/system/game-server.service <<END
[Service]
ExecStart=$binary
EnvironmentFile=/etc/game-server/env
DynamicUser=yes
StateDirectory=game-server
Restart=always
RestartSec=2
LimitNOFILE=65536
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now game-server
"""


def binary() -> Path | None:
    """The game server, if it has been built."""
    checkout = Path(__file__).resolve().parents[3]
    target = Path(os.environ.get("CARGO_TARGET_DIR", checkout / "target"))
    named = [os.environ[name] for name in ("GAME_SERVER",) if name in os.environ]
    candidates = [Path(name) for name in named] + [
        target / profile / "game-server" for profile in ("debug", "release")
    ]
    return next((path for path in candidates if path.is_file()), None)


pytestmark = pytest.mark.skipif(
    binary() is None, reason="the game server is not built: cargo build -p server, or set GAME_SERVER"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("game")
    with running("--time-scale", "100", "--state-dir", str(directory)) as server:
        yield server


@pytest.fixture(scope="module")
def game(server: Server) -> dict[str, Any]:
    """The whole backend, small; where each part answers."""
    net = dataplane.network(server)
    create_stores(server, net)
    database = until("the database", lambda: database_endpoint(server))
    cache = until("the cache", lambda: cache_endpoints(server))
    path = binary()
    assert path is not None
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    environment = {
        "GAME_STORE": "aws",
        "GAME_STACK": "game-test",
        "GAME_RELEASE": digest,
        "AWS_REGION": dataplane.REGION,
        "GAME_DATABASE_HOST": database,
        "GAME_DATABASE_SECRET": "database",
        "GAME_CACHE_HOST": cache["primary"],
        "GAME_CACHE_READER_HOST": cache["reader"],
        "GAME_CACHE_SECRET": "cache",
        "GAME_LOG_TABLE": "log",
        "GAME_SIGNING_SECRET": "signing",
    }
    lines = "\n".join(f"{name}={value}" for name, value in environment.items())
    script = USER_DATA.replace("@HASH@", digest).replace("@ENVIRONMENT@", lines)
    fleet = make(server, net, script, {"game-server": body})
    return {**fleet, "database": database, **cache, "release": digest}


def create_stores(server: Server, net: dict[str, Any]) -> None:
    rds, cache = server.client("rds"), server.client("elasticache")
    rds.create_db_subnet_group(
        DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=net["subnets"]
    )
    rds.create_db_instance(
        DBInstanceIdentifier="game",
        DBInstanceClass="db.t4g.small",
        Engine="mysql",
        EngineVersion="8.4",
        AllocatedStorage=20,
        MasterUsername="gameadmin",
        MasterUserPassword=PASSWORD,
        DBName="game",
        DBSubnetGroupName="data",
        MultiAZ=True,
        BackupRetentionPeriod=1,
    )
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="data", CacheSubnetGroupDescription="data", SubnetIds=net["subnets"]
    )
    cache.create_replication_group(
        ReplicationGroupId="game",
        ReplicationGroupDescription="ranks",
        Engine="redis",
        EngineVersion="7.1",
        CacheNodeType="cache.t4g.small",
        CacheSubnetGroupName="data",
        NumCacheClusters=2,
        AutomaticFailoverEnabled=True,
        TransitEncryptionEnabled=True,
        AuthToken=TOKEN,
    )
    server.client("dynamodb").create_table(
        TableName="log",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    held = {
        "database": {"username": "gameadmin", "password": PASSWORD},
        "cache": {"auth_token": TOKEN},
        "signing": {"current": base64.b64encode(secrets.token_bytes(32)).decode(), "operator": secrets.token_hex(16)},
    }
    for name, value in held.items():
        server.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(value))


def database_endpoint(server: Server) -> str | None:
    held = server.client("rds").describe_db_instances(DBInstanceIdentifier="game")["DBInstances"][0]
    return held["Endpoint"]["Address"] if held["DBInstanceStatus"] == "available" else None


def cache_endpoints(server: Server) -> dict[str, str] | None:
    client = server.client("elasticache")
    held = client.describe_replication_groups(ReplicationGroupId="game")["ReplicationGroups"][0]
    if held["Status"] != "available":
        return None
    node = held["NodeGroups"][0]
    return {"primary": node["PrimaryEndpoint"]["Address"], "reader": node["ReaderEndpoint"]["Address"]}


def call(game: dict[str, Any], method: str, path: str, body: Any = None, token: str = "") -> Any:
    request = urllib.request.Request(
        f"http://{game['host']}:8081{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def player(game: dict[str, Any]) -> dict[str, str]:
    body = {"device_id": secrets.token_hex(16), "device_secret": secrets.token_hex(32)}
    made = call(game, "POST", "/v1/sessions", body)
    return {"id": made["user_id"], "token": made["access_token"]}


def score(game: dict[str, Any], player: dict[str, str], points: int) -> Any:
    body = {"score": points, "run_id": f"run-{secrets.token_hex(8)}"}
    return call(game, "POST", f"/v1/users/{player['id']}/scores", body, player["token"])


def test_the_release_serves_from_both_instances(server: Server, game: dict[str, Any]) -> None:
    ready = [call(game, "GET", "/readyz") for _ in range(6)]
    assert {answer["release"] for answer in ready} == {game["release"]}
    assert {answer["instance"] for answer in ready} == set(health(server, game))


def test_scores_are_rows_in_the_database_and_ranks_in_the_cache(
    server: Server, game: dict[str, Any], player: dict[str, str]
) -> None:
    for points in (50, 90, 70):
        assert score(game, player, points)["rank"] == 1
    authority = str(dataplane.authority(server))
    connection = pymysql.connect(
        host=game["database"], user="gameadmin", password=PASSWORD, database="game", ssl={"ca": authority}
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'game' AND table_rows > 0")
        assert cursor.fetchone()[0] > 0
    for role in ("primary", "reader"):
        cache = redis.Redis(host=game[role], password=TOKEN, ssl=True, ssl_ca_certs=authority)
        until(f"the rank is on the {role}", lambda held=cache: any(held.scan_iter("*")))


def test_it_survives_a_database_failover(
    server: Server, game: dict[str, Any], player: dict[str, str]
) -> None:
    server.client("rds").reboot_db_instance(DBInstanceIdentifier="game", ForceFailover=True)
    answer = until("scores are taken again", lambda: score(game, player, 95))
    assert answer["best"] == 95


def test_it_survives_a_cache_failover(
    server: Server, game: dict[str, Any], player: dict[str, str]
) -> None:
    until("settled", lambda: cache_endpoints(server))
    before = dataplane.processes(server, "cache")
    server.client("elasticache").test_failover(ReplicationGroupId="game", NodeGroupId="0001")
    until("a node is killed", lambda: not all(dataplane.is_running(row["pid"]) for row in before))
    answer = until("scores are taken again", lambda: score(game, player, 99))
    assert answer["best"] == 99

    def rank() -> bool:
        board = call(game, "GET", "/v1/leaderboard", token=player["token"])
        return bool(board["entries"][0]["score"] == 99 and not board["stale"])

    until("the board is right and fresh", rank)
