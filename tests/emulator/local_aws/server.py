"""The HTTP server: a thread a connection, quiet, loopback only."""

from __future__ import annotations

import os
import threading
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server


class _Handler(MotoRequestHandler):
    """moto's handler keeps odd metadata header names; this one also keeps quiet."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def run_wsgi(self) -> None:
        try:
            super().run_wsgi()
        except ConnectionError:
            self.close_connection = True


def listen(host: str, port: int, app: Any) -> BaseWSGIServer:
    """Bind, without serving yet. Port 0 takes a free one."""
    server = make_server(host, port, app, threaded=True, request_handler=_Handler)
    # A bring-up opens many connections at once.
    server.socket.listen(512)
    return server


def serve(server: BaseWSGIServer, app: Any) -> str:
    """Answer on a thread of its own; the address."""
    app.args.port = server.port
    # moto puts it into the addresses it hands out.
    os.environ["MOTO_PORT"] = str(server.port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{app.args.host}:{server.port}"
