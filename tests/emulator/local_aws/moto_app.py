"""Calling moto, and reading its answers."""

from __future__ import annotations

import io
import re
from typing import Any

from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    create_backend_app,
)

from . import render
from .hooks import Request
from .render import Answer
from .request import CBOR

_XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_JSON_CODE = re.compile(rb'"__type"\s*:\s*"([^"]+)"')

_dispatcher = DomainDispatcherApplication(create_backend_app)


def call(environ: dict[str, Any], body: bytes, request: Request | None) -> Answer:
    """Let moto answer. It does not speak CBOR: such calls go through its JSON."""
    environ = dict(environ)
    if request is not None and request.protocol == CBOR and request.operation:
        body = _as_json(environ, request)
        return _from_json(request, _run(environ, body))
    return _run(environ, body)


def _run(environ: dict[str, Any], body: bytes) -> Answer:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    started: list[Any] = []

    def start_response(status: str, headers: list[Any], _exc: Any = None) -> Any:
        started[:] = [int(status.split(" ", 1)[0]), headers]
        return lambda _data: None

    chunks = _dispatcher(environ, start_response)
    try:
        data = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    answer = Answer(started[0], list(started[1]), data)
    if not answer.ok:
        answer.code = _code(answer)
    return answer


def _code(answer: Answer) -> str | None:
    """The error code in an answer of moto's, whatever the protocol."""
    match = _XML_CODE.search(answer.body) or _JSON_CODE.search(answer.body)
    return match.group(1).decode().rpartition("#")[2] if match else None


def _as_json(environ: dict[str, Any], request: Request) -> bytes:
    made = create_serializer("json", include_validation=False).serialize_to_request(
        request.params, request.operation
    )
    environ["PATH_INFO"] = environ["RAW_URI"] = environ["REQUEST_URI"] = "/"
    environ["QUERY_STRING"] = ""
    environ["CONTENT_TYPE"] = made["headers"].get("Content-Type", "application/x-amz-json-1.0")
    environ["HTTP_X_AMZ_TARGET"] = made["headers"]["X-Amz-Target"]
    for header in ("HTTP_SMITHY_PROTOCOL", "HTTP_ACCEPT"):
        environ.pop(header, None)
    return made["body"]


def _from_json(request: Request, answer: Answer) -> Answer:
    parsed = read(request, answer, protocol="json")
    if answer.ok:
        shape = request.operation.output_shape
        body = render.cbor(parsed or {}, shape) if shape else b"\xa0"
        made = render.cbor_answer(200, body)
        made.result = parsed
        return made
    error = (parsed or {}).get("Error", {})
    code = error.get("Code") or "InternalFailure"
    body = render.cbor({"__type": code, "message": error.get("Message", "")}, render._CBOR_ERROR)
    return render.cbor_answer(answer.status, body, code)


def read(request: Request, answer: Answer, protocol: str | None = None) -> dict[str, Any] | None:
    """An answer's members by botocore's output shape, as boto3 would return them."""
    if answer.result is not None:
        return answer.result
    shape = request.operation.output_shape
    protocol = protocol or request.protocol
    headers = {key.lower(): value for key, value in answer.headers}
    if answer.ok and (shape is None or _streams(shape)):
        return None
    parsed = create_parser(protocol).parse(
        {"status_code": answer.status, "headers": headers, "body": answer.body}, shape
    )
    parsed.pop("ResponseMetadata", None)
    return parsed


def _streams(shape: Any) -> bool:
    payload = shape.serialization.get("payload")
    return bool(payload) and shape.members[payload].type_name in ("blob", "string")
