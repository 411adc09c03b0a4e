"""Runs SQL on a stack's database as its master user: statements on stdin, one a line; prints each one's rows as JSON.

Usage: sql.py ENDPOINT REGION
"""

import json
import sys

import boto3
import pymysql

endpoint, region = sys.argv[1:3]


def aws(service):
    return boto3.client(service, endpoint_url=endpoint, region_name=region)


secrets = aws("secretsmanager").list_secrets()["SecretList"]
secret = next(s["ARN"] for s in secrets if {"Key": "provision:node", "Value": "secret/database"} in s["Tags"])
login = json.loads(aws("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
instances = aws("rds").describe_db_instances()["DBInstances"]
at = next(d for d in instances if "ReadReplicaSourceDBInstanceIdentifier" not in d)["Endpoint"]
with (
    pymysql.connect(
        host=at["Address"], port=at["Port"], user=login["username"], password=login["password"], database="game", autocommit=True
    ) as mysql,
    mysql.cursor() as cursor,
):
    for line in filter(None, map(str.strip, sys.stdin)):
        cursor.execute(line)
        print(json.dumps([list(row) for row in cursor.fetchall()]))
