"""From a WSGI environment to a `hooks.Request`: service, action and parameters by botocore's models."""

from __future__ import annotations

import functools
import re
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.model import OperationNotFoundError
from botocore.parsers import RpcV2CBORParser
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request as MotoRequest
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.iam.models import get_account_id_from
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import MethodNotAllowed, NotFound

from .hooks import AwsError, Request

CBOR = "smithy-rpc-v2-cbor"

#: Where the name a request is signed for is not botocore's name of the service.
_SIGNED_AS = {
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "tagging": "resourcegroupstaggingapi",
    "email": "ses",
    "s3express": "s3",
    "servicequotas": "service-quotas",
}
#: Query services that share a signing name differ in the API version.
_BY_VERSION = {("elbv2", "2012-06-01"): "elb"}

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
_CBOR_PATH = re.compile(r"^/service/[^/]+/operation/([A-Za-z0-9]+)$")


class Malformed(AwsError):
    """A body that does not parse at all; it knows the call, so that it can be worded for it."""

    def __init__(self, request: Request, code: str, message: str) -> None:
        super().__init__(code, message)
        self.request = request


def read_body(environ: dict[str, Any]) -> bytes:
    """Take the whole body, whether it came with a length or in chunks."""
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return stream.read()
    length = environ.get("CONTENT_LENGTH") or "0"
    return stream.read(int(length)) if length.isdigit() else b""


def parse(environ: dict[str, Any], body: bytes) -> Request | None:
    """What the call is. None if it is not a signed call to a service that botocore knows."""
    scope = _credential_scope(environ)
    if scope is None:
        return None
    access_key, region, signed_for = scope
    service = _SIGNED_AS.get(signed_for, signed_for)
    form = _form(environ, body)
    service = _BY_VERSION.get((service, form.get("Version", "")), service)
    if service == "dynamodb" and "Streams" in environ.get("HTTP_X_AMZ_TARGET", ""):
        service = "dynamodbstreams"
    model = _model(service)
    if model is None:
        return None
    request = Request(
        service=service,
        action="",
        params={},
        region=region,
        account=get_account_id_from(access_key),
        headers=_headers(environ),
        access_key=access_key,
        body=body,
        path=environ.get("PATH_INFO", "/"),
    )
    _find_operation(request, model, environ, form)
    return request


def _credential_scope(environ: dict[str, Any]) -> tuple[str, str, str] | None:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if not authorization:
        # A presigned address carries its scope in the query.
        match = re.search(r"X-Amz-Credential=([^&]+)", environ.get("QUERY_STRING", ""))
        authorization = f"Credential={unquote(match.group(1))}" if match else ""
    match = _SCOPE.search(authorization)
    return match.groups() if match else None  # type: ignore[return-value]


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {
        key[5:].replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    # A HEAD has no body, its errors neither.
    headers[":method"] = environ["REQUEST_METHOD"]
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            headers[key.replace("_", "-").lower()] = environ[key]
    return headers


def _form(environ: dict[str, Any], body: bytes) -> MultiDict[str, str]:
    content_type = environ.get("CONTENT_TYPE", "")
    if content_type.startswith("application/x-www-form-urlencoded"):
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    else:
        pairs = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return MultiDict(pairs)


@functools.cache
def _model(service: str) -> Any | None:
    try:
        return get_service_model(service)
    except Exception:  # botocore has several errors for an unknown service
        return None


def _find_operation(
    request: Request, model: Any, environ: dict[str, Any], form: MultiDict[str, str]
) -> None:
    protocol = _protocol(model, request.headers)
    request.protocol = protocol
    uri_params: dict[str, Any] = {}
    if protocol == CBOR:
        match = _CBOR_PATH.match(request.path)
        request.action = match.group(1) if match else ""
    elif protocol in ("query", "ec2"):
        request.action = form.get("Action", "")
    elif protocol == "json":
        request.action = request.headers.get("x-amz-target", "").rpartition(".")[2]
    else:
        try:
            operation, uri_params = get_service_router(request.service).match(MotoRequest(environ))
            request.action = operation.name
        except (NotFound, MethodNotAllowed, NotImplementedError):
            return
    try:
        request.operation = model.operation_model(request.action)
    except OperationNotFoundError:
        return
    request.params = _parameters(request, form, uri_params)


def _protocol(model: Any, headers: dict[str, str]) -> str:
    """The protocol of this very request: some services speak several."""
    spoken = model.metadata.get("protocols") or [model.protocol]
    content_type = headers.get("content-type", "")
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return CBOR
    if "x-amz-target" in headers and "json" in spoken:
        return "json"
    if content_type.startswith("application/x-www-form-urlencoded"):
        for protocol in ("ec2", "query"):
            if protocol in spoken:
                return protocol
    return str(model.protocol)


def _parameters(
    request: Request, form: MultiDict[str, str], uri_params: dict[str, Any]
) -> dict[str, Any]:
    shape = request.operation.input_shape
    if shape is None:
        return {}
    try:
        if request.protocol == CBOR:
            answer = {"status_code": 200, "headers": {}, "body": request.body}
            params = RpcV2CBORParser().parse(answer, shape) if request.body else {}
            params.pop("ResponseMetadata", None)
            return params
        parser = PROTOCOL_PARSERS[request.protocol](request.operation)
        return parser.parse(
            {
                "method": "",
                "values": form,
                "headers": _AnyCase(request.headers),
                "body": request.body,
                "url_path": request.path,
                "url_params": uri_params,
            }
        )
    except (ValueError, TypeError, AttributeError, RequestParserError) as error:
        raise _malformed(request, error) from error


class _AnyCase(dict[str, str]):
    """Header names compare without case; moto's parsers look them up as modelled."""

    def __contains__(self, key: object) -> bool:
        return super().__contains__(str(key).lower())

    def __getitem__(self, key: str) -> str:
        return super().__getitem__(key.lower())

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)


def _malformed(request: Request, error: Exception) -> Malformed:
    if request.protocol == "rest-xml":
        return Malformed(
            request,
            "MalformedXML" if request.service == "s3" else "MalformedInput",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    if request.protocol in ("json", "rest-json", CBOR):
        return Malformed(request, "SerializationException", str(error))
    code = "InvalidParameterValue" if request.protocol == "ec2" else "MalformedInput"
    return Malformed(request, code, f"Invalid value in the request: {error}")
