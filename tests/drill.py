"""Counts what a drill's test players have, in MariaDB and Redis, beside the load's own log. Prints one JSON document.

Usage: drill.py ENDPOINT REGION STACK REPORT.json [LOG.jsonl]
"""

import collections
import json
import sys

import boto3
import pymysql
import redis

endpoint, region, stack, report = sys.argv[1:5]
report = json.loads(open(report).read())
log = [json.loads(line) for line in open(sys.argv[5])] if len(sys.argv) > 5 else []
ids = set(report["player_ids"])


def aws(service):
    return boto3.client(service, endpoint_url=endpoint, region_name=region)


def mysql():
    names = aws("secretsmanager").list_secrets()["SecretList"]
    secret = next(s["ARN"] for s in names if {"Key": "provision:node", "Value": "secret/database"} in s["Tags"])
    login = json.loads(aws("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    all_of_them = aws("rds").describe_db_instances()["DBInstances"]
    database = next(d for d in all_of_them if "ReadReplicaSourceDBInstanceIdentifier" not in d)
    host = database["Endpoint"]
    return pymysql.connect(
        host=host["Address"], port=host["Port"], user=login["username"], password=login["password"], database="game"
    )


def rows_by_table(cursor):
    """Rows of these players, and of any drill's devices, in every table that knows players."""
    cursor.execute("SELECT table_name FROM information_schema.columns WHERE table_schema = 'game' AND column_name = 'user_id'")
    rows = {}
    for (table,) in cursor.fetchall():
        cursor.execute(f"SELECT user_id FROM `{table}`")
        rows[table] = sum(user in ids for (user,) in cursor.fetchall())
    cursor.execute("SELECT COUNT(*) FROM players WHERE device_id LIKE 'drill-%'")
    rows["devices"] = cursor.fetchone()[0]
    return rows


def ranked():
    """Members of these players in every node of the cache: their bytes end in the player's id."""
    group = aws("elasticache").describe_replication_groups()["ReplicationGroups"][0]
    found = {}
    for member in group["NodeGroups"][0]["NodeGroupMembers"]:
        address = member["ReadEndpoint"]
        client = redis.Redis(address["Address"], address["Port"], decode_responses=False)
        sets = [k for k in client.scan_iter() if client.type(k) == b"zset"]
        found[member["CacheClusterId"]] = sum(any(m.endswith(i.encode()) for i in ids) for k in sets for m in client.zrange(k, 0, -1))
    return found


def of_players(cursor, columns, table):
    cursor.execute(f"SELECT user_id, {columns} FROM `{table}`")
    return [row for row in cursor.fetchall() if row[0] in ids]


def books(cursor):
    """Each acknowledged key against its row; what is there and nobody asked for; sums."""
    kinds = {"purchase": ("purchases", "idempotency_key"), "score": ("score_runs", "run_id")}
    told = {"rows": {}, "lost": 0, "unasked": 0, "again": 0}
    for kind, (table, column) in kinds.items():
        rows = collections.Counter((user, key.decode()) for user, key in of_players(cursor, column, table))
        asked = {(line["user_id"], line["key"]) for line in log if line["kind"] == kind}
        acknowledged = {(l["user_id"], l["key"]) for l in log if l["kind"] == kind and l["outcome"] == "acknowledged"}
        first = {(user, f"{report['drill']}-first") for user in ids} if kind == "score" else set()
        told["rows"][kind] = sum(rows.values()) - len(first & set(rows))
        told["lost"] += len(acknowledged - set(rows))
        told["unasked"] += len(set(rows) - asked - first)
        told["again"] += sum(rows.values()) - len(rows)
    ledger = of_players(cursor, "delta, reason, reference", "coin_ledger")
    bought = [reference for _, _, reason, reference in ledger if reason == "purchase"]
    told["again"] += len(bought) - len(set(bought))
    told["ledger_purchases"] = len(bought)
    sums = collections.Counter()
    for user, delta, _, _ in ledger:
        sums[user] += delta
    told["wrong_balances"] = sum(sums[user] != coins for user, coins in of_players(cursor, "coins", "players"))
    told["pieces"] = int(sum(quantity for _, quantity in of_players(cursor, "quantity", "items")))
    return told


def of_log():
    """What the log says by itself: counts, failed attempts, and the longest time without a write."""
    told = {"acknowledged": collections.Counter(), "given_up": 0, "failed_attempts": 0}
    moments = []
    for line in log:
        done = line["outcome"] == "acknowledged"
        told["acknowledged"][line["kind"]] += done
        told["given_up"] += line["outcome"] == "given_up"
        told["failed_attempts"] += line["attempts"] - (line["outcome"] != "given_up")
        if done and line["kind"] != "rank":
            moments.append(line["due_seconds"] + line["latency_ms"] / 1000)
    moments = [0.0, *sorted(moments)]
    told["longest_without_writes"] = max((b - a for a, b in zip(moments, moments[1:])), default=0.0)
    return told


with mysql() as connection, connection.cursor() as cursor:
    result = {"tables": rows_by_table(cursor), "ranked": ranked()}
    if log:
        result |= {"books": books(cursor), "log": of_log()}
print(json.dumps(result))
