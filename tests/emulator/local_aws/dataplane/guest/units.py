"""systemd unit files, as far as a service needs them."""

import json
import os
import re
import shlex

DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")
MANAGED = {
    "StateDirectory": ("/var/lib", "STATE_DIRECTORY"),
    "CacheDirectory": ("/var/cache", "CACHE_DIRECTORY"),
    "LogsDirectory": ("/var/log", "LOGS_DIRECTORY"),
    "RuntimeDirectory": ("/run", "RUNTIME_DIRECTORY"),
    "ConfigurationDirectory": ("/etc", "CONFIGURATION_DIRECTORY"),
}
SPANS = {"": 1, "s": 1, "sec": 1, "ms": 0.001, "us": 1e-6, "m": 60, "min": 60, "h": 3600, "hr": 3600}


class UnitError(Exception):
    """A unit that cannot be found, or does not make sense."""


def full_name(name):
    return name if "." in name else name + ".service"


def find(name):
    for directory in DIRECTORIES:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return path
    raise UnitError(f"Unit {name} could not be found.")


class Unit:
    """One unit file: every value of every key, an empty value clearing those before it."""

    def __init__(self, name):
        self.name = name
        self.path = find(name)
        self.values = {}
        with open(self.path, encoding="utf-8") as file:
            self._parse(file.read().replace("\\\n", " "))

    def _parse(self, text):
        section = ""
        for line in text.splitlines():
            line = line.strip()
            if not line or line[0] in "#;":
                continue
            if line.startswith("["):
                section = line.strip("[]")
                self.values.setdefault(section, {})
                continue
            key, equals, value = line.partition("=")
            if not equals:
                raise UnitError(f"{self.path}: not an assignment: {line}")
            held = self.values.setdefault(section, {}).setdefault(key.strip(), [])
            if value.strip():
                held.append(value.strip())
            else:
                held.clear()

    def all(self, key, section="Service"):
        return self.values.get(section, {}).get(key, [])

    def last(self, key, default=None, section="Service"):
        return (self.all(key, section) or [default])[-1]

    def seconds(self, key, default, section="Service"):
        """`5`, `500ms`, `1min 30s`; `infinity` is a very long time."""
        text = self.last(key, section=section)
        if text is None:
            return default
        if text == "infinity":
            return 1e9
        parts = re.findall(r"([\d.]+)\s*([a-z]*)", text)
        if not parts or any(unit not in SPANS for _, unit in parts):
            raise UnitError(f"{self.path}: {key} is not a time span: {text}")
        return sum(float(number) * SPANS[unit] for number, unit in parts)

    def environment(self, base):
        """The manager's own environment, then Environment=, then the files, as systemd has it."""
        made = dict(base)
        for line in self.all("Environment"):
            made.update(item.partition("=")[::2] for item in shlex.split(line))
        for path in self.all("EnvironmentFile"):
            optional = path.startswith("-")
            try:
                with open(path.lstrip("-"), encoding="utf-8") as file:
                    made.update(_assignments(file.read().replace("\\\n", "")))
            except FileNotFoundError:
                if not optional:
                    raise UnitError(f"Failed to load environment files: {path}: No such file") from None
        for key, (parent, variable) in MANAGED.items():
            names = [name for line in self.all(key) for name in line.split()]
            paths = [os.path.join(parent, name) for name in names]
            for path in paths:
                os.makedirs(path, exist_ok=True)
            if paths:
                made[variable] = ":".join(paths)
        addresses = json.loads(base.get("LOCAL_AWS_ADDRESSES", "{}"))
        return {name: addresses.get(value, value) for name, value in made.items()}


def _assignments(text):
    for line in text.splitlines():
        line = line.strip()
        if line and line[0] not in "#;" and "=" in line:
            key, _, value = line.partition("=")
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            yield key.strip(), value[1:-1] if quoted else value.strip()


def command_line(text, environment):
    """A command's words: `$NAME` alone may become several, `${NAME}` is put in place."""
    words = []
    for word in shlex.split(text):
        if re.fullmatch(r"\$\w+", word):
            words += environment.get(word[1:], "").split()
        else:
            word = re.sub(r"\$\{(\w+)\}", lambda m: environment.get(m[1], ""), word)
            words.append(word.replace("$$", "$").replace("%%", "%"))
    return words


def strip_prefix(text):
    """(may fail, command): the prefixes that concern users and privileges mean nothing here."""
    prefix = re.match(r"[-@+!:]*", text)[0]
    return "-" in prefix, text[len(prefix):]
