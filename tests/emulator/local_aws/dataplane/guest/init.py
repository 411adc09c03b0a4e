"""PID 1 of an instance: runs the user data once, starts enabled units, and answers systemctl."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))

import service  # noqa: E402
from service import Service  # noqa: E402
from units import Unit, UnitError, full_name  # noqa: E402

CLOUD = "/var/lib/cloud/instance"
WANTS = "/etc/systemd/system/multi-user.target.wants"
SOCKET = "/run/systemctl.sock"
UNITS = "/var/lib/cloud/instance/units.json"

services = {}
services_lock = threading.Lock()
ending = threading.Event()


def say(text):
    print(text, flush=True)


def of(name):
    with services_lock:
        if name not in services:
            services[name] = Service(name, changed=lambda: publish.set())
        return services[name]


publish = threading.Event()


def keep_published():
    """The units and their main processes, for the host to read."""
    while True:
        publish.wait(1)
        publish.clear()
        with services_lock:
            rows = [
                {"unit": held.name, "state": held.state, "pid": held.main_pid}
                for held in services.values()
            ]
        with open(UNITS + ".new", "w", encoding="utf-8") as file:
            json.dump(rows, file)
        os.replace(UNITS + ".new", UNITS)


def reap():
    """Orphans become PID 1's children, and are waited for here."""
    while True:
        try:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            time.sleep(0.2)
            continue
        with service.watched_lock:
            orphan = info is not None and info.si_pid not in service.watched
            if orphan:
                os.waitpid(info.si_pid, os.WNOHANG)
        if not orphan:
            time.sleep(0.05)


def run_user_data():
    path, done = f"{CLOUD}/user-data.txt", f"{CLOUD}/boot-finished"
    if os.path.exists(done):
        start_enabled()
        return
    with open(path, "rb") as file:
        first = file.readline()
    if not first.startswith(b"#!"):
        say("cloud-init: the user data is not a script (it does not start with #!); ignored")
    else:
        child = service.spawn([path], cwd="/", stdout=None, stderr=subprocess.STDOUT)
        code = service.wait(child)
        say(f"cloud-init: user data finished with exit status {code}")
    with open(done, "w", encoding="utf-8") as file:
        file.write("done\n")


def start_enabled():
    for name in sorted(os.listdir(WANTS)) if os.path.isdir(WANTS) else []:
        problem = of(name).start()
        if problem:
            say(problem)


def enable(name):
    unit = Unit(name)
    if "Install" not in unit.values:
        raise UnitError(f"The unit files have no installation config ({name}).")
    os.makedirs(WANTS, exist_ok=True)
    link = os.path.join(WANTS, name)
    if not os.path.lexists(link):
        os.symlink(unit.path, link)


def disable(name):
    link = os.path.join(WANTS, name)
    if os.path.lexists(link):
        os.unlink(link)


def start(name):
    Unit(name)
    problem = of(name).start()
    if problem:
        raise UnitError(problem)


def restart(name):
    of(name).stop()
    start(name)


def answer(argv):
    """(exit code, text) of one systemctl call."""
    flags = [word for word in argv if word.startswith("-")]
    words = [word for word in argv if not word.startswith("-")]
    verb, names = (words or ["list-units"])[0], [full_name(name) for name in words[1:]]
    if verb in ("daemon-reload", "daemon-reexec"):
        return 0, ""
    if verb == "list-units":
        rows = [f"{held.name} loaded {held.state}" for held in services.values()]
        return 0, "\n".join(rows)
    if verb == "is-system-running":
        return 0, "running"
    if not names:
        return 1, "Too few arguments."
    if verb in ("is-active", "is-failed", "is-enabled", "status"):
        return query(verb, names)
    actions = {
        "start": [start],
        "restart": [restart],
        "try-restart": [lambda name: restart(name) if of(name).state == "active" else None],
        "stop": [lambda name: of(name).stop()],
        "enable": [enable] + ([start] if "--now" in flags else []),
        "disable": [disable] + ([lambda name: of(name).stop()] if "--now" in flags else []),
        "reset-failed": [lambda name: None],
    }.get(verb)
    if actions is None:
        return 1, f"Unknown command verb {verb} (not supported here)."
    for name in names:
        for action in actions:
            action(name)
    return 0, ""


def query(verb, names):
    if verb == "is-enabled":
        states = ["enabled" if os.path.lexists(f"{WANTS}/{name}") else "disabled" for name in names]
        return (0 if "enabled" in states else 1), "\n".join(states)
    states = [of(name).state for name in names]
    if verb == "status":
        held = of(names[0])
        text = f"{names[0]}\n   Active: {held.state} {held.result}\n Main PID: {held.main_pid}"
        return (0 if held.state == "active" else 3), text
    wanted = "failed" if verb == "is-failed" else "active"
    return (0 if wanted in states else (1 if wanted == "failed" else 3)), "\n".join(states)


def serve(connection):
    with connection, connection.makefile("rwb") as stream:
        argv = json.loads(stream.readline())
        try:
            code, text = answer(argv)
        except (UnitError, OSError) as error:
            code, text = 1, str(error)
        stream.write(json.dumps({"code": code, "text": text}).encode() + b"\n")


def listen():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen(16)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def shut_down():
    say("init: shutting down")
    with services_lock:
        held = list(services.values())
    stoppers = [threading.Thread(target=one.stop) for one in held]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join()


def main():
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    for work in (reap, listen, keep_published, run_user_data):
        threading.Thread(target=work, daemon=True).start()
    while not ending.wait(0.5):
        pass
    shut_down()
    os._exit(0)


main()
