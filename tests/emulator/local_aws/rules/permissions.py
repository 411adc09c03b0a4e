"""What the caller may not do: `POST /_local/denied` with a list of IAM actions; the simulator says so, and the calls are refused."""

from __future__ import annotations

from typing import Any

from .. import control
from ..hooks import AwsError, Request, before, instead

#: IAM's prefix where it is not botocore's name of the service.
_PREFIXES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
#: The services that a stack is made of.
_SERVICES = (
    "acm", "autoscaling", "cloudfront", "cloudwatch", "dynamodb", "ec2", "elasticache", "elbv2", "iam", "logs",
    "pricing", "rds", "route53", "s3", "secretsmanager", "service-quotas", "sns", "ssm",
)  # fmt: skip
_denied: set[str] = set()


@control.route("GET", "denied")
def show(_query: dict[str, str], _body: Any) -> Any:
    return sorted(_denied)


@control.route("POST", "denied")
def deny(_query: dict[str, str], body: Any) -> Any:
    _denied.clear()
    _denied.update(body or [])
    return sorted(_denied)


def refuse(request: Request) -> None:
    action = f"{_PREFIXES.get(request.service, request.service)}:{request.action}"
    if action in _denied:
        code = "UnauthorizedOperation" if request.service == "ec2" else "AccessDenied"
        raise AwsError(code, f"You are not authorized to perform: {action}", status=403)


for _service in _SERVICES:
    before(_service, "*")(refuse)


@instead("iam", "SimulatePrincipalPolicy")
def simulate(request: Request) -> dict[str, Any]:
    resources = request.params.get("ResourceArns") or ["*"]
    results = []
    for action in request.params["ActionNames"]:
        decision = "implicitDeny" if action in _denied else "allowed"
        of_each = [{"EvalResourceName": arn, "EvalResourceDecision": decision} for arn in resources]
        results.append(
            {
                "EvalActionName": action,
                "EvalResourceName": resources[0],
                "EvalDecision": decision,
                "MatchedStatements": [],
                "MissingContextValues": [],
                "ResourceSpecificResults": of_each if resources != ["*"] else [],
            }
        )
    return {"EvaluationResults": results, "IsTruncated": False}
