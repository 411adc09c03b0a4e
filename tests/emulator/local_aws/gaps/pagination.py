"""MaxResults and NextToken (PageSize and Marker, ...) wherever moto answers everything at once."""

import base64
import json
from typing import Any

from moto.core import responses as moto_responses
from moto.core.responses import ActionResult, BaseResponse, PaginatedResult
from moto.core.utils import get_pagination_model

from .lifecycle import fault
from .patching import wrap

PAGED = frozenset({"ec2", "elbv2", "autoscaling", "rds", "elasticache", "cloudwatch", "iam"})


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"from": offset}).encode()).decode()


def _offset(token: str) -> int:
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["from"])
    except (ValueError, KeyError, TypeError):
        raise fault("InvalidNextToken", f"The token '{token}' is invalid") from None


def _model(response: BaseResponse) -> dict[str, Any] | None:
    if response.boto3_service_name not in PAGED:
        return None
    model = get_pagination_model(response.boto3_service_name).get(response._get_action())
    if not model or not isinstance(model.get("input_token"), str) or not model.get("limit_key"):
        return None
    key = model["result_key"]
    # Of several lists (metric and composite alarms) the first is the one that grows.
    return {**model, "result_key": key if isinstance(key, str) else key[0]}


def page(response: BaseResponse, result: dict[str, Any]) -> dict[str, Any]:
    """Cuts the list of `result` to the page that the request asks for."""
    model = _model(response)
    if model is None or not isinstance(result.get(model["result_key"]), (list, tuple)):
        return result
    if model["output_token"] in result:
        # moto cut the list itself.
        return result
    limit = response._get_param(model["limit_key"])
    token = response._get_param(model["input_token"])
    if limit is None and not token:
        return result
    items = list(result[model["result_key"]])
    start = _offset(token) if token else 0
    end = start + int(limit) if limit is not None else len(items)
    paged = {**result, model["result_key"]: items[start:end]}
    if end < len(items):
        paged[model["output_token"]] = _token(end)
        if model.get("more_results"):
            paged[model["more_results"]] = True
    return paged


@wrap(BaseResponse, "serialized")
def _serialized(original: Any, self: BaseResponse, action_result: ActionResult) -> Any:
    result = action_result.result
    if isinstance(result, dict) and not isinstance(action_result, PaginatedResult):
        try:
            action_result = moto_responses.ActionResult(page(self, result))
        except moto_responses.ServiceException as error:
            action_result = moto_responses.ActionResult(error)
    return original(self, action_result)
