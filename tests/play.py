"""Plays on a deployed API and reads the stores with the ordinary clients. Prints one JSON document.

Usage: play.py ENDPOINT REGION STACK API_URL
"""

import base64
import json
import secrets
import sys
import time
import urllib.error
import urllib.request

import boto3
import pymysql
import redis

endpoint, region, stack, api_url = sys.argv[1:5]


def aws(service):
    return boto3.client(service, endpoint_url=endpoint, region_name=region)


def call(method, url, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def instance_urls():
    """The instances' own addresses: the load balancer's health checks say which are in service."""
    elb, ec2 = aws("elbv2"), aws("ec2")
    group = next(g for g in elb.describe_target_groups()["TargetGroups"] if g["TargetGroupName"].startswith(stack))
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    ids = [h["Target"]["Id"] for h in health if h["TargetHealth"]["State"] == "healthy"]
    found = ec2.describe_instances(InstanceIds=ids)["Reservations"]
    return [f"http://{i['PrivateIpAddress']}:{group['Port']}" for r in found for i in r["Instances"]]


result = {}
device = {"device_id": secrets.token_hex(8), "device_secret": base64.b64encode(secrets.token_bytes(48)).decode()}
status, session = call("POST", f"{api_url}/v1/sessions", device)
assert status == 201, (status, session)
user, bearer = session["user_id"], {"authorization": f"Bearer {session['access_token']}"}
result["user"] = user

urls = instance_urls()
result["instances"] = sorted({call("GET", f"{url}/readyz")[1]["instance"] for url in urls})
for number, score in enumerate([120, 90, 300]):
    through = urls[number % len(urls)]
    run = {"score": score, "run_id": secrets.token_hex(12)}
    status, answer = call("POST", f"{through}/v1/users/{user}/scores", run, **bearer)
    assert status == 200, (status, answer)
    result.setdefault("best", []).append(answer["best"])
result["rank"] = call("GET", f"{api_url}/v1/users/{user}/rank", **bearer)[1]
result["board"] = call("GET", f"{api_url}/v1/leaderboard?limit=10", **bearer)[1]["entries"]

purchase = {"item_id": "101", "slot": 1, "expected_price": 100}
key = {"Idempotency-Key": secrets.token_hex(12)}
first = call("POST", f"{api_url}/v1/users/{user}/items", purchase, **bearer, **key)
again = call("POST", f"{api_url}/v1/users/{user}/items", purchase, **bearer, **key)
result["purchase"] = {"first": first, "again": again}
result["profile"] = call("GET", f"{api_url}/v1/users/{user}", **bearer)[1]

names = aws("secretsmanager").list_secrets()["SecretList"]
secret = next(s["ARN"] for s in names if {"Key": "provision:node", "Value": "secret/database"} in s["Tags"])
login = json.loads(aws("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
database = next(d for d in aws("rds").describe_db_instances()["DBInstances"] if "ReadReplicaSourceDBInstanceIdentifier" not in d)
with pymysql.connect(
    host=database["Endpoint"]["Address"], port=database["Endpoint"]["Port"], user=login["username"], password=login["password"], database="game"
) as mysql, mysql.cursor() as cursor:
    cursor.execute("SELECT table_name FROM information_schema.columns WHERE table_schema = 'game' AND column_name = 'user_id'")
    result["rows"] = {}
    for (table,) in cursor.fetchall():
        cursor.execute(f"SELECT COUNT(*) FROM `{table}` WHERE user_id = %s", (user,))
        result["rows"][table] = cursor.fetchone()[0]

group = aws("elasticache").describe_replication_groups()["ReplicationGroups"][0]
result["caches"] = []
for member in group["NodeGroups"][0]["NodeGroupMembers"]:
    address = member["ReadEndpoint"]
    client = redis.Redis(address["Address"], address["Port"], decode_responses=False)
    deadline = time.monotonic() + 10
    found = 0
    while not found and time.monotonic() < deadline:
        # Members are bytes that end in the player's id.
        found = sum(user.encode() in m for k in client.scan_iter() if client.type(k) == b"zset" for m in client.zrange(k, 0, -1))
    result["caches"].append({"role": member["CurrentRole"], "ranked": found})

table = next(t for t in aws("dynamodb").list_tables()["TableNames"] if t.startswith(stack))
deadline = time.monotonic() + 30
items = []
while len(items) < 4 and time.monotonic() < deadline:
    items = [i for i in aws("dynamodb").scan(TableName=table)["Items"] if i["sk"]["S"].startswith(user)]
    time.sleep(0.2)
result["log_items"] = len(items)
print(json.dumps(result))
