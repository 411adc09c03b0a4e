"""What the parts of the data plane share, for one run of the emulator."""

from __future__ import annotations

import shutil
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from . import processes
from .addresses import Addresses
from .certificates import Authority


@dataclass
class Context:
    """Directories, addresses and the certificate authority of this run."""

    directory: Path
    addresses: Addresses
    authority: Authority
    endpoint_url: str

    def make_directory(self, kind: str, resource: str) -> Path:
        """A fresh directory for one resource."""
        path = self.directory / kind / resource
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True, mode=0o700)
        return path


_current: Context | None = None


def current() -> Context:
    """The running data plane's context."""
    if _current is None:
        raise RuntimeError("the data plane has not been started")
    return _current


def running() -> bool:
    return _current is not None


def open_context(args: Namespace) -> Context:
    """Prepare the state directory; what an earlier run left in it ends and goes."""
    global _current
    root = Path(args.state_dir).resolve()
    root.mkdir(parents=True, exist_ok=True)
    processes.open_register(root / "processes.json")
    directory = root / "dataplane"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    _current = Context(
        directory=directory,
        addresses=Addresses(args.subnet),
        authority=Authority(directory / "authority"),
        endpoint_url=f"http://{args.host}:{args.port}",
    )
    return _current


def close_context() -> None:
    """End every process and remove what they wrote."""
    global _current
    processes.close()
    if _current is not None:
        _current.addresses.close()
        shutil.rmtree(_current.directory, ignore_errors=True)
        _current = None
