"""NAT gateways: `pending`, `available`, `deleting`, `deleted`, and `failed` when AWS would."""

from typing import Any

from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend

from .lifecycle import fault, phases_of, run_later
from .patching import prop, wrap

PENDING_SECONDS = 100
DELETING_SECONDS = 60


@prop(NatGateway, "state")
def _state(self: NatGateway) -> str:
    return phases_of(self).current


@wrap(NatGateway, "__init__")
def _init(original: Any, self: NatGateway, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    phases_of(self).begin("pending", PENDING_SECONDS)
    self._eni.description = f"Interface for NAT Gateway {self.id}"
    self._eni.interface_type = "nat_gateway"
    self._eni.held_by = "amazon-aws"
    self._eni.requester_managed = True
    self._eni.status = "in-use"


@wrap(NatGatewayBackend, "create_nat_gateway")
def _create(
    original: Any,
    self: Any,
    subnet_id: str,
    allocation_id: str,
    tags: dict[str, str] | None = None,
    connectivity_type: str = "public",
) -> NatGateway:
    connectivity_type = connectivity_type or "public"
    self.get_subnet(subnet_id)
    reason = None
    if connectivity_type == "public":
        address = self.address_by_allocation([allocation_id])[0]
        reason = _failure(self, subnet_id, address)
    # A gateway that will fail never holds the address.
    gateway = original(self, subnet_id, None if reason else allocation_id, tags, connectivity_type)
    if reason:
        gateway.address_set[0]["allocationId"] = allocation_id
        gateway.failure_code, gateway.failure_message = reason
        phases_of(gateway).rest = "failed"
        run_later(PENDING_SECONDS, lambda: _drop_interface(self, gateway))
    return gateway


def _failure(backend: Any, subnet_id: str, address: Any) -> tuple[str, str] | None:
    vpc_id = backend.get_subnet(subnet_id).vpc_id
    attached = any(
        gateway.vpc and gateway.vpc.id == vpc_id for gateway in backend.internet_gateways.values()
    )
    if not attached:
        message = f"Network {vpc_id} has no Internet gateway attached"
        return "Gateway.NotAttached", message
    if address.association_id or address.eni:
        message = f"Elastic IP address [{address.allocation_id}] is already associated"
        return "Resource.AlreadyAssociated", message
    return None


def _drop_interface(backend: Any, gateway: NatGateway) -> None:
    interface = backend.enis.pop(gateway._eni.id, None)
    if interface is not None:
        interface.subnet.del_subnet_ip(interface.private_ip_address)


@wrap(NatGatewayBackend, "delete_nat_gateway")
def _delete(original: Any, self: Any, nat_gateway_id: str) -> NatGateway:
    gateway = self.nat_gateways.get(nat_gateway_id)
    if gateway is None or gateway.state == "deleted":
        message = f"NatGateway {nat_gateway_id} was not found"
        raise fault("NatGatewayNotFound", message)
    if gateway.state != "deleting":
        phases = phases_of(gateway)
        phases.rest = "deleted"
        phases.begin("deleting", DELETING_SECONDS, replace=True)
        run_later(DELETING_SECONDS, lambda: _gone(self, gateway))
    return gateway


def _gone(backend: Any, gateway: NatGateway) -> None:
    for address in backend.addresses:
        if address.eni is gateway._eni:
            address.eni = address.association_id = None
    _drop_interface(backend, gateway)


@wrap(NatGatewayBackend, "describe_nat_gateways")
def _describe(original: Any, self: Any, filters: Any, nat_gateway_ids: list[str] | None) -> list:
    filters = dict(filters or {})
    tags = {key: filters.pop(key) for key in list(filters) if key.startswith("tag")}
    found = original(self, filters, nat_gateway_ids)
    if nat_gateway_ids and len(found) != len(set(nat_gateway_ids)):
        missing = set(nat_gateway_ids) - {gateway.id for gateway in found}
        message = f"NatGateway {', '.join(sorted(missing))} was not found"
        raise fault("NatGatewayNotFound", message)
    for name, values in tags.items():
        found = [gateway for gateway in found if _has_tag(gateway, name, values)]
    return found


def _has_tag(gateway: NatGateway, name: str, values: list[str]) -> bool:
    tags = {tag["key"]: tag["value"] for tag in gateway.get_tags()}
    if name == "tag-key":
        return any(value in tags for value in values)
    return tags.get(name.removeprefix("tag:")) in values
