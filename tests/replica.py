"""Reads a ledger's older pages while the database's replica serves them, is killed, and comes back. Prints one JSON document.

Usage: replica.py ENDPOINT REGION STACK API_URL
"""

import itertools
import json
import os
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request

import boto3
import pymysql

endpoint, region, stack, api_url = sys.argv[1:5]
PLAYERS = 25
READS = 40
#: The servers ask once a minute which replicas there are.
SERVED_SECONDS = 150
DEAD_SECONDS = 6


def aws(service):
    return boto3.client(service, endpoint_url=endpoint, region_name=region)


def call(method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", **headers}
    request = urllib.request.Request(api_url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def login():
    names = aws("secretsmanager").list_secrets()["SecretList"]
    secret = next(s["ARN"] for s in names if {"Key": "provision:node", "Value": "secret/database"} in s["Tags"])
    return json.loads(aws("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])


def executed():
    """Statements that the replica has run for the servers since it started."""
    with pymysql.connect(
        host=replica["Endpoint"]["Address"], port=replica["Endpoint"]["Port"], user=user["username"], password=user["password"]
    ) as mysql, mysql.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'")
        return int(cursor.fetchone()[1])


def enter():
    """A player with five entries in the ledger: the path of the page behind the newest two, and what authorizes it."""
    device = {"device_id": secrets.token_hex(8), "device_secret": secrets.token_hex(32)}
    _, session = call("POST", "/v1/sessions", device)
    path, bearer = f"/v1/users/{session['user_id']}", {"authorization": f"Bearer {session['access_token']}"}
    for _ in range(4):
        purchase, key = {"item_id": "101", "expected_price": 100}, {"Idempotency-Key": secrets.token_hex(8)}
        status, answer = call("POST", f"{path}/items", purchase, **bearer, **key)
        assert status == 201, (status, answer)
    _, newest = call("GET", f"{path}/ledger?limit=2", **bearer)
    return f"{path}/ledger?limit=2&cursor={newest['next_cursor']}", bearer


def read():
    """One player after the other: each may ask only so often."""
    path, bearer = next(turns)
    status, page = call("GET", path, **bearer)
    assert status == 200 and [e["balance"] for e in page["entries"]] == [800, 900], (status, page)


def until_served():
    """Reads until the replica answers every one of them; how many seconds that took."""
    started = time.monotonic()
    while True:
        try:
            before = executed()
            for _ in range(READS):
                read()
            if executed() - before >= READS:
                return round(time.monotonic() - started, 1)
        except pymysql.err.OperationalError:
            pass
        if time.monotonic() - started > SERVED_SECONDS:
            sys.exit("the replica serves nobody")
        time.sleep(0.5)


user = login()
replica = next(d for d in aws("rds").describe_db_instances()["DBInstances"] if "ReadReplicaSourceDBInstanceIdentifier" in d)
turns = itertools.cycle([enter() for _ in range(PLAYERS)])

result = {"served_after": until_served()}
failures, answers, done = [], [0], threading.Event()


def keep_reading():
    while not done.is_set():
        try:
            read()
            answers[0] += 1
            time.sleep(0.05)
        except Exception as error:
            failures.append(repr(error))


readers = [threading.Thread(target=keep_reading) for _ in range(4)]
for reader in readers:
    reader.start()
with urllib.request.urlopen(f"{endpoint}/_local/processes", timeout=20) as answer:
    processes = json.load(answer)["processes"]
victim = next(p for p in processes if replica["DBInstanceIdentifier"] in json.dumps(p))
os.kill(victim["pid"], 9)
time.sleep(DEAD_SECONDS)
result["served_again_after"] = until_served()
done.set()
for reader in readers:
    reader.join()
result |= {"answers": answers[0], "failures": failures[:5], "failed": len(failures)}
print(json.dumps(result))
