"""A service: started as its unit says, watched, restarted, stopped."""

import os
import resource
import signal
import socket
import subprocess
import threading
import time

from units import Unit, UnitError, command_line, strip_prefix

START_LIMIT_BURST = 5
START_LIMIT_SECONDS = 10.0

# Children that somebody waits for; PID 1 reaps all others.
watched = set()
watched_lock = threading.Lock()


def spawn(words, **options):
    """Popen, without a moment in which the reaper could take the child for an orphan."""
    with watched_lock:
        child = subprocess.Popen(words, start_new_session=True, stdin=subprocess.DEVNULL, **options)
        watched.add(child.pid)
    return child


def wait(child, timeout=None):
    code = child.wait(timeout)
    with watched_lock:
        watched.discard(child.pid)
    return code


class Service:
    """One unit's run-time state. Its lock is held only for moments."""

    def __init__(self, name, changed):
        self.name = name
        self.changed = changed
        self.state = "inactive"
        self.result = ""
        self.child = None
        self.wanted = False
        self.starts = []
        self.lock = threading.Lock()
        self.settled = threading.Condition(self.lock)

    @property
    def main_pid(self):
        return self.child.pid if self.child and self.child.poll() is None else 0

    def start(self):
        """Returns an error text, or None once it counts as started."""
        with self.lock:
            if self.state in ("active", "activating"):
                return None
            self.wanted = True
            self._set("activating")
        threading.Thread(target=self._supervise, daemon=True).start()
        with self.settled:
            self.settled.wait_for(lambda: self.state != "activating")
            if self.state in ("active", "inactive"):
                return None
            return f"Job for {self.name} failed: {self.result}"

    def stop(self):
        with self.lock:
            self.wanted = False
            child = self.child
        if child is None or child.poll() is not None:
            with self.lock:
                self._set("inactive")
            return
        unit = self._unit_or_none()
        number = getattr(signal, (unit and unit.last("KillSignal")) or "SIGTERM")
        _signal(child, number)
        try:
            child.wait(unit.seconds("TimeoutStopSec", 90.0) if unit else 90.0)
        except subprocess.TimeoutExpired:
            print(f"{self.name}: did not stop in time, killing", flush=True)
        _signal(child, signal.SIGKILL)
        with self.settled:
            self.settled.wait_for(lambda: self.state in ("inactive", "failed"), 5)

    def _unit_or_none(self):
        try:
            return Unit(self.name)
        except UnitError:
            return None

    def _set(self, state, result=""):
        self.state, self.result = state, result
        self.settled.notify_all()
        self.changed()

    def _supervise(self):
        while True:
            try:
                code = self._run_once(Unit(self.name))
            except (UnitError, OSError, ValueError) as error:
                self._end("failed", str(error))
                return
            unit = self._unit_or_none()
            restart = unit.last("Restart", "no") if unit else "no"
            failed = code != 0
            again = restart == "always" or (failed and restart.startswith("on-"))
            if not self.wanted or not again:
                clean = not failed or not self.wanted
                self._end("inactive" if clean else "failed", f"exit status {code}")
                return
            print(f"{self.name}: exited with {code}, restarting", flush=True)
            with self.lock:
                self._set("activating")
            if not self._may_start_again(unit):
                self._end("failed", "start request repeated too quickly")
                return
            time.sleep(unit.seconds("RestartSec", 0.1))
            if not self.wanted:
                self._end("inactive", "")
                return

    def _end(self, state, result):
        if state == "failed":
            print(f"{self.name}: failed: {result}", flush=True)
        with self.lock:
            self.child = None
            self._set(state, result)

    def _may_start_again(self, unit):
        interval = unit.seconds("StartLimitIntervalSec", START_LIMIT_SECONDS, "Unit")
        burst = int(unit.last("StartLimitBurst", str(START_LIMIT_BURST), section="Unit"))
        now = time.monotonic()
        self.starts = [at for at in self.starts if now - at < interval] + [now]
        return interval == 0 or len(self.starts) <= burst

    def _run_once(self, unit):
        """From ExecStartPre to the end of the main process; its exit status."""
        environment = unit.environment(os.environ)
        options = {
            "env": environment,
            "cwd": (unit.last("WorkingDirectory") or "/").lstrip("-").replace("~", "/root"),
            "preexec_fn": _limits(unit),
        }
        for line in unit.all("ExecStartPre"):
            self._run_step(line, environment, options)
        lines = unit.all("ExecStart")
        if not lines:
            raise UnitError(f"{self.name} has no ExecStart= setting. Refusing.")
        kind = unit.last("Type", "simple")
        if kind == "oneshot":
            for line in lines:
                self._run_step(line, environment, options)
            if unit.last("RemainAfterExit", "no") in ("yes", "true", "1"):
                with self.lock:
                    self._set("active")
                while self.wanted:
                    time.sleep(0.2)
            return 0
        if kind not in ("simple", "exec", "notify", "idle"):
            raise UnitError(f"Type={kind} is not supported here")
        listener = _notify_socket(self.name, environment) if kind == "notify" else None
        child = spawn(command_line(strip_prefix(lines[-1])[1], environment), **options)
        with self.lock:
            self.child = child
        if listener is None or self._ready(listener, child, unit):
            with self.lock:
                self._set("active")
        code = wait(child)
        # KillMode=control-group: nothing of the service stays behind.
        _signal(child, signal.SIGKILL)
        return code

    def _run_step(self, line, environment, options):
        may_fail, text = strip_prefix(line)
        child = spawn(command_line(text, environment), **options)
        with self.lock:
            self.child = child
        code = wait(child)
        if code != 0 and not may_fail:
            raise UnitError(f"{text}: exit status {code}")

    def _ready(self, listener, child, unit):
        deadline = time.monotonic() + unit.seconds("TimeoutStartSec", 90.0)
        with listener:
            listener.settimeout(0.2)
            while time.monotonic() < deadline and child.poll() is None:
                try:
                    if b"READY=1" in listener.recv(4096).split(b"\n"):
                        return True
                except TimeoutError:
                    continue
        _signal(child, signal.SIGKILL)
        return False


def _signal(child, number):
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        pass


def _limits(unit):
    files = unit.last("LimitNOFILE")
    if files is None:
        return None
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = hard if files == "infinity" else min(int(files.split(":")[-1]), hard)
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _notify_socket(name, environment):
    path = f"/run/notify-{name}"
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    environment["NOTIFY_SOCKET"] = path
    return listener
