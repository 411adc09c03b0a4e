"""Load balancers: provisioning, their interfaces, deletion protection, addresses."""

from typing import Any

from moto.elbv2.exceptions import LoadBalancerNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer

from . import events, held_interfaces, providers
from .lifecycle import fault, phases_of, run_later
from .patching import prop, wrap

PROVISIONING_SECONDS = 120
INTERFACES_STAY_SECONDS = 60

# The zone that an alias record to a load balancer of the region names.
HOSTED_ZONES = {
    "us-east-1": "Z35SXDOTRQ7X7K",
    "us-east-2": "Z3AADJGX6KTTL2",
    "us-west-1": "Z368ELLRRE2KJ0",
    "us-west-2": "Z1H1FL5HABSF5",
    "eu-west-1": "Z32O12XQLNTSW2",
    "eu-west-2": "ZHURV8PSTC4K8",
    "eu-west-3": "Z3Q77PNBQS71R4",
    "eu-north-1": "Z23TAZ6LKFMNIO",
    "eu-central-1": "Z215JYRZR1TBD5",
    "ap-northeast-1": "Z14GRHDCWA56QT",
    "ap-northeast-2": "ZWKZPGTI48KDX",
    "ap-southeast-1": "Z1LMS91P8CMLE5",
    "ap-southeast-2": "Z1GM3OXH4ZPM65",
    "ap-south-1": "ZP97RAFLXTNZK",
    "sa-east-1": "Z2P70J7HTTTPLU",
    "ca-central-1": "ZQSVJUPU6J1EY",
}
OTHER_HOSTED_ZONE = "Z35SXDOTRQ7X7K"


@prop(FakeLoadBalancer, "state")
def _state(self: FakeLoadBalancer) -> str:
    return phases_of(self, "active").current


@prop(FakeLoadBalancer, "dns_name")
def _dns_name(self: FakeLoadBalancer) -> str:
    region = self.arn.split(":")[3]
    return providers.ask("load-balancer-address", region, self) or self.__dict__["_moto_dns_name"]


@prop(FakeLoadBalancer, "canonical_hosted_zone_id")
def _zone(self: FakeLoadBalancer) -> str:
    return HOSTED_ZONES.get(self.arn.split(":")[3], OTHER_HOSTED_ZONE)


def interface_description(load_balancer: FakeLoadBalancer) -> str:
    """What the interfaces of a load balancer are called: `ELB app/NAME/ID`."""
    return "ELB " + load_balancer.arn.split("loadbalancer/", 1)[1]


def load_balancer_by_arn(region: str, arn: str, account: str) -> FakeLoadBalancer | None:
    """For the data plane: the load balancer, while it exists."""
    from moto.elbv2.models import elbv2_backends

    return elbv2_backends[account][region].load_balancers.get(arn)


@wrap(ELBv2Backend, "create_load_balancer")
def _create(original: Any, self: ELBv2Backend, **kwargs: Any) -> FakeLoadBalancer:
    kwargs["scheme"] = kwargs.get("scheme") or "internet-facing"
    existing = [lb for lb in self.load_balancers.values() if lb.name == kwargs["name"]]
    if existing:
        return _same_or_refused(existing[0], kwargs)
    if not kwargs.get("security_groups"):
        subnet = self.ec2_backend.get_subnet((kwargs.get("subnet_ids") or [None])[0])
        if subnet is not None:
            default = self.ec2_backend.get_security_group_by_name_or_id("default", subnet.vpc_id)
            kwargs["security_groups"] = [default.id] if default else []
    load_balancer = original(self, **kwargs)
    phases_of(load_balancer, "active").begin("provisioning", PROVISIONING_SECONDS)
    sync_interfaces(self, load_balancer)
    run_later(PROVISIONING_SECONDS, lambda: _active(self, load_balancer))
    return load_balancer


def _same_or_refused(existing: FakeLoadBalancer, wanted: dict[str, Any]) -> FakeLoadBalancer:
    subnets = set(wanted.get("subnet_ids") or [])
    subnets |= {mapping["SubnetId"] for mapping in wanted.get("subnet_mappings") or []}
    same = (
        {subnet.id for subnet in existing.subnets} == subnets
        and set(existing.security_groups or []) == set(wanted.get("security_groups") or [])
        and existing.scheme == (wanted["scheme"])
        and existing.type == (wanted.get("loadbalancer_type") or "application")
    )
    if not same:
        message = (
            f"A load balancer with the same name '{existing.name}' exists, "
            "but with different settings"
        )
        raise fault("DuplicateLoadBalancerName", message)
    return existing


def _active(backend: ELBv2Backend, load_balancer: FakeLoadBalancer) -> None:
    if load_balancer.arn in backend.load_balancers:
        region = backend.region_name
        events.emit("load-balancer-active", region=region, load_balancer=load_balancer)


def sync_interfaces(backend: ELBv2Backend, load_balancer: FakeLoadBalancer) -> None:
    """One interface in each of the load balancer's subnets, with its groups."""
    held_interfaces.sync(
        backend.ec2_backend,
        owner="amazon-elb",
        description=interface_description(load_balancer),
        subnets=load_balancer.subnets,
        group_ids=load_balancer.security_groups or [],
    )


@wrap(ELBv2Backend, "delete_load_balancer")
def _delete(original: Any, self: ELBv2Backend, arn: str) -> None:
    load_balancer = self.load_balancers.get(arn)
    if load_balancer is None:
        return
    if str(load_balancer.attrs.get("deletion_protection.enabled")).lower() == "true":
        message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        raise fault("OperationNotPermitted", message)
    original(self, arn)
    for group in self.target_groups.values():
        group.load_balancer_arns = [held for held in group.load_balancer_arns if held != arn]
    self.tagging_service.delete_all_tags_for_resource(arn)
    events.emit("load-balancer-deleted", region=self.region_name, load_balancer=load_balancer)
    run_later(INTERFACES_STAY_SECONDS, lambda: _drop_interfaces(self, load_balancer))


def _drop_interfaces(backend: ELBv2Backend, load_balancer: FakeLoadBalancer) -> None:
    description = interface_description(load_balancer)
    held_interfaces.drop(backend.ec2_backend, "amazon-elb", description)


@wrap(ELBv2Backend, "describe_load_balancers")
def _describe(
    original: Any, self: ELBv2Backend, arns: list[str] | None, names: list[str] | None
) -> list[FakeLoadBalancer]:
    found = list(self.load_balancers.values())
    if arns:
        found = [lb for lb in found if lb.arn in arns]
    if names:
        found = [lb for lb in found if lb.name in names]
    if len(found) < len(set(arns or [])) or len(found) < len(set(names or [])):
        raise LoadBalancerNotFoundError()
    return found


@wrap(ELBv2Backend, "set_security_groups")
def _groups(original: Any, self: ELBv2Backend, arn: str, *args: Any, **kwargs: Any) -> Any:
    result = original(self, arn, *args, **kwargs)
    sync_interfaces(self, self.load_balancers[arn])
    return result


@wrap(ELBv2Backend, "set_subnets")
def _subnets(original: Any, self: ELBv2Backend, arn: str, *args: Any, **kwargs: Any) -> Any:
    result = original(self, arn, *args, **kwargs)
    sync_interfaces(self, self.load_balancers[arn])
    return result
