"""DB instances are MariaDB servers: master user, replication, TLS, failover, deletion."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

import dataplane
from conftest import Server, running
from dataplane import until

PASSWORD = "A-secret-of-20-chars"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("a directory with spaces")
    with running("--time-scale", "400", "--state-dir", str(directory)) as server:
        yield server


@pytest.fixture(scope="module")
def primary(server: Server) -> dict[str, Any]:
    rds = server.client("rds")
    net = dataplane.network(server)
    rds.create_db_subnet_group(
        DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=net["subnets"]
    )
    rds.create_db_instance(
        DBInstanceIdentifier="main",
        DBInstanceClass="db.t4g.small",
        Engine="mysql",
        EngineVersion="8.4",
        AllocatedStorage=20,
        StorageType="gp3",
        MasterUsername="gameadmin",
        MasterUserPassword=PASSWORD,
        DBName="game",
        DBSubnetGroupName="data",
        MultiAZ=True,
        BackupRetentionPeriod=1,
    )
    return available(server, "main")


def available(server: Server, name: str) -> dict[str, Any]:
    def check() -> Any:
        found = server.client("rds").describe_db_instances(DBInstanceIdentifier=name)
        held = found["DBInstances"][0]
        return held if held["DBInstanceStatus"] == "available" else None

    return until(f"{name} available", check)  # type: ignore[no-any-return]


def connect(instance: dict[str, Any], ca: Path | None = None, password: str = PASSWORD) -> Any:
    endpoint = instance["Endpoint"]
    return pymysql.connect(
        host=endpoint["Address"],
        port=endpoint["Port"],
        user="gameadmin",
        password=password,
        database="game",
        autocommit=True,
        connect_timeout=5,
        ssl={"ca": str(ca)} if ca else None,
    )


def run(connection: Any, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_the_master_user_can_work_over_verified_tls(server: Server, primary: dict[str, Any]) -> None:
    connection = connect(primary, dataplane.authority(server))
    assert run(connection, "SHOW STATUS LIKE 'Ssl_version'")[0][1].startswith("TLSv1")
    run(connection, "CREATE TABLE scores (id INT PRIMARY KEY, score BIGINT) ENGINE=InnoDB")
    run(connection, "INSERT INTO scores VALUES (1, 10)")
    assert run(connection, "SELECT score FROM scores") == ((10,),)
    # As on RDS the master user is no superuser.
    with pytest.raises(pymysql.MySQLError):
        run(connection, "SET GLOBAL read_only = ON")


def test_another_password_is_refused(primary: dict[str, Any]) -> None:
    with pytest.raises(pymysql.MySQLError) as caught:
        connect(primary, password="something else")
    assert caught.value.args[0] == 1045


def test_a_replica_has_the_rows_and_takes_none(server: Server, primary: dict[str, Any]) -> None:
    rds = server.client("rds")
    rds.create_db_instance_read_replica(DBInstanceIdentifier="copy", SourceDBInstanceIdentifier="main")
    replica = available(server, "copy")
    assert replica["Endpoint"]["Address"] != primary["Endpoint"]["Address"]
    run(connect(primary), "CREATE TABLE IF NOT EXISTS t (a INT PRIMARY KEY)")
    run(connect(primary), "REPLACE INTO t VALUES (42)")
    connection = connect(replica)
    until("the row arrives", lambda: run(connection, "SELECT a FROM t WHERE a = 42"))
    with pytest.raises(pymysql.MySQLError) as caught:
        run(connection, "INSERT INTO t VALUES (43)")
    assert caught.value.args[0] == 1290


def test_a_forced_failover_kills_and_comes_back_with_everything(
    server: Server, primary: dict[str, Any]
) -> None:
    before = pid_of(server, "main")
    connection = connect(primary)
    run(connection, "CREATE TABLE IF NOT EXISTS kept (a INT PRIMARY KEY)")
    run(connection, "REPLACE INTO kept VALUES (7)")
    server.client("rds").reboot_db_instance(DBInstanceIdentifier="main", ForceFailover=True)
    until("the old process is gone", lambda: not dataplane.is_running(before))
    with pytest.raises(pymysql.MySQLError):
        run(connection, "SELECT 1")
    again = available(server, "main")
    assert again["Endpoint"] == primary["Endpoint"]
    fresh = until("the same endpoint answers", lambda: connect(primary))
    assert run(fresh, "SELECT a FROM kept WHERE a = 7") == ((7,),)
    assert pid_of(server, "main") != before


def test_a_killed_server_is_brought_back(server: Server, primary: dict[str, Any]) -> None:
    before = pid_of(server, "main")
    os.kill(before, signal.SIGKILL)
    until("the endpoint answers again", lambda: run(connect(primary), "SELECT 1"))
    assert pid_of(server, "main") != before


def test_a_new_password_takes_effect(server: Server, primary: dict[str, Any]) -> None:
    rds = server.client("rds")
    other = "Another-secret-of-20"
    available(server, "main")
    for wanted in (other, PASSWORD):
        rds.modify_db_instance(
            DBInstanceIdentifier="main", MasterUserPassword=wanted, ApplyImmediately=True
        )
        until("the new password works", lambda: connect(primary, password=wanted))
        available(server, "main")


def test_a_deleted_instance_has_no_process(server: Server, primary: dict[str, Any]) -> None:
    rds = server.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="brief",
        DBInstanceClass="db.t4g.small",
        Engine="mysql",
        AllocatedStorage=20,
        MasterUsername="gameadmin",
        MasterUserPassword=PASSWORD,
    )
    brief = available(server, "brief")
    process = pid_of(server, "brief")
    rds.delete_db_instance(DBInstanceIdentifier="brief", SkipFinalSnapshot=True)
    until("its process is gone", lambda: not dataplane.is_running(process))
    with pytest.raises(pymysql.MySQLError):
        connect(brief)


def pid_of(server: Server, name: str) -> int:
    def check() -> Any:
        rows = dataplane.processes(server, "database")
        return [row["pid"] for row in rows if row["resource"] == name]

    return int(until(f"a process for {name}", check)[0])
