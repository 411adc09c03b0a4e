"""AWS's default quotas, enforced when asked for: `POST /_local/quotas` with {} or limits of its own."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from .. import control
from ..hooks import AwsError, Request, before, instead
from . import state

#: What a new account has.
DEFAULTS = {
    "vpcs": 5,
    "addresses": 5,
    "internet_gateways": 5,
    "nat_gateways_per_zone": 5,
    "rules_per_group": 60,
    "db_instances": 40,
    "vcpus": 16,
    "cache_nodes": 300,
    "load_balancers": 50,
    "groups": 500,
    "buckets": 10_000,
    "distributions": 200,
    "hosted_zones": 500,
    "certificates": 2500,
    "roles": 1000,
}
#: Service Quotas' codes.
CODES = {
    "L-F678F1CE": "vpcs",
    "L-A4707A72": "internet_gateways",
    "L-0263D0A3": "addresses",
    "L-FE5A380F": "nat_gateways_per_zone",
    "L-1216C47A": "vcpus",
    "L-7B6409FD": "db_instances",
    "L-DFE45DF3": "cache_nodes",
    "L-53DA6B97": "load_balancers",
    "L-CDE20ADC": "groups",
    "L-DC2B2D3D": "buckets",
    "L-24B04930": "distributions",
    "L-4EA4796A": "hosted_zones",
    "L-F141DD1D": "certificates",
    "L-FE177D64": "roles",
}
#: What an account is told whose quotas are not enforced.
_LIFTED = 1_000_000
_limits: dict[str, int] = {}


@control.route("GET", "quotas")
def show(_query: dict[str, str], _body: Any) -> Any:
    return dict(_limits)


@control.route("POST", "quotas")
def enforce(_query: dict[str, str], body: Any) -> Any:
    wanted = body or {}
    if unknown := set(wanted) - set(DEFAULTS):
        raise control.ControlError(f"unknown quotas {sorted(unknown)}; known: {sorted(DEFAULTS)}")
    _limits.update(DEFAULTS | wanted)
    return dict(_limits)


@control.route("DELETE", "quotas")
def lift(_query: dict[str, str], _body: Any) -> Any:
    _limits.clear()
    return {}


def _reached(name: str, count: int, more: int = 1) -> bool:
    return name in _limits and count + more > _limits[name]


@instead("service-quotas", "GetServiceQuota")
def told(request: Request) -> dict[str, Any]:
    code = request.params["QuotaCode"]
    if code not in CODES:
        raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    value = _limits.get(CODES[code], _LIFTED)
    return {
        "Quota": {
            "ServiceCode": request.params["ServiceCode"],
            "QuotaCode": code,
            "QuotaName": CODES[code],
            "Value": float(value),
            "Adjustable": True,
            "GlobalQuota": False,
        }
    }


@before("ec2", "CreateVpc")
def vpcs(request: Request) -> None:
    if _reached("vpcs", len(state.backend("ec2", request).vpcs)):
        raise AwsError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")


@before("ec2", "CreateInternetGateway")
def internet_gateways(request: Request) -> None:
    if _reached("internet_gateways", len(state.backend("ec2", request).internet_gateways)):
        raise AwsError(
            "InternetGatewayLimitExceeded",
            "The maximum number of internet gateways has been reached.",
        )


@before("ec2", "AllocateAddress")
def addresses(request: Request) -> None:
    if _reached("addresses", len(state.backend("ec2", request).addresses)):
        raise AwsError("AddressLimitExceeded", "The maximum number of addresses has been reached.")


@before("ec2", "CreateNatGateway")
def nat_gateways(request: Request) -> None:
    subnet = state.subnet(request, request.params["SubnetId"])
    if subnet is None:
        return
    zones = [
        found.availability_zone
        for gateway in state.nat_gateways(request)
        if (found := state.subnet(request, gateway.subnet_id)) is not None
    ]
    if _reached("nat_gateways_per_zone", zones.count(subnet.availability_zone)):
        raise AwsError(
            "NatGatewayLimitExceeded",
            f"Performing this operation would exceed the limit of {_limits['nat_gateways_per_zone']} NAT gateways",
        )


@before("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def rules(request: Request) -> None:
    group = state.security_group(request, request.params.get("GroupId") or "")
    if group is None:
        return
    ingress = request.action == "AuthorizeSecurityGroupIngress"
    held = group.ingress_rules if ingress else group.egress_rules
    asked = sum(
        len(permission.get(kind) or [])
        for permission in request.params.get("IpPermissions") or []
        for kind in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
    )
    if _reached("rules_per_group", len(held), asked):
        raise AwsError(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        )


@before("ec2", "RunInstances")
def vcpus(request: Request) -> None:
    wanted = (request.params.get("MaxCount") or 1) * _vcpus(request.params.get("InstanceType"))
    held = sum(_vcpus(instance.instance_type) for instance in state.instances(request))
    if _reached("vcpus", held, wanted):
        raise AwsError(
            "VcpuLimitExceeded",
            "You have requested more vCPU capacity than your current vCPU limit allows for the "
            "instance bucket that the specified instance type belongs to.",
        )


def _vcpus(instance_type: str | None) -> int:
    details = INSTANCE_TYPES.get(instance_type or "m1.small", {})
    return int(details.get("VCpuInfo", {}).get("DefaultVCpus", 1))


@before("rds", "CreateDBInstance", "CreateDBInstanceReadReplica")
def databases(request: Request) -> None:
    if _reached("db_instances", len(state.databases(request))):
        raise AwsError(
            "InstanceQuotaExceeded", "DB Instance quota has been reached for this account."
        )
