"""The instance metadata service, version 2 only: one listener an instance, on the instance's own address."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 1338
MAX_TTL_SECONDS = 21600

#: What there is to read, as nested names: a dict is a directory, None is not there.
Tree = dict[str, Any]


class MetadataServer:
    """Serves what `tree` returns at the time of each request."""

    def __init__(self, address: str, tree: Callable[[], Tree]) -> None:
        self.url = f"http://{address}:{PORT}"
        self._tokens: dict[str, float] = {}
        server = self

        class Handler(_Handler):
            service = server

        self._http = _Server((address, PORT), Handler)
        self._tree = tree
        threading.Thread(target=self._http.serve_forever, name=f"imds {address}", daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def new_token(self, seconds: int) -> str:
        token = secrets.token_urlsafe(40)
        now = time.monotonic()
        self._tokens = {held: until for held, until in self._tokens.items() if until > now}
        self._tokens[token] = now + seconds
        return token

    def accepts(self, token: str | None) -> bool:
        return self._tokens.get(token or "", 0) > time.monotonic()

    def read(self, path: str) -> str | None:
        """The text at /latest/...: a value, or the names in a directory."""
        parts = [part for part in path.split("/") if part]
        if not parts or parts[0] not in ("latest", "2021-07-15", "2009-04-04"):
            return None
        held: Any = self._tree()
        for part in parts[1:]:
            held = held.get(part) if isinstance(held, dict) else None
        if isinstance(held, dict):
            names = [f"{name}/" if isinstance(value, dict) else name for name, value in held.items() if value is not None]
            return "\n".join(names)
        return None if held is None else str(held)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32


class _Handler(BaseHTTPRequestHandler):
    service: MetadataServer
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        if self.path.rstrip("/") != "/latest/api/token":
            return self._send(404, "Not Found")
        if self.headers.get("X-Forwarded-For"):
            return self._send(403, "Forbidden")
        text = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if not text.isdigit() or not 1 <= int(text) <= MAX_TTL_SECONDS:
            return self._send(400, "Bad Request")
        extra = {"X-aws-ec2-metadata-token-ttl-seconds": text}
        return self._send(200, self.service.new_token(int(text)), extra)

    def do_GET(self) -> None:
        if not self.service.accepts(self.headers.get("X-aws-ec2-metadata-token")):
            return self._send(401, "Unauthorized")
        text = self.service.read(self.path.partition("?")[0])
        return self._send(404, "Not Found") if text is None else self._send(200, text)

    def _send(self, status: int, text: str, extra: dict[str, str] | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
