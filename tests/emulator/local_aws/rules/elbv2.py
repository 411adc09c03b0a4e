"""What Elastic Load Balancing checks: load balancers, listeners, target groups."""

from __future__ import annotations

import re
from typing import Any

from moto.elbv2.models import ELBv2Backend

from ..hooks import AwsError, Request, before
from . import state

_NAME = re.compile(r"[A-Za-z0-9-]{1,32}")
#: Attributes with a range: lowest and highest.
_RANGES = {
    "deregistration_delay.timeout_seconds": (0, 3600),
    "idle_timeout.timeout_seconds": (1, 4000),
    "slow_start.duration_seconds": (0, 900),
    "client_keep_alive.seconds": (60, 604800),
}


def _validation(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def name(kind: str, given: str) -> None:
    """Load balancers and target groups are named alike."""
    if len(given) > 32:
        raise _validation(f"The {kind} name '{given}' cannot be longer than '32' characters")
    if not _NAME.fullmatch(given):
        raise _validation(
            f"The {kind} name '{given}' can only contain characters that are alphanumeric characters and hyphens(-)"
        )
    if given.startswith("-") or given.endswith("-"):
        raise _validation(f"The {kind} name '{given}' cannot begin or end with '-'")
    if kind == "load balancer" and given.startswith("internal-"):
        raise _validation(f"The load balancer name '{given}' cannot begin with 'internal-'")


@before("elbv2", "CreateLoadBalancer")
def load_balancer(request: Request) -> None:
    params = request.params
    name("load balancer", params["Name"])
    wanted = params.get("Subnets") or [
        mapping.get("SubnetId") for mapping in params.get("SubnetMappings") or []
    ]
    vpc_id = _zones(request, wanted, params.get("Type", "application"))
    _groups(request, vpc_id, params.get("SecurityGroups") or [])
    if params.get("Scheme", "internet-facing") != "internal":
        gateways = state.backend("ec2", request).internet_gateways.values()
        if not any(g.vpc and g.vpc.id == vpc_id for g in gateways):
            raise AwsError("InvalidSubnet", f"VPC {vpc_id} has no internet gateway")


@before("elbv2", "SetSubnets")
def subnets(request: Request) -> None:
    _zones(request, request.params.get("Subnets") or [], "application")


def _zones(request: Request, wanted: list[str], kind: str) -> str:
    """Two or more zones for an application load balancer, one subnet a zone, one VPC."""
    found = []
    for subnet_id in wanted:
        subnet = state.subnet(request, subnet_id)
        if subnet is None:
            raise AwsError("SubnetNotFound", f"The subnet ID '{subnet_id}' is not valid")
        found.append(subnet)
    zones = [subnet.availability_zone for subnet in found]
    if kind == "application" and len(set(zones)) < 2:
        raise _validation(
            "At least two subnets in two different Availability Zones must be specified"
        )
    if len(set(zones)) < len(zones):
        raise AwsError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len({subnet.vpc_id for subnet in found}) > 1:
        raise AwsError("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
    return str(found[0].vpc_id) if found else ""


def _groups(request: Request, vpc_id: str, groups: list[str]) -> None:
    for group_id in groups:
        group = state.security_group(request, group_id)
        if group is None:
            raise AwsError(
                "InvalidSecurityGroup", f"The security group '{group_id}' does not exist"
            )
        if group.vpc_id != vpc_id:
            raise AwsError(
                "InvalidConfigurationRequest",
                f"One or more security groups are invalid: '{group_id}' is not in VPC '{vpc_id}'",
            )


@before("elbv2", "CreateTargetGroup")
def target_group(request: Request) -> None:
    name("target group", request.params["Name"])


_create_target_group = ELBv2Backend.create_target_group


def _same_again(self: Any, name: str, **kwargs: Any) -> Any:
    """The same name with the same settings is the group that exists."""
    settings = {k: v for k, v in kwargs.items() if v is not None and k != "tags"}
    for group in self.target_groups.values():
        if group.name == name and group.__dict__.get("_made_with") == settings:
            return group
    made = _create_target_group(self, name, **kwargs)
    made._made_with = settings
    return made


ELBv2Backend.create_target_group = _same_again  # type: ignore[method-assign]


@before("elbv2", "CreateListener", "ModifyListener")
def listener(request: Request) -> None:
    params = request.params
    protocol = params.get("Protocol")
    certificates = params.get("Certificates") or []
    if protocol in ("HTTPS", "TLS") and not certificates and request.action == "CreateListener":
        raise _validation("A certificate must be specified for HTTPS listeners")
    if protocol == "HTTP" and certificates:
        raise _validation("Certificates cannot be specified for HTTP listeners")
    for certificate in certificates:
        _certificate(request, certificate.get("CertificateArn", ""))
    balancer = _balancer(request)
    if balancer is None:
        return
    if request.action == "CreateListener":
        for existing in balancer.listeners.values():
            if str(existing.port) == str(params.get("Port")):
                raise AwsError(
                    "DuplicateListener",
                    "A listener already exists on this port for this load balancer",
                )
    _target_groups(request, balancer)


def _balancer(request: Request) -> Any | None:
    arn = request.params.get("LoadBalancerArn")
    if arn is None:
        parts = str(request.params.get("ListenerArn", "")).replace(":listener/", ":loadbalancer/")
        arn = parts.rpartition("/")[0]
    return state.backend("elbv2", request).load_balancers.get(arn)


def _target_groups(request: Request, balancer: Any) -> None:
    """A target group serves one load balancer only."""
    groups = state.backend("elbv2", request).target_groups
    for action in request.params.get("DefaultActions") or []:
        forward = action.get("ForwardConfig") or {}
        arns = [t.get("TargetGroupArn") for t in forward.get("TargetGroups") or []]
        arns += [action["TargetGroupArn"]] if action.get("TargetGroupArn") else []
        for arn in arns:
            if arn not in groups:
                raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
            users = _users(request, arn)
            if users - {balancer.arn}:
                raise AwsError(
                    "TargetGroupAssociationLimit",
                    f"The following target groups cannot be associated with more than one load balancer: {arn}",
                )
            if groups[arn].vpc_id != balancer.vpc_id:
                raise AwsError(
                    "InvalidConfigurationRequest",
                    f"The target group '{arn}' and the load balancer are in different VPCs",
                )


def _users(request: Request, target_group_arn: str) -> set[str]:
    """The load balancers whose listeners or rules forward to a group."""
    users = set()
    for balancer in state.load_balancers(request):
        for existing in balancer.listeners.values():
            actions = [*existing.default_actions]
            for rule in existing.rules.values():
                actions += rule.actions
            if any(target_group_arn in str(action.data) for action in actions):
                users.add(balancer.arn)
    return users


def _certificate(request: Request, arn: str) -> None:
    if ":iam:" in arn:
        return
    certificate = state.backend("acm", request)._certificates.get(arn)
    if certificate is None:
        raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found")
    if certificate.status != "ISSUED":
        raise AwsError(
            "UnsupportedCertificate",
            f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, "
            f"and a supported key size, and be issued: it is {certificate.status}",
        )


@before("elbv2", "DeleteTargetGroup")
def delete_target_group(request: Request) -> None:
    arn = request.params["TargetGroupArn"]
    if _users(request, arn):
        raise AwsError(
            "ResourceInUse",
            f"Target group '{arn}' is currently in use by a listener or a rule",
        )


@before("elbv2", "DeleteLoadBalancer")
def delete_load_balancer(request: Request) -> None:
    arn = request.params["LoadBalancerArn"]
    found = state.backend("elbv2", request).load_balancers.get(arn)
    if found is not None and found.attrs.get("deletion_protection.enabled") == "true":
        raise AwsError(
            "OperationNotPermitted",
            f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
        )


@before("elbv2", "ModifyLoadBalancerAttributes", "ModifyTargetGroupAttributes")
def attributes(request: Request) -> None:
    for attribute in request.params.get("Attributes") or []:
        key, value = attribute.get("Key"), str(attribute.get("Value"))
        if key not in _RANGES:
            continue
        low, high = _RANGES[key]
        if not value.isdigit() or not low <= int(value) <= high:
            raise _validation(
                f"The value of '{key}' must be between '{low}' and '{high}' inclusive"
            )
