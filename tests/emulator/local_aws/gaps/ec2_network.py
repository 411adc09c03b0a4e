"""VPCs that take their own with them; interfaces nobody holds any more; addresses."""

from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.instances import InstanceResponse

from .lifecycle import fault, phases_of
from .patching import wrap

ENDPOINT_PENDING_SECONDS = 5


@wrap(VPCBackend, "delete_vpc")
def _delete_vpc(original: Any, self: Any, vpc_id: str) -> Any:
    self.get_vpc(vpc_id)
    holders = [
        eni for eni in self.enis.values() if eni.subnet.vpc_id == vpc_id and eni.attachment
    ]
    groups = [g for g in self.groups.get(vpc_id, {}).values() if g.name != "default"]
    attached = [g for g in self.internet_gateways.values() if g.vpc and g.vpc.id == vpc_id]
    endpoints = [
        e
        for e in self.vpc_end_points.values()
        if e.vpc_id == vpc_id and e.state not in ("deleted", "deleting")
    ]
    acls = [a for a in self.network_acls.values() if a.vpc_id == vpc_id]
    custom = [acl for acl in acls if str(acl.default).lower() != "true"]
    if holders or groups or attached or endpoints or custom:
        # What moto checks itself (subnets, route tables) it says in the same words.
        message = f"The vpc '{vpc_id}' has dependencies and cannot be deleted."
        raise fault("DependencyViolation", message)
    vpc = original(self, vpc_id)
    for acl in acls:
        self.network_acls.pop(acl.id, None)
        self.tags.pop(acl.id, None)
    for eni in [e for e in self.enis.values() if e.subnet.vpc_id == vpc_id]:
        self.enis.pop(eni.id, None)
    for endpoint in [e for e in self.vpc_end_points.values() if e.vpc_id == vpc_id]:
        self.vpc_end_points.pop(endpoint.id, None)
    return vpc


@wrap(VPCBackend, "create_vpc_endpoint")
def _create_endpoint(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    endpoint = original(self, *args, **kwargs)
    phases_of(endpoint).begin("pending", ENDPOINT_PENDING_SECONDS)
    return endpoint


@wrap(VPCBackend, "modify_vpc_endpoint")
def _modify_endpoint(original: Any, self: Any, vpc_id: str, *args: Any, **kwargs: Any) -> None:
    """The routes of a gateway endpoint follow its route tables (moto calls the endpoint's id `vpc_id`)."""
    endpoint = self.get_vpc_end_point(vpc_id)
    before = set(endpoint.route_table_ids or [])
    original(self, vpc_id, *args, **kwargs)
    prefix_list = endpoint.destination_prefix_list_id
    if not prefix_list:
        return
    after = set(endpoint.route_table_ids or [])
    for table in after - before:
        self.create_route(
            table, None, gateway_id=endpoint.id, destination_prefix_list_id=prefix_list
        )
    for table in before - after:
        self.delete_route(table, prefix_list)


@wrap(VPCBackend, "delete_vpc_endpoints")
def _delete_endpoints(original: Any, self: Any, vpce_ids: list[str] | None = None) -> None:
    held = [self.vpc_end_points[i] for i in vpce_ids or [] if i in self.vpc_end_points]
    original(self, vpce_ids)
    for endpoint in held:
        self.vpc_end_points.pop(endpoint.id, None)


@wrap(NetworkInterfaceBackend, "delete_network_interface")
def _delete_interface(original: Any, self: Any, eni_id: str) -> None:
    eni = self.enis.get(eni_id)
    original(self, eni_id)
    for address in self.addresses:
        if address.eni is eni:
            address.eni = address.association_id = None


@wrap(InstanceResponse, "describe_instance_type_offerings")
def _offerings(original: Any, self: InstanceResponse) -> Any:
    kind = self._get_param("LocationType") or "region"
    if self.region not in INSTANCE_TYPE_OFFERINGS.get(kind, {}):
        message = f"Could not find instance type offerings of {kind} in {self.region}"
        raise fault("InvalidParameterValue", message)
    return original(self)
