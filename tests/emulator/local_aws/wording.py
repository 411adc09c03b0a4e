"""How each service words a request that breaks its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .hooks import AwsError, Request

if TYPE_CHECKING:
    from .validate import Problem

#: The code for "N validation errors detected", where it is not ValidationException.
_VALIDATION_CODES = {
    "autoscaling": "ValidationError",
    "cloudwatch": "ValidationError",
    "elbv2": "ValidationError",
    "iam": "ValidationError",
    "sts": "ValidationError",
    "cloudformation": "ValidationError",
    "logs": "InvalidParameterException",
    "resourcegroupstaggingapi": "InvalidParameterException",
    "cloudfront": "MalformedXML",
    "route53": "InvalidInput",
}


def refusal(request: Request, problems: list[Problem]) -> AwsError:
    """The error that the service would answer with."""
    if request.service in ("ec2", "rds", "elasticache"):
        return _by_parameter(request, problems[0])
    if request.service == "sns":
        name = problems[0].path
        return AwsError(
            "InvalidParameter", f"Invalid parameter: {name} Reason: {_why(problems[0])}"
        )
    if request.service == "s3":
        return _s3(request, problems[0])
    wrong_type = next((p for p in problems if p.kind == "type"), None)
    if wrong_type is not None and request.protocol == "json":
        return AwsError(
            "SerializationException",
            f"{wrong_type.path} can not be converted to {wrong_type.text}",
        )
    if request.service == "cloudwatch" and problems[0].kind == "required":
        return AwsError("MissingParameter", f"The parameter {problems[0].path} is required.")
    code = _VALIDATION_CODES.get(request.service, "ValidationException")
    return AwsError(code, _validation_errors(problems))


def _validation_errors(problems: list[Problem]) -> str:
    plural = "s" if len(problems) > 1 else ""
    each = "; ".join(
        f"Value {_quoted(p.value)} at '{_camel(p.path)}' failed to satisfy constraint: {_why(p)}"
        for p in problems
    )
    return f"{len(problems)} validation error{plural} detected: {each}"


def _by_parameter(request: Request, problem: Problem) -> AwsError:
    name = problem.path.replace(".member", "")
    if problem.kind == "required":
        shown = _camel(name) if request.service == "ec2" else name
        return AwsError("MissingParameter", f"The request must contain the parameter {shown}")
    if request.service == "ec2":
        return AwsError(
            "InvalidParameterValue",
            f"Value ({problem.value}) for parameter {_camel(name)} is invalid. {_why(problem)}",
        )
    return AwsError(
        "InvalidParameterValue",
        f"Invalid value {_quoted(problem.value)} for {name}. {_why(problem)}",
    )


def _s3(request: Request, problem: Problem) -> AwsError:
    top = request.operation.input_shape.members.get(problem.path.split(".")[0])
    in_body = top is not None and "location" not in top.serialization
    if in_body:
        return AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    return AwsError(
        "InvalidArgument",
        f"Invalid value for {problem.path}. {_why(problem)}",
        extra={
            "ArgumentName": problem.path,
            "ArgumentValue": "" if problem.value is None else problem.value,
        },
    )


def _why(problem: Problem) -> str:
    if problem.kind == "required":
        return "Member must not be null"
    if problem.kind == "type":
        return f"Member must be {problem.text}"
    return problem.text


def _quoted(value: Any) -> str:
    if value is None:
        return "null"
    text = str(value)
    return f"'{text[:200]}'"


def _camel(path: str) -> str:
    """DistributionConfig.Comment as Java has it: distributionConfig.comment."""
    return ".".join(part[:1].lower() + part[1:] for part in path.split("."))
