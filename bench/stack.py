"""What is measured: MariaDB, Redis and the server, on free ports of the loopback, in a directory that goes away."""

from __future__ import annotations

import getpass
import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"
READY_SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")
SECRETS = {
    "database": {"username": "game", "password": "throw-away"},
    "signing": {"current": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "operator": "the operator of a benchmark"},
}


class BenchError(Exception):
    """Why there are no figures."""


def program(name: str) -> str:
    """The path of a program; daemons live in sbin, which is not on everybody's path."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise BenchError(f"{name} is not installed; bench/setup.sh installs it")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int, field: str) -> float:
    """A line of /proc/PID/status, such as VmRSS."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise BenchError(f"/proc/{pid}/status has no {field}")


class _SecretsManager(http.server.BaseHTTPRequestHandler):
    """Answers GetSecretValue, the one call of AWS that the server makes here."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"SecretString": json.dumps(SECRETS[asked["SecretId"]])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Stack:
    """The three processes. Leaving the context ends them, however it is left."""

    def __init__(self, server: Path, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._ends = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.socket = directory / "database.sock"
        self.redis_port, self.port, self._database_port = free_port(), free_port(), free_port()

    def __enter__(self) -> Stack:
        with ExitStack() as ends:
            self._ends = ends
            self._start_secrets()
            self._start_database()
            self._start_redis()
            self.start_server()
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._ends.close()

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each process so far."""
        return {name: cpu_seconds(process.pid) for name, process in self._processes.items()}

    def sql(self, text: str, database: str = "game") -> str:
        """Runs statements as the administrator; answers rows as lines of tab-separated values."""
        command = [program("mariadb"), "--no-defaults", f"--socket={self.socket}", "--user=root", "-BN", database]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"the database refuses: {done.stderr.strip()}")
        return done.stdout

    def live(self) -> bool:
        """Whether the server wants traffic."""
        try:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def get(self, path: str, token: str) -> dict[str, Any]:
        """One answer of the server."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise BenchError(f"GET {path} was answered {answer.status}: {text.decode()}")
        return json.loads(text)

    def _start(self, name: str, command: list[str], env: dict[str, str] | None, ready: Callable[[], bool]) -> None:
        log = self._directory / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self._processes[name] = process
        self._ends.callback(self._stop, name)
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{name} is not ready; it says:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)

    def _stop(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start_secrets(self) -> None:
        endpoint = http.server.ThreadingHTTPServer((HOST, 0), _SecretsManager)
        self._ends.callback(endpoint.server_close)
        self._ends.callback(endpoint.shutdown)
        threading.Thread(target=endpoint.serve_forever, daemon=True).start()
        self._endpoint = f"http://{HOST}:{endpoint.server_port}"

    def _start_database(self) -> None:
        data = self._directory / "database"
        user = f"--user={getpass.getuser()}"
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", user, "--skip-test-db"]
        install.append("--auth-root-authentication-method=normal")
        done = subprocess.run([program(install[0]), *install[1:]], capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"mariadb-install-db failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        # Room for the data and for changes not yet in it, as RDS gives it. All else is as MariaDB comes, what is said
        # about syncing too.
        command = [program("mariadbd"), "--no-defaults", f"--datadir={data}", user, f"--socket={self.socket}"]
        command += [f"--bind-address={HOST}", f"--port={self._database_port}", f"--pid-file={self._directory / 'pid'}"]
        command += ["--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=ON", "--innodb-buffer-pool-size=512M"]
        command += ["--innodb-log-file-size=1G"]
        self._start("database", command, None, self._database_answers)
        name, password = SECRETS["database"]["username"], SECRETS["database"]["password"]
        self.sql(
            f"CREATE DATABASE game; CREATE DATABASE raw; "
            f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'; GRANT ALL ON game.* TO '{name}'@'%';",
            database="mysql",
        )

    def _database_answers(self) -> bool:
        try:
            return self.socket.exists() and self.sql("SELECT 1", database="mysql") == "1\n"
        except BenchError:
            return False

    def _start_redis(self) -> None:
        command = [program("redis-server"), "--bind", HOST, "--port", str(self.redis_port)]
        self._start("redis", [*command, "--dir", str(self._directory)], None, self._redis_answers)

    def _redis_answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.redis_port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def flush_redis(self) -> None:
        """Empties Redis."""
        with socket.create_connection((HOST, self.redis_port), timeout=10) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            if not connection.recv(16).startswith(b"+OK"):
                raise BenchError("redis does not take FLUSHALL")

    def start_server(self) -> None:
        """Starts the server and waits until it is live: the ranking is built by then."""
        env = {
            "GAME_STORE": "aws",
            "GAME_EVENT_LOG": "discard",
            "GAME_HOST": HOST,
            "GAME_PORT": str(self.port),
            "GAME_METRICS_PORT": "0",
            "GAME_DATABASE_HOST": HOST,
            "GAME_DATABASE_PORT": str(self._database_port),
            "GAME_DATABASE_SECRET": "database",
            "GAME_DATABASE_TLS": "off",
            "GAME_CACHE_HOST": HOST,
            "GAME_CACHE_PORT": str(self.redis_port),
            "GAME_CACHE_TLS": "off",
            "GAME_SIGNING_SECRET": "signing",
            "GAME_RATE_PLAYER": "0",
            "GAME_RATE_ADDRESS": "0",
            "GAME_DRAIN_SECONDS": "0",
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._start("server", [str(self._server)], env, self.live)

    def stop_server(self) -> None:
        self._stop("server")
