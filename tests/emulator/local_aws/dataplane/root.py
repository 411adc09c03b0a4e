"""The private root of an instance: bubblewrap around directories of its own.

Of the host it sees /usr, the certificates that /etc/ssl/certs holds, and the Python environment that has the AWS
CLI, all read-only; it has no capabilities, its own process numbers and host name, and shares the loopback network.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .processes import ProcessError

GUEST = Path(__file__).parent / "guest"
INSIDE = "/run/local-aws"
PATH = f"{INSIDE}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
CLOUD = "var/lib/cloud/instance"
_OWN = ("etc", "opt", "var", "tmp", "home", "root", "srv")
_HOST_FILES = (
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
_ACCOUNTS = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"


@dataclass
class Root:
    """One instance's directories."""

    directory: Path
    hostname: str

    @property
    def console(self) -> Path:
        return self.directory / "console.log"

    @property
    def files(self) -> Path:
        return self.directory / "root"

    def make(self, user_data: bytes) -> None:
        """Lay out the directories; the user data goes where cloud-init keeps it."""
        for name in _OWN:
            (self.files / name).mkdir(parents=True, exist_ok=True)
        (self.files / "tmp").chmod(0o1777)
        for name in ("var/log", "var/tmp", "var/lib", "var/cache", "etc/systemd/system", "etc/ssl/certs", CLOUD):
            (self.files / name).mkdir(parents=True, exist_ok=True)
        etc = self.files / "etc"
        (etc / "passwd").write_text(_ACCOUNTS)
        (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost {self.hostname}\n")
        (etc / "hostname").write_text(self.hostname + "\n")
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
        (etc / "os-release").symlink_to("/usr/lib/os-release")
        script = self.files / CLOUD / "user-data.txt"
        script.write_bytes(user_data)
        script.chmod(0o700)
        self._make_commands()

    def _make_commands(self) -> None:
        commands = self.directory / "bin"
        commands.mkdir()
        systemctl = commands / "systemctl"
        systemctl.write_text(f'#!/bin/sh\nexec {sys.executable} -I {INSIDE}/guest/systemctl.py "$@"\n')
        systemctl.chmod(0o755)
        (commands / "aws").symlink_to(aws_cli())

    def command(self, environment: Mapping[str, str], status_fd: int, authority: Path) -> list[str]:
        """The bwrap call whose PID 1 is the instance's init."""
        arguments = [
            *_isolation(self.hostname),
            "--json-status-fd",
            str(status_fd),
        ]
        for name in _OWN:
            arguments += ["--bind", str(self.files / name), f"/{name}"]
        for path in _HOST_FILES:
            arguments += ["--ro-bind-try", path, path]
        arguments += ["--tmpfs", "/run"]
        arguments += ["--ro-bind", str(self.directory / "bin"), f"{INSIDE}/bin"]
        arguments += ["--ro-bind", str(GUEST), f"{INSIDE}/guest"]
        arguments += ["--ro-bind", str(authority), f"{INSIDE}/ca.pem"]
        for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
            if not prefix.startswith("/usr/") and prefix != "/usr":
                arguments += ["--ro-bind", prefix, prefix]
        arguments += ["--remount-ro", "/", "--clearenv"]
        values = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        for name, value in {**values, **environment}.items():
            arguments += ["--setenv", name, value]
        return ["bwrap", *arguments, "--", sys.executable, "-I", f"{INSIDE}/guest/init.py"]

    def console_text(self, size: int = 65536) -> bytes:
        """The last 64 KB, as GetConsoleOutput has it."""
        return self.console.read_bytes()[-size:] if self.console.exists() else b""

    def units(self) -> list[dict[str, object]]:
        """The services that init knows: unit, state, pid (inside)."""
        try:
            return json.loads((self.files / CLOUD / "units.json").read_text())
        except (OSError, ValueError):
            return []

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.directory.exists():
            # A directory without write permission stops a user who is not root.
            for path, _, _ in os.walk(self.directory):
                os.chmod(path, stat.S_IRWXU)
            shutil.rmtree(self.directory, ignore_errors=True)


def aws_cli() -> Path:
    """The AWS CLI of the Python environment that runs the emulator."""
    path = Path(sys.prefix) / "bin" / "aws"
    if not path.exists():
        raise ProcessError(f"no AWS CLI at {path}: install tests/emulator/requirements.txt there")
    return path


def _isolation(hostname: str) -> list[str]:
    arguments = (
        "--unshare-user --uid 0 --gid 0 --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try"
        " --die-with-parent --as-pid-1 --cap-drop ALL --proc /proc --dev /dev --ro-bind /usr /usr --chdir /"
    ).split()
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/") / name
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path).lstrip("/"), f"/{name}"]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    return [*arguments, "--hostname", hostname]


def check() -> str | None:
    """Why private roots cannot be made here; None where they can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    done = subprocess.run(
        ["bwrap", *_isolation("probe"), "--", "/bin/true"], capture_output=True, text=True
    )
    return None if done.returncode == 0 else f"bubblewrap: {done.stderr.strip()}"
