"""What Route 53 checks in a batch of changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from moto.backends import get_backend

from ..hooks import AwsError, Request, before
from . import state

_CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"
_TXT = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\s+"((?:[^"\\]|\\.)*)")*')
_TXT_PART = re.compile(r'"((?:[^"\\]|\\.)*)"')


def _refuse(*messages: str) -> AwsError:
    return AwsError("InvalidChangeBatch", f"[{', '.join(messages)}]")


@before("route53", "ChangeResourceRecordSets")
def batch(request: Request) -> None:
    zone_id = request.params["HostedZoneId"].rpartition("/")[2]
    zone = state.backend("route53", request).zones.get(zone_id)
    if zone is None:
        return
    records = {(_canonical(r.name), r.type): r for r in zone.rrsets}
    for change in request.params["ChangeBatch"].get("Changes") or []:
        record = change["ResourceRecordSet"]
        key = (_canonical(record["Name"]), record["Type"])
        if change["Action"] == "DELETE":
            _exact(record, records.get(key))
            records.pop(key, None)
            continue
        if change["Action"] == "CREATE" and key in records:
            raise _refuse(
                f"Tried to create resource record set [name='{key[0]}', type='{key[1]}'] but it already exists"
            )
        _values(record)
        _alias(request, zone, record)
        _cname(zone, key, records)
        records.setdefault(key, None)


def _canonical(name: str) -> str:
    return name.lower().replace("\\052", "*").rstrip(".") + "."


def _exact(record: dict[str, Any], known: Any | None) -> None:
    """A record is deleted by naming all of its values."""
    name, kind = record["Name"], record["Type"]
    if known is None:
        raise _refuse(
            f"Tried to delete resource record set [name='{_canonical(name)}', type='{kind}'] but it was not found"
        )
    given = {r["Value"] for r in record.get("ResourceRecords") or []}
    held = set(known.records or [])
    same = given == held and str(record.get("TTL") or "") == str(known.ttl or "")
    if record.get("AliasTarget") or known.alias_target:
        wanted, target = record.get("AliasTarget") or {}, known.alias_target or {}
        same = _canonical(wanted.get("DNSName", "")) == _canonical(
            target.get("DNSName", "")
        ) and wanted.get("HostedZoneId") == target.get("HostedZoneId")
    if not same:
        raise _refuse(
            f"Tried to delete resource record set [name='{_canonical(name)}', type='{kind}'] "
            "but the values provided do not match the current values"
        )


def _values(record: dict[str, Any]) -> None:
    if record.get("AliasTarget"):
        if record.get("TTL") or record.get("ResourceRecords"):
            raise _refuse(
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]]"
            )
        return
    if record.get("TTL") is None or not record.get("ResourceRecords"):
        raise AwsError(
            "InvalidInput",
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], "
            f"or TrafficPolicyInstanceId], but found none in Change with [Name={record['Name']}]",
        )
    if record["Type"] != "TXT":
        return
    for value in record["ResourceRecords"]:
        text = value["Value"]
        if not _TXT.fullmatch(text.strip()):
            raise _refuse(
                f"Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with '{text}''"
            )
        if any(len(part) > 255 for part in _TXT_PART.findall(text)):
            raise _refuse(
                "Invalid Resource Record: 'FATAL problem: CharacterStringTooLong (Value is too long) encountered'"
            )


def _cname(zone: Any, key: tuple[str, str], records: dict[tuple[str, str], Any]) -> None:
    name, kind = key
    if kind == "CNAME" and name == _canonical(zone.name):
        raise _refuse(
            f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone.name}"
        )
    others = {t for n, t in records if n == name and t != kind}
    if kind == "CNAME" and others:
        raise _refuse(
            f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the same DNS name in zone {zone.name}"
        )
    if kind != "CNAME" and "CNAME" in others:
        raise _refuse(
            f"RRSet of type {kind} with DNS name {name} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone {zone.name}"
        )


def _alias(request: Request, zone: Any, record: dict[str, Any]) -> None:
    alias = record.get("AliasTarget")
    if not alias:
        return
    target = _canonical(alias["DNSName"])
    given = alias["HostedZoneId"]
    if any(target == name for name in _distributions(request)):
        if given != _CLOUDFRONT_ZONE:
            raise _not_found(record, target, given)
        if alias.get("EvaluateTargetHealth"):
            raise _refuse("EvaluateTargetHealth must be false for an alias to CloudFront")
        return
    for name, zone_id in _load_balancers(request):
        if target in (name, f"dualstack.{name}"):
            if given != zone_id:
                raise _not_found(record, target, given)
            return
    same_zone = given == zone.id.rpartition("/")[2]
    if not same_zone:
        raise _not_found(record, target, given)


def _not_found(record: dict[str, Any], target: str, zone_id: str) -> AwsError:
    return _refuse(
        f"Tried to create an alias that targets {target}, type {record['Type']} in zone {zone_id}, "
        "but the alias target name does not lie within the target zone"
    )


def _distributions(request: Request) -> Iterator[str]:
    for distribution in state.backend("cloudfront", request).distributions.values():
        yield _canonical(distribution.domain_name)


def _load_balancers(request: Request) -> Iterator[tuple[str, str]]:
    for backend in list(get_backend("elbv2")[request.account].values()):
        for balancer in backend.load_balancers.values():
            yield _canonical(balancer.dns_name), balancer.canonical_hosted_zone_id
