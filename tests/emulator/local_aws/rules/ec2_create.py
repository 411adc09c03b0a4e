"""What EC2 checks beyond its model when networks and groups are made or changed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from ..hooks import AwsError, Request, before
from . import state

_GROUP_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]*")

#: What each call may tag at creation.
_TAGGABLE = {
    "AllocateAddress": {"elastic-ip"},
    "AuthorizeSecurityGroupEgress": {"security-group-rule"},
    "AuthorizeSecurityGroupIngress": {"security-group-rule"},
    "CreateInternetGateway": {"internet-gateway"},
    "CreateLaunchTemplate": {"launch-template"},
    "CreateNatGateway": {"natgateway"},
    "CreateNetworkInterface": {"network-interface"},
    "CreateRouteTable": {"route-table"},
    "CreateSecurityGroup": {"security-group"},
    "CreateSnapshot": {"snapshot"},
    "CreateSubnet": {"subnet"},
    "CreateVolume": {"volume"},
    "CreateVpc": {"vpc"},
    "CreateVpcEndpoint": {"vpc-endpoint"},
    "RunInstances": {
        "instance",
        "volume",
        "network-interface",
        "spot-instances-request",
    },
}


@before("ec2", *_TAGGABLE)
def tag_specifications(request: Request) -> None:
    allowed = _TAGGABLE[request.action]
    for specification in request.params.get("TagSpecifications") or []:
        kind = specification.get("ResourceType")
        if kind not in allowed:
            raise AwsError(
                "InvalidParameterValue",
                f"'{kind}' is not a valid taggable resource type for this operation.",
            )


@before("ec2", "CreateSecurityGroup")
def security_group(request: Request) -> None:
    name = request.params.get("GroupName", "")
    description = request.params.get("Description", "")
    for label, text in (("Name", name), ("Description", description)):
        if len(text) > 255 or not _GROUP_TEXT.fullmatch(text):
            raise AwsError(
                "InvalidParameterValue",
                f"Value ({text}) for parameter Group{label} is invalid. Character sets "
                "beyond ASCII are not supported, and it may have 255 characters at most.",
            )
    if name.lower().startswith("sg-"):
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*.",
        )
    vpc_id = request.params.get("VpcId")
    for group in state.security_groups(request):
        if group.vpc_id == vpc_id and group.name.lower() == name.lower():
            raise AwsError(
                "InvalidGroup.Duplicate",
                f"The security group '{name}' already exists for VPC '{vpc_id}'",
            )


@before("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def permissions(request: Request) -> None:
    for permission in request.params.get("IpPermissions") or []:
        _ports(permission)
        _ranges(permission)
        for pair in permission.get("UserIdGroupPairs") or []:
            group_id = pair.get("GroupId")
            if group_id and state.security_group(request, group_id) is None:
                raise AwsError(
                    "InvalidGroup.NotFound",
                    f"The security group '{group_id}' does not exist",
                )
    _default_egress(request)


def _default_egress(request: Request) -> None:
    """A new group allows all egress already."""
    group = state.security_group(request, request.params.get("GroupId") or "")
    if group is None or request.action != "AuthorizeSecurityGroupEgress":
        return
    for permission in request.params.get("IpPermissions") or []:
        if str(permission.get("IpProtocol")) not in ("-1", "all"):
            continue
        for wanted in permission.get("IpRanges") or []:
            cidr = wanted.get("CidrIp")
            if any(
                rule.ip_protocol == "-1" and rule.ip_range.get("CidrIp") == cidr
                for rule in group.egress_rules
            ):
                raise AwsError(
                    "InvalidPermission.Duplicate",
                    f'the specified rule "peer: {cidr}, ALL, ALLOW" already exists',
                )


def _ports(permission: dict[str, Any]) -> None:
    protocol = str(permission.get("IpProtocol", "")).lower()
    if protocol not in ("tcp", "udp", "6", "17"):
        return
    first, last = permission.get("FromPort"), permission.get("ToPort")
    if first is None or last is None:
        raise AwsError(
            "InvalidParameterValue",
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        )
    if not 0 <= first <= last <= 65535:
        raise AwsError("InvalidParameterValue", f"Invalid TCP port range ({first}:{last})")


def _ranges(permission: dict[str, Any]) -> None:
    for entry in permission.get("IpRanges") or []:
        cidr = entry.get("CidrIp", "")
        try:
            ipaddress.IPv4Network(cidr)
        except ValueError as error:
            raise AwsError("InvalidParameterValue", f"CIDR block {cidr} is malformed") from error


#: A call of these changes one attribute only.
_ONE_AT_A_TIME = {
    "ModifyVpcAttribute": {"VpcId"},
    "ModifySubnetAttribute": {"SubnetId"},
}


@before("ec2", *_ONE_AT_A_TIME)
def one_attribute(request: Request) -> None:
    given = set(request.params) - _ONE_AT_A_TIME[request.action] - {"DryRun"}
    if len(given) > 1:
        raise AwsError(
            "InvalidParameterCombination", "Fields for multiple attribute types specified"
        )
    if not given:
        raise AwsError("MissingParameter", "No attributes specified.")


@before("ec2", "CreateVpc", "CreateSubnet")
def address_block(request: Request) -> None:
    block = request.params.get("CidrBlock")
    if block is None:
        return
    kind = "Vpc" if request.action == "CreateVpc" else "Subnet"
    try:
        network = ipaddress.IPv4Network(block)
    except ValueError as error:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({block}) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        ) from error
    if not 16 <= network.prefixlen <= 28:
        raise AwsError(
            f"Invalid{kind}.Range", f"The CIDR '{block}' is invalid for a {kind.lower()}."
        )


@before("ec2", "CreateVpcEndpoint")
def endpoint(request: Request) -> None:
    params = request.params
    if not params.get("PrivateDnsEnabled") or params.get("VpcEndpointType") != "Interface":
        return
    vpc = state.backend("ec2", request).vpcs.get(params["VpcId"])
    if vpc is None:
        return
    if not (_truth(vpc.enable_dns_support) and _truth(vpc.enable_dns_hostnames)):
        raise AwsError(
            "InvalidParameter",
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames "
            f"VPC attributes set to true for {vpc.id}",
        )


def _truth(value: Any) -> bool:
    return str(value).lower() == "true"


@before("ec2", "CreateNatGateway")
def nat_gateway(request: Request) -> None:
    params = request.params
    public = params.get("ConnectivityType", "public") == "public"
    allocation = params.get("AllocationId")
    if not public:
        if allocation:
            raise AwsError(
                "InvalidParameter",
                "AllocationId cannot be specified for a private NAT gateway",
            )
        return
    if not allocation:
        raise AwsError("MissingParameter", "The request must contain the parameter AllocationId")
    if allocation not in _allocations(request):
        raise AwsError(
            "InvalidElasticIpID.NotFound",
            f"The elastic-ip ID '{allocation}' does not exist",
        )


def _allocations(request: Request) -> Iterator[str]:
    return (a.allocation_id for a in state.backend("ec2", request).addresses)
