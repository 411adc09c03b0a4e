"""Answers of our own making, in the protocol that the caller speaks."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import DenormalizedStructureBuilder
from botocore.serialize import RpcV2CBORSerializer
from moto.core.serialize import get_serializer_class

from .hooks import AwsError, Request
from .request import CBOR


@dataclass
class Answer:
    """A response, ready to be sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    #: the error code of a refusal, for the list of calls
    code: str | None = None
    #: what `instead` produced, so that `after` need not parse it again
    result: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 400


_CBOR_ERROR = (
    DenormalizedStructureBuilder()
    .with_members({"__type": {"type": "string"}, "message": {"type": "string"}})
    .build_model()
)


def cbor(value: dict[str, Any], shape: Any) -> bytes:
    """Encode by a botocore shape."""
    return RpcV2CBORSerializer()._serialize_body_params(value, shape)


def cbor_answer(status: int, body: bytes, code: str | None = None) -> Answer:
    headers = [
        ("smithy-protocol", "rpc-v2-cbor"),
        ("Content-Type", "application/cbor"),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    if code:
        headers.append(("x-amzn-query-error", f"{code};{'Sender' if status < 500 else 'Receiver'}"))
    return Answer(status, headers, body, code)


def result(request: Request, value: dict[str, Any] | None) -> Answer:
    """Serialise by botocore's output shape."""
    value = value or {}
    shape = request.operation.output_shape
    if request.protocol == CBOR:
        answer = cbor_answer(200, cbor(value, shape) if shape else b"\xa0")
    else:
        serializer = get_serializer_class(request.service, request.protocol)
        made = serializer(operation_model=request.operation).serialize(value)
        body = made["body"]
        body = body.encode() if isinstance(body, str) else body
        request_id = str(uuid.uuid4())
        body = body.replace(b"request-id", request_id.encode())
        headers = [(str(k), str(v)) for k, v in made["headers"].items()]
        headers.append(("x-amzn-RequestId", request_id))
        answer = Answer(made["status_code"], headers, body)
    answer.result = value
    return answer


def error(request: Request, refusal: AwsError) -> Answer:
    """Word a refusal as the service would."""
    request_id = str(uuid.uuid4())
    if request.protocol == CBOR:
        body = cbor({"__type": refusal.code, "message": refusal.message}, _CBOR_ERROR)
        return cbor_answer(refusal.status, body, refusal.code)
    headers = [("x-amzn-RequestId", request_id)]
    if request.protocol in ("json", "rest-json"):
        text = json.dumps({"__type": refusal.code, "message": refusal.message, **refusal.extra})
        version = "1.0" if request.service == "dynamodb" else "1.1"
        headers.append(("Content-Type", f"application/x-amz-json-{version}"))
        headers.append(("x-amzn-ErrorType", refusal.code))
    else:
        text = _xml_error(request, refusal, request_id)
        headers.append(("Content-Type", "text/xml"))
        if request.service == "s3":
            headers.append(("x-amz-request-id", request_id))
    head = request.headers.get(":method") == "HEAD"
    body = b"" if head else text.encode()
    return Answer(refusal.status, headers, body, refusal.code)


def _xml_error(request: Request, refusal: AwsError, request_id: str) -> str:
    extra = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in refusal.extra.items())
    inner = (
        f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>{extra}"
    )
    prolog = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if request.service == "s3":
        return f"{prolog}<Error>{inner}<RequestId>{request_id}</RequestId></Error>"
    if request.protocol == "ec2":
        return (
            f"{prolog}<Response><Errors><Error>{inner}</Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    fault = "Sender" if refusal.status < 500 else "Receiver"
    namespace = (
        request.operation.service_model.metadata.get("xmlNamespace") if request.operation else None
    )
    xmlns = f' xmlns="{namespace}"' if isinstance(namespace, str) else ""
    return (
        f"{prolog}<ErrorResponse{xmlns}><Error><Type>{fault}</Type>{inner}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
