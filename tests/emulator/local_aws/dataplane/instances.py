"""EC2 instances: each boots its own user data in a private root."""

from __future__ import annotations

import base64
import datetime
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from local_aws import clock
from local_aws.gaps import edge, events
from local_aws.hooks import AwsError, Request, instead

from . import context, metadata, processes, root
from .imds import MetadataServer
from .lanes import Lane
from .processes import Process
from .root import Root

#: From the launch until user data runs, in AWS seconds.
BOOT_SECONDS = 15
#: What a shutting-down operating system gives its services; real seconds.
SHUTDOWN_SECONDS = 30.0
STATUS_SECONDS = 10.0

_instances: dict[str, Instance] = {}
#: Why instances cannot be run here, if they cannot.
_problem: str | None = None


class Instance:
    """One instance: address, metadata service, root, and the process that holds it together."""

    def __init__(self, region: str, instance: Any) -> None:
        self.region, self.id, self.moto = region, instance.id, instance
        here = context.current()
        self.address = here.addresses.of("ec2", region, instance.id)
        self.user_data = metadata.user_data(instance)
        hostname = f"ip-{self.address.replace('.', '-')}"
        self.root = Root(here.make_directory("ec2", self.id), hostname)
        self.lane = Lane(f"instance {self.id}")
        self.gone = False
        #: its host broke down: what EC2's status checks would report
        self.failed = False
        self.process: Process | None = None
        self._init_pid: int | None = None
        self._imds: MetadataServer | None = None

    def launch(self) -> None:
        """The first boot."""
        time.sleep(clock.due(BOOT_SECONDS))
        if self.gone or not self.user_data:
            return
        self.root.make(self.user_data)
        self.boot()

    def boot(self) -> None:
        if self.gone or self.process is not None or not self.root.files.exists():
            return
        here = context.current()
        if self._imds is None:
            self._imds = MetadataServer(self.address, lambda: metadata.of_instance(self.moto))
        environment = {
            "AWS_ENDPOINT_URL": here.endpoint_url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self._imds.url,
            "GAME_CA_FILE": f"{root.INSIDE}/ca.pem",
            # A service that is given a distribution's address gets the one that answers here.
            "LOCAL_AWS_ADDRESSES": json.dumps(edge.addresses(here.endpoint_url)),
        }
        reader, writer = os.pipe()
        try:
            self.process = processes.start(
                "instance",
                self.id,
                self.root.command(environment, writer, here.authority.file),
                address=self.address,
                log=self.root.console,
                cwd=self.root.directory,
                pass_fds=(writer,),
                on_death=self._died,
            )
        finally:
            os.close(writer)
        self.process.inside = self._services
        self.process.soft_signal = lambda number: self._signal_init(number)
        self._init_pid = _child_pid(reader)

    def _signal_init(self, number: int) -> None:
        # Only init: bwrap would die of it, and take all with it at once.
        if self._init_pid:
            try:
                os.kill(self._init_pid, number)
            except ProcessLookupError:
                pass

    def shut_down(self) -> None:
        """SIGTERM to init, which stops the services; SIGKILL after a grace."""
        if self.process is not None:
            self.process.end(grace=SHUTDOWN_SECONDS)
            self.process = None

    def reboot(self) -> None:
        self.shut_down()
        self.boot()

    def terminate(self) -> None:
        self.gone = True
        self.shut_down()
        if self._imds is not None:
            self._imds.close()
        self.root.remove()
        context.current().addresses.release("ec2", self.region, self.id)
        self.lane.close()

    def _died(self, process: Process) -> None:
        # A failed host: the instance stays where it is, not answering, until somebody replaces it.
        if self.process is process:
            self.process, self.failed = None, True
        print(f"local AWS: instance {self.id} died: {process.tail(500)}", file=sys.stderr)

    def _services(self) -> list[dict[str, Any]]:
        """The main process of each unit, by its number on the host."""
        if self.process is None:
            return []
        inside = {str(unit["pid"]): unit for unit in self.root.units() if unit["pid"]}
        rows = []
        for pid, number in _descendants(self.process.pid).items():
            if unit := inside.get(number):
                resource = f"{self.id}/{unit['unit']}"
                row = {"kind": "service", "resource": resource, "address": self.address}
                rows.append({**row, "port": None, "pid": pid})
        return rows


def _child_pid(reader: int) -> int | None:
    """bwrap's word on the host's number of the instance's PID 1."""
    with os.fdopen(reader, "rb") as status:
        line = status.readline()
    return json.loads(line).get("child-pid") if line.strip() else None


def _descendants(top: int) -> dict[int, str]:
    """Processes below `top`: host pid -> pid in its innermost namespace."""
    parents: dict[int, int] = {}
    numbers: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        pid = int(fields["Pid"])
        parents[pid], numbers[pid] = int(fields["PPid"]), fields["NSpid"].split()[-1]
    found: dict[int, str] = {}
    edge = {top}
    while edge:
        edge = {pid for pid, parent in parents.items() if parent in edge and pid not in found}
        found.update({pid: numbers[pid] for pid in edge})
    return found


def find(instance_id: str) -> Instance | None:
    return _instances.get(instance_id)


def _launched(region: str, instance: Any) -> None:
    made = Instance(region, instance)
    _take_address(instance, made.address)
    _instances[instance.id] = made
    if _problem is None:
        made.lane.put(made.launch)
    elif made.user_data:
        print(f"local AWS: instance {instance.id} does not boot: {_problem}", file=sys.stderr)


def _take_address(instance: Any, address: str) -> None:
    """Its interface has the loopback address in place of one from the subnet."""
    nic = instance.nics[0]
    before = nic.private_ip_address
    nic.private_ip_address = address
    for held in nic.private_ip_addresses:
        if held.get("PrivateIpAddress") == before:
            held["PrivateIpAddress"] = address
    if nic.public_ip:
        nic.public_ip = address


def _terminating(region: str, instance: Any) -> None:
    held = _instances.pop(instance.id, None)
    if held is not None:
        held.gone = True
        held.lane.put(held.terminate)


def _on_lane(method: str) -> Any:
    def subscriber(region: str, instance: Any) -> None:
        if held := find(instance.id):
            held.lane.put(getattr(held, method))

    return subscriber


@instead("ec2", "GetConsoleOutput")
def _console(req: Request) -> dict[str, Any]:
    instance_id = req.params["InstanceId"]
    held = find(instance_id)
    if held is None:
        message = f"The instance ID '{instance_id}' does not exist"
        raise AwsError("InvalidInstanceID.NotFound", message)
    text = base64.b64encode(held.root.console_text()).decode()
    now = datetime.datetime.now(datetime.UTC)
    return {"InstanceId": instance_id, "Output": text, "Timestamp": now}


def open_instances() -> None:
    global _problem
    _instances.clear()
    _problem = root.check()
    if _problem:
        print(f"local AWS: instances will not boot: {_problem}", file=sys.stderr)


events.on("instance-launched", _launched)
events.on("instance-terminating", _terminating)
events.on("instance-rebooting", _on_lane("reboot"))
events.on("instance-stopped", _on_lane("shut_down"))
events.on("instance-started", _on_lane("boot"))
