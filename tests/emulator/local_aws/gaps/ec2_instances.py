"""Instances: timed states, templates honoured in full, interfaces and volumes that go with them."""

from functools import cache
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import convert_tag_spec
from moto.ssm.models import ParameterDict

from . import events
from .iam import profile_problem
from .lifecycle import Deadline, fault, run_later
from .patching import wrap

PENDING_SECONDS = 10
SHUTTING_DOWN_SECONDS = 30
STOPPING_SECONDS = 20
AMI_PREFIX = "/aws/service/ami-amazon-linux-latest/"


class TimedState(InstanceState):
    """A state that says something else until a deadline."""

    def __init__(self, name: str, code: int) -> None:
        self._passing: tuple[str, int, Deadline] | None = None
        super().__init__(name, code)

    def pass_through(self, name: str, code: int, seconds: float) -> None:
        self._passing = (name, code, Deadline(seconds))

    def _is_passing(self) -> bool:
        if self._passing and self._passing[2].passed:
            self._passing = None
        return self._passing is not None

    @property
    def name(self) -> str:
        return self._passing[0] if self._is_passing() else self._name

    @name.setter
    def name(self, value: str) -> None:
        self._passing, self._name = None, value

    @property
    def code(self) -> int:
        return self._passing[1] if self._is_passing() else self._code

    @code.setter
    def code(self, value: int) -> None:
        self._passing, self._code = None, value


@wrap(InstanceBackend, "run_instances")
def _run(original: Any, self: Any, image_id: str, count: int, *args: Any, **kwargs: Any) -> Any:
    template = kwargs.get("launch_template")
    data = self._get_template_from_args(template).data if template else {}
    _take_template(kwargs, data)
    self.describe_images(ami_ids=[image_id or data.get("ImageId")])
    _check_offer(self, kwargs, data)
    kwargs["tags"] = _merged_tags(data, kwargs.get("tags") or {})
    reservation = original(self, image_id, count, *args, **kwargs)
    for instance in reservation.instances:
        _settle(self, instance, data, kwargs)
        events.emit("instance-launched", region=self.region_name, instance=instance)
    return reservation


@cache
def _offered(region: str) -> frozenset[tuple[str, str]]:
    """(instance type, zone) of everything that EC2 has in a region."""
    offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
    return frozenset((offer["InstanceType"], offer["Location"]) for offer in offers)


def _check_offer(backend: Any, kwargs: dict[str, Any], data: dict[str, Any]) -> None:
    wanted = kwargs.get("instance_type")
    if kwargs.get("is_instance_type_default"):
        wanted = data.get("InstanceType") or wanted
    if wanted and wanted not in INSTANCE_TYPES:
        message = f"Invalid value '{wanted}' for InstanceType."
        raise fault("InvalidParameterValue", message)
    subnet_id = kwargs.get("subnet_id")
    zone = backend.get_subnet(subnet_id).availability_zone if subnet_id else None
    offered = _offered(backend.region_name)
    if wanted and zone and offered and (wanted, zone) not in offered:
        message = (
            f"Your requested instance type ({wanted}) is not supported in your requested "
            f"Availability Zone ({zone})."
        )
        raise fault("Unsupported", message)


def _take_template(kwargs: dict[str, Any], data: dict[str, Any]) -> None:
    if not kwargs.get("metadata_options") and data.get("MetadataOptions"):
        kwargs["metadata_options"] = data["MetadataOptions"]
    if data.get("Monitoring", {}).get("Enabled"):
        kwargs["monitoring_state"] = "enabled"
    # A subnet decides about public addresses where nobody else does.
    if kwargs.get("subnet_id") and not kwargs.get("associate_public_ip"):
        kwargs["associate_public_ip"] = None


def _merged_tags(data: dict[str, Any], given: dict[str, Any]) -> dict[str, dict[str, str]]:
    merged = {kind: dict(tags) for kind, tags in given.items()}
    for kind, tags in convert_tag_spec(data.get("TagSpecifications", [])).items():
        merged[kind] = {**tags, **merged.get(kind, {})}
    return merged


def _settle(backend: Any, instance: Instance, data: dict[str, Any], kwargs: Any) -> None:
    instance._state = TimedState("running", 16)
    instance._state.pass_through("pending", 0, PENDING_SECONDS)
    if len(instance.block_device_mapping) > 1:
        _drop_default_volume(backend, instance, data)
    for nic in instance.nics.values():
        nic.delete_on_termination = True
        nic.add_tags(kwargs["tags"].get("network-interface", {}))
    spec = data.get("IamInstanceProfile")
    if spec and not (kwargs.get("iam_instance_profile_name") or kwargs.get("iam_instance_profile_arn")):
        backend.associate_iam_instance_profile(
            instance_id=instance.id,
            iam_instance_profile_name=spec.get("Name"),
            iam_instance_profile_arn=spec.get("Arn"),
        )


