"""Network interfaces that a service holds in the user's subnets: load balancers, RDS, ElastiCache.

They keep the subnets, groups and the VPC from being deleted, as on AWS.
"""

from collections.abc import Iterable
from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterface

from .patching import wrap


class ServiceAttachment:
    """An interface held by a service, not by an instance."""

    def __init__(self, eni: NetworkInterface, owner: str) -> None:
        self.attachment_id = f"ela-attach-{eni.id[4:]}"
        self.delete_on_termination = False
        self.device_index = 1
        self.instance_owner_id = owner
        self.status = "attached"


_moto_attachment = NetworkInterface.attachment


def _attachment(self: NetworkInterface) -> Any:
    owner = getattr(self, "held_by", None)
    if owner:
        return ServiceAttachment(self, owner)
    return _moto_attachment.fget(self) if self.instance is not None else None


NetworkInterface.attachment = property(_attachment)


@wrap(NetworkInterface, "get_filter_value")
def _filter(original: Any, self: NetworkInterface, name: str, method: Any = None) -> Any:
    if name == "attachment.instance-owner-id":
        attachment = self.attachment
        return attachment.instance_owner_id if attachment else ""
    if name in ("requester-id", "status", "interface-type", "owner-id"):
        return str(getattr(self, name.replace("-", "_")))
    if name == "requester-managed":
        return self.requester_managed
    if name == "association.allocation-id":
        return self.association.get("allocationId") or ""
    return original(self, name, method)


def held(ec2: Any, owner: str, description: str, holder: str | None = None) -> list[Any]:
    """The interfaces that a service holds under this description (for this holder)."""
    return [
        eni
        for eni in ec2.enis.values()
        if getattr(eni, "held_by", None) == owner
        and eni.description == description
        and holder in (None, getattr(eni, "holder", None))
    ]


def sync(
    ec2: Any,
    *,
    owner: str,
    description: str,
    subnets: Iterable[Any],
    group_ids: list[str],
    holder: str | None = None,
) -> None:
    """Makes the held interfaces be one in each of `subnets`, in `group_ids`."""
    wanted = {subnet.id: subnet for subnet in subnets}
    present = {eni.subnet.id: eni for eni in held(ec2, owner, description, holder)}
    for subnet_id, eni in present.items():
        if subnet_id not in wanted:
            eni.delete()
    groups = [ec2.get_security_group_from_id(group_id) for group_id in group_ids]
    for subnet_id, subnet in wanted.items():
        eni = present.get(subnet_id) or _make(ec2, owner, description, subnet, holder)
        eni._group_set = [group for group in groups if group]


def _make(ec2: Any, owner: str, description: str, subnet: Any, holder: str | None) -> Any:
    address = subnet.get_available_subnet_ip(instance=None)
    eni = ec2.create_network_interface(subnet, address, description=description)
    eni.held_by = eni.requester_id = owner
    eni.holder = holder
    eni.requester_managed = True
    eni.status = "in-use"
    return eni


def drop(ec2: Any, owner: str, description: str, holder: str | None = None) -> None:
    """Deletes them."""
    for eni in held(ec2, owner, description, holder):
        eni.delete()
