"""The price list, as far as a test has given one: `POST /_local/prices` with products; none is shipped.

A product is a document as GetProducts answers it, serviceCode, product and terms; a string
stands for an answer that is no document. `?page=N` limits an answer to N products.
"""

from __future__ import annotations

import json
from typing import Any

from .. import control
from ..hooks import AwsError, Request, instead

_MOST = 100
_products: list[Any] = []
_page = _MOST


@control.route("POST", "prices")
def give(query: dict[str, str], body: Any) -> Any:
    global _page
    if not isinstance(body, list):
        raise control.ControlError("prices are a list of products")
    _products[:] = body
    _page = int(query.get("page", _MOST))
    return {"products": len(_products)}


@control.route("GET", "prices")
def show(_query: dict[str, str], _body: Any) -> Any:
    return _products


@instead("pricing", "GetProducts")
def get_products(request: Request) -> dict[str, Any]:
    _there()
    filters = request.params.get("Filters", [])
    service = request.params["ServiceCode"]
    found = [product for product in _products if _matches(product, service, filters)]
    page, token = _paged(found, request)
    documents = [product if isinstance(product, str) else json.dumps(product) for product in page]
    return {"FormatVersion": "aws_v1", "PriceList": documents, **token}


@instead("pricing", "DescribeServices")
def describe_services(request: Request) -> dict[str, Any]:
    _there()
    names: dict[str, set[str]] = {}
    for product in _products:
        if isinstance(product, dict):
            attributes = product.get("product", {}).get("attributes", {})
            names.setdefault(product["serviceCode"], {"productFamily"}).update(attributes)
    wanted = request.params.get("ServiceCode")
    services = [
        {"ServiceCode": code, "AttributeNames": sorted(attributes)}
        for code, attributes in sorted(names.items())
        if wanted in (None, code)
    ]
    page, token = _paged(services, request)
    return {"FormatVersion": "aws_v1", "Services": page, **token}


def _there() -> None:
    if not _products:
        raise NotImplementedError("no price list was given: POST /_local/prices")


def _matches(product: Any, service: str, filters: list[dict[str, str]]) -> bool:
    if isinstance(product, str):
        return True
    if product["serviceCode"] != service:
        return False
    attributes = dict(product["product"].get("attributes", {}))
    attributes["productFamily"] = product["product"].get("productFamily")
    attributes["ServiceCode"] = attributes["servicecode"] = service
    for wanted in filters:
        if wanted["Type"] not in ("TERM_MATCH", "EQUALS"):
            raise NotImplementedError(f"pricing filters of type {wanted['Type']}")
        if attributes.get(wanted["Field"]) != wanted["Value"]:
            return False
    return True


def _paged(found: list[Any], request: Request) -> tuple[list[Any], dict[str, str]]:
    token = request.params.get("NextToken") or "0"
    if not token.isdigit() or int(token) > len(found):
        raise AwsError("InvalidNextTokenException", "The pagination token is invalid.")
    start = int(token)
    end = start + min(request.params.get("MaxResults", _MOST), _page)
    return found[start:end], {"NextToken": str(end)} if end < len(found) else {}
