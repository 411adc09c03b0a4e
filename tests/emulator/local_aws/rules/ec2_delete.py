"""EC2's dependency violations: what cannot be deleted, detached or released yet."""

from __future__ import annotations

from typing import Any

from ..hooks import AwsError, Request, before
from . import state


def _violation(message: str) -> AwsError:
    return AwsError("DependencyViolation", message)


@before("ec2", "DeleteSecurityGroup")
def security_group(request: Request) -> None:
    group_id = request.params.get("GroupId")
    group = state.security_group(request, group_id) if group_id else None
    if group is None:
        return
    if group.is_default:
        raise AwsError(
            "CannotDelete",
            f'the specified group: "{group_id}" name: "default" cannot be deleted by a user',
        )
    if _group_is_used(request, group_id):
        raise _violation(f"resource {group_id} has a dependent object")


def _group_is_used(request: Request, group_id: str) -> bool:
    for other in state.security_groups(request):
        if other.id == group_id:
            continue
        for rule in [*other.ingress_rules, *other.egress_rules]:
            if (rule.source_group or {}).get("GroupId") == group_id:
                return True
    users = [
        *(b.security_groups for b in state.load_balancers(request)),
        *(d.vpc_security_group_ids for d in state.databases(request)),
        *(g.security_group_ids for g in state.replication_groups(request)),
        *(e.security_group_ids for e in state.endpoints(request)),
        *(i.group_set for i in state.interfaces(request)),
        *(i.security_groups for i in state.instances(request)),
    ]
    return any(group_id in state.ids(groups) for groups in users)


@before("ec2", "DeleteSubnet")
def subnet(request: Request) -> None:
    subnet_id = request.params["SubnetId"]
    if _subnet_is_used(request, subnet_id):
        raise _violation(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")


def _subnet_is_used(request: Request, subnet_id: str) -> bool:
    if any(subnet_id in state.ids(b.subnets) for b in state.load_balancers(request)):
        return True
    if any(g.subnet_id == subnet_id for g in state.nat_gateways(request)):
        return True
    if any(i.subnet.id == subnet_id for i in state.interfaces(request) if i.subnet):
        return True
    if any(i.subnet_id == subnet_id for i in state.instances(request)):
        return True
    if any(subnet_id in state.ids(e.subnet_ids) for e in state.endpoints(request)):
        return True
    groups = state.backend("rds", request).subnet_groups.values()
    if any(subnet_id in state.ids(g._subnets) for g in groups):
        return True
    cache_groups = state.backend("elasticache", request).cache_subnet_groups.values()
    return any(subnet_id in state.ids(g.subnet_ids) for g in cache_groups)


@before("ec2", "DetachInternetGateway")
def internet_gateway(request: Request) -> None:
    gateway = state.backend("ec2", request).internet_gateways.get(
        request.params["InternetGatewayId"]
    )
    vpc_id = request.params["VpcId"]
    if gateway is None or gateway.vpc is None or gateway.vpc.id != vpc_id:
        return
    if _has_public_addresses(request, vpc_id):
        raise _violation(
            f"Network {vpc_id} has some mapped public address(es). "
            "Please unmap those public address(es) before detaching the gateway."
        )


def _has_public_addresses(request: Request, vpc_id: str) -> bool:
    for gateway in state.nat_gateways(request):
        if gateway.vpc_id == vpc_id and gateway.connectivity_type == "public":
            return True
    for balancer in state.load_balancers(request):
        if balancer.vpc_id == vpc_id and balancer.scheme != "internal":
            return True
    for instance in state.instances(request):
        if instance.vpc_id == vpc_id and instance.public_ip:
            return True
    for interface in state.interfaces(request):
        if interface.subnet and interface.subnet.vpc_id == vpc_id and _public(interface):
            return True
    return False


def _public(interface: Any) -> bool:
    association = interface.association
    return bool(interface.public_ip or (association or {}).get("publicIp"))


@before("ec2", "DeleteInternetGateway")
def attached_gateway(request: Request) -> None:
    gateway_id = request.params["InternetGatewayId"]
    gateway = state.backend("ec2", request).internet_gateways.get(gateway_id)
    if gateway is not None and gateway.vpc is not None:
        raise _violation(
            f"The internetGateway '{gateway_id}' has dependencies and cannot be deleted."
        )


@before("ec2", "ReleaseAddress")
def address(request: Request) -> None:
    allocation = request.params.get("AllocationId")
    for held in state.backend("ec2", request).addresses:
        if held.allocation_id != allocation or allocation is None:
            continue
        if _address_is_used(request, held):
            raise AwsError("InvalidIPAddress.InUse", f"Address {held.public_ip} is in use.")


def _address_is_used(request: Request, held: Any) -> bool:
    for gateway in state.backend("ec2", request).nat_gateways.values():
        if held.allocation_id in str(gateway.address_set):
            return gateway.state not in ("deleted", "failed")
    return bool(held.association_id or held.eni or held.instance)


@before("ec2", "DeleteVpc")
def vpc(request: Request) -> None:
    vpc_id = request.params["VpcId"]
    if vpc_id in state.backend("ec2", request).vpcs and _vpc_is_used(request, vpc_id):
        raise _violation(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")


def _vpc_is_used(request: Request, vpc_id: str) -> bool:
    ec2 = state.backend("ec2", request)
    if state.subnets_of(request, vpc_id):
        return True
    if any(g.vpc and g.vpc.id == vpc_id for g in ec2.internet_gateways.values()):
        return True
    groups = ec2.groups.get(vpc_id, {}).values()
    if any(not group.is_default for group in groups):
        return True
    if any(e.vpc_id == vpc_id for e in state.endpoints(request)):
        return True
    tables = [t for t in ec2.route_tables.values() if t.vpc_id == vpc_id]
    if any(not table.main_association_id for table in tables):
        return True
    return any(b.vpc_id == vpc_id for b in state.load_balancers(request))


@before("ec2", "DeleteRouteTable")
def route_table(request: Request) -> None:
    table_id = request.params["RouteTableId"]
    table = state.backend("ec2", request).route_tables.get(table_id)
    if table is None:
        return
    by_endpoint = any(table_id in state.ids(e.route_table_ids) for e in state.endpoints(request))
    if table.main_association_id or by_endpoint:
        raise _violation(f"The routeTable '{table_id}' has dependencies and cannot be deleted.")


@before("ec2", "DeleteNetworkInterface")
def interface(request: Request) -> None:
    interface_id = request.params["NetworkInterfaceId"]
    found = state.backend("ec2", request).enis.get(interface_id)
    if found is not None and (found.instance or found.status == "in-use"):
        raise AwsError(
            "InvalidNetworkInterface.InUse",
            f"Network interface '{interface_id}' is currently in use.",
        )