def _drop_default_volume(backend: Any, instance: Instance, data: dict[str, Any]) -> None:
    # moto adds its own root volume besides the one that the template describes.
    described = {item["DeviceName"] for item in data.get("BlockDeviceMappings", [])}
    if "/dev/sda1" in described or "/dev/sda1" not in instance.block_device_mapping:
        return
    volume_id = instance.block_device_mapping["/dev/sda1"].volume_id
    backend.detach_volume(volume_id, instance.id, "/dev/sda1")
    backend.delete_volume(volume_id)


@wrap(Instance, "terminate")
def _terminate(original: Any, self: Instance) -> InstanceState:
    if self.state in ("terminated", "shutting-down"):
        return InstanceState(self.state, self.state_code)
    events.emit("instance-terminating", region=self.region_name, instance=self)
    nics = [nic for nic in self.nics.values() if nic.delete_on_termination]
    for nic in nics:
        nic.delete_on_termination = False
    previous = InstanceState(self.state, self.state_code)
    original(self)
    if isinstance(self._state, TimedState):
        self._state.pass_through("shutting-down", 32, SHUTTING_DOWN_SECONDS)
    run_later(SHUTTING_DOWN_SECONDS, lambda: _drop_interfaces(self, nics))
    return previous


def _drop_interfaces(instance: Instance, nics: list[Any]) -> None:
    for nic in nics:
        for address in instance.ec2_backend.addresses:
            if address.eni is nic:
                address.eni = address.instance = address.association_id = None
        if nic.id in instance.ec2_backend.enis:
            nic.delete()


@wrap(Instance, "stop")
def _stop(original: Any, self: Instance) -> InstanceState:
    previous = original(self)
    if isinstance(self._state, TimedState):
        self._state.pass_through("stopping", 64, STOPPING_SECONDS)
    events.emit("instance-stopped", region=self.region_name, instance=self)
    return InstanceState(previous.name, previous.code)


@wrap(Instance, "start")
def _start(original: Any, self: Instance) -> InstanceState:
    previous = original(self)
    if isinstance(self._state, TimedState):
        self._state.pass_through("pending", 0, PENDING_SECONDS)
    events.emit("instance-started", region=self.region_name, instance=self)
    return InstanceState(previous.name, previous.code)


@wrap(Instance, "reboot")
def _reboot(original: Any, self: Instance) -> None:
    original(self)
    events.emit("instance-rebooting", region=self.region_name, instance=self)


@wrap(InstanceResponse, "run_instances")
def _run_response(original: Any, self: InstanceResponse) -> ActionResult:
    spec = self._get_param("IamInstanceProfile", {})
    template = self._get_param("LaunchTemplate", {})
    if not spec and template:
        spec = self.ec2_backend._get_template_from_args(template).data.get("IamInstanceProfile")
    image_id = self._get_param("ImageId")
    if image_id:
        self.ec2_backend.describe_images(ami_ids=[image_id])
    if spec:
        problem = profile_problem(self.current_account, self.partition, spec)
        if problem:
            raise fault("InvalidParameterValue", problem)
    return original(self)


@wrap(ParameterDict, "_load_latest_amis")
def _load_amis(original: Any, self: ParameterDict) -> None:
    original(self)
    _make_ami_parameters_launchable(self)


def _make_ami_parameters_launchable(parameters: ParameterDict) -> None:
    """Every image that SSM names can be launched in EC2."""
    from moto.ec2.models import ec2_backends
    from moto.ec2.models.amis import Ami

    backend = ec2_backends[parameters.account_id][parameters.region_name]
    for name in list(parameters):
        if not name.startswith(AMI_PREFIX):
            continue
        image_id = dict.__getitem__(parameters, name)[-1].value
        arm = name.endswith("arm64")
        if image_id in backend.amis:
            continue
        backend.amis[image_id] = Ami(
            backend,
            image_id,
            name=name.removeprefix(AMI_PREFIX),
            owner_id="137112412989",
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture="arm64" if arm else "x86_64",
            root_device_type="ebs",
            root_device_name="/dev/xvda",
        )
