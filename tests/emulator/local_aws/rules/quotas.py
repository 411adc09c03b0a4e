"""AWS's default quotas, enforced when asked for: `POST /_local/quotas` with {} or limits of its own."""

from __future__ import annotations

from typing import Any

from .. import control
from ..hooks import AwsError, Request, before
from . import state

#: What a new account has.
DEFAULTS = {
    "vpcs": 5,
    "addresses": 5,
    "internet_gateways": 5,
    "nat_gateways_per_zone": 5,
    "rules_per_group": 60,
    "db_instances": 40,
    "instances": 5,
}
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
def instances(request: Request) -> None:
    wanted = request.params.get("MaxCount") or 1
    if _reached("instances", len(state.instances(request)), wanted):
        raise AwsError(
            "VcpuLimitExceeded",
            "You have requested more vCPU capacity than your current vCPU limit allows for the "
            "instance bucket that the specified instance type belongs to.",
        )


@before("rds", "CreateDBInstance", "CreateDBInstanceReadReplica")
def databases(request: Request) -> None:
    if _reached("db_instances", len(state.databases(request))):
        raise AwsError(
            "InstanceQuotaExceeded", "DB Instance quota has been reached for this account."
        )
