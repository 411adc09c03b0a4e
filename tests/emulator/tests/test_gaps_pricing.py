"""The price list that a test gives: filters, pages, and none where none was given."""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError
from gaps_server import refused, server_fixture

aws = server_fixture("--no-waits")


def give(aws, products, query: str = "") -> None:
    request = urllib.request.Request(f"{aws.url}/_local/prices{query}", json.dumps(products).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == {"products": len(products)}


def product(service: str, region: str, usage: str) -> dict:
    attributes = {"regionCode": region, "usagetype": usage}
    return {"serviceCode": service, "product": {"sku": usage, "productFamily": "A", "attributes": attributes}, "terms": {}}


def asked(aws, service: str, **filters: str) -> list[str]:
    pages = aws.pricing.get_paginator("get_products").paginate(
        ServiceCode=service,
        Filters=[{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in filters.items()],
    )
    return [json.loads(document)["product"]["sku"] for page in pages for document in page["PriceList"]]


def test_without_prices_there_is_no_price_list(aws):
    with pytest.raises(ClientError) as refusal:
        aws.pricing.get_products(ServiceCode="AmazonEC2")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_filters_and_pages(aws):
    usages = [product("AmazonEC2", "eu-central-1", f"EUC1-{number}") for number in range(5)]
    others = [product("AmazonEC2", "us-east-1", "USE1-1"), product("AmazonRDS", "eu-central-1", "EUC1-RDS")]
    give(aws, usages + others, "?page=2")
    assert asked(aws, "AmazonEC2", regionCode="eu-central-1") == [f"EUC1-{number}" for number in range(5)]
    assert asked(aws, "AmazonEC2", regionCode="eu-central-1", usagetype="EUC1-3") == ["EUC1-3"]
    assert asked(aws, "AmazonRDS", productFamily="A") == ["EUC1-RDS"]
    assert asked(aws, "AmazonRDS", productFamily="B") == []
    services = aws.pricing.describe_services()["Services"]
    assert [service["ServiceCode"] for service in services] == ["AmazonEC2", "AmazonRDS"]
    assert services[0]["AttributeNames"] == ["productFamily", "regionCode", "usagetype"]
    with refused("InvalidNextTokenException"):
        aws.pricing.get_products(ServiceCode="AmazonEC2", NextToken="nonsense")
