"""Records the calls of a run by standing between it and the local AWS, and sends them again one after another."""

from __future__ import annotations

import http.client
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

#: What may be an id that AWS drew: it is another one when the call is made again.
WORD = re.compile(r"[\w-]{6,}")
HOP = {"connection", "transfer-encoding", "content-length", "host", "expect"}


@dataclass
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    began: float
    ended: float = 0.0
    status: int = 0
    answer: bytes = b""


@dataclass
class Ids:
    """What the ids of the recorded run are in this one."""

    now: dict[str, str] = field(default_factory=dict)

    def learn(self, before: bytes, after: bytes) -> None:
        old, new = WORD.findall(_text(before)), WORD.findall(_text(after))
        if len(old) != len(new):
            return
        # What stands in both is no id, and lists may come in another order.
        same = set(old) & set(new)
        for a, b in zip(old, new, strict=True):
            if not same & {a, b} and len(a) == len(b):
                self.now.setdefault(a, b)

    def put(self, text: str) -> str:
        return WORD.sub(lambda word: self.now.get(word[0], word[0]), text)

    def put_in_path(self, path: str) -> str:
        return quote(self.put(unquote(path)), safe="/?&=:@$!*'(),;+-._~%")

    def put_in_body(self, exchange: Exchange) -> bytes:
        if "form-urlencoded" in exchange.headers.get("content-type", ""):
            pairs = parse_qsl(exchange.body.decode(), keep_blank_values=True)
            return urlencode([(key, self.put(value)) for key, value in pairs]).encode()
        try:
            return self.put(exchange.body.decode()).encode()
        except UnicodeDecodeError:
            return exchange.body


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


class Recorder:
    """A proxy on the loopback. Leaving the context ends it."""

    def __init__(self, upstream: str) -> None:
        self.exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        address = urlsplit(upstream).netloc
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.upstream = http.client.HTTPConnection(address)

            def answer(self) -> None:
                headers = {key.lower(): value for key, value in self.headers.items()}
                if headers.get("expect"):
                    self.send_response_only(100)
                    self.end_headers()
                body = self.rfile.read(int(headers.get("content-length", 0)))
                exchange = recorder.begin(self.command, self.path, headers, body)
                kept = {key: value for key, value in headers.items() if key not in HOP}
                self.upstream.request(self.command, self.path, body, kept)
                answer = self.upstream.getresponse()
                exchange.status, exchange.answer = answer.status, answer.read()
                exchange.ended = time.monotonic()
                self.send_response_only(answer.status, answer.reason)
                for key, value in answer.getheaders():
                    if key.lower() not in HOP:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(exchange.answer)))
                self.end_headers()
                self.wfile.write(exchange.answer)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def do_HEAD(self) -> None:
                headers = {key.lower(): value for key, value in self.headers.items()}
                exchange = recorder.begin("HEAD", self.path, headers, b"")
                self.upstream.request("HEAD", self.path, headers={k: v for k, v in headers.items() if k not in HOP})
                answer = self.upstream.getresponse()
                answer.read()
                exchange.status, exchange.ended = answer.status, time.monotonic()
                self.send_response_only(answer.status, answer.reason)
                for key, value in answer.getheaders():
                    if key.lower() != "connection":
                        self.send_header(key, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def begin(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Exchange:
        exchange = Exchange(method, path, headers, body, time.monotonic())
        with self._lock:
            self.exchanges.append(exchange)
        return exchange

    def in_flight(self) -> tuple[float, int]:
        """How many calls were under way while there were any: on average, and at most."""
        moments = sorted([(e.began, 1) for e in self.exchanges] + [(e.ended, -1) for e in self.exchanges])
        most = now = 0
        busy = since = 0.0
        for at, step in moments:
            busy += (at - since) * (now > 0)
            since, now = at, now + step
            most = max(most, now)
        return sum(e.ended - e.began for e in self.exchanges) / busy, most

    def __enter__(self) -> Recorder:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def replay(url: str, exchanges: list[Exchange]) -> tuple[float, int]:
    """Sends the requests in their order over one connection. The seconds that the answers took, and how many were others."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    ids = Ids()
    took, different = 0.0, 0
    for exchange in exchanges:
        body = ids.put_in_body(exchange)
        headers = {key: ids.put(value) for key, value in exchange.headers.items() if key not in HOP}
        path = ids.put_in_path(exchange.path)
        began = time.monotonic()
        connection.request(exchange.method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        took += time.monotonic() - began
        different += answer.status != exchange.status
        ids.learn(exchange.answer, text)
    connection.close()
    return took, different
