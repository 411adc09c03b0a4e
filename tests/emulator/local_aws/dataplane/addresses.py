"""A loopback address for everything that has a name in AWS.

Each emulator claims a /24 inside its range; the claim is an abstract socket, which the kernel drops with the
process, so several emulators run side by side and a crash leaves no claim behind.
"""

from __future__ import annotations

import ipaddress
import socket
import threading

_BLOCK_PREFIX = 24


class NoAddresses(Exception):
    """The range is used up."""


class Addresses:
    """Hands out addresses by key: the same key gets the same address until it is released."""

    def __init__(self, subnet: ipaddress.IPv4Network) -> None:
        self._subnet = subnet
        self._claims: list[socket.socket] = []
        self._free: list[str] = []
        self._given: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, *key: str) -> str:
        """The address of what `key` names."""
        name = "/".join(key)
        with self._lock:
            address = self._given.get(name)
            if address is None:
                if not self._free:
                    self._free = self._claim_block()
                address = self._given[name] = self._free.pop(0)
            return address

    def release(self, *key: str) -> None:
        """Back to the pool, to be used again last."""
        with self._lock:
            address = self._given.pop("/".join(key), None)
            if address is not None:
                self._free.append(address)

    def close(self) -> None:
        for claim in self._claims:
            claim.close()
        self._claims.clear()

    def _claim_block(self) -> list[str]:
        prefix = max(_BLOCK_PREFIX, self._subnet.prefixlen)
        for block in self._subnet.subnets(new_prefix=prefix):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f"\0local-aws/{block.network_address}")
            except OSError:
                claim.close()
                continue
            self._claims.append(claim)
            return [str(host) for host in block.hosts()]
        raise NoAddresses(f"no free addresses in {self._subnet}; give another range with --subnet")
