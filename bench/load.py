"""The data that is there before anything is measured."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stack import HOST, BenchError, Stack

BATCH = 1000
COINS = 1_000_000_000
CLIENTS = 8
#: No id of the server's own is like these.
PLAYER = "PLAYER{:020d}"


def device(n: int) -> tuple[str, str]:
    """The device of a player, and its secret."""
    return f"device-{n}", hashlib.sha256(f"secret {n}".encode()).hexdigest()


def _device_mac(name: str, secret: str) -> str:
    """What the server keeps of a device's secret (server/src/domain/account.rs)."""
    return hmac.new(f"device secret of {name}".encode(), secret.encode(), hashlib.sha256).hexdigest()


def _insert(table: str, columns: str, rows: list[str]) -> str:
    parts = ["START TRANSACTION;"]
    for first in range(0, len(rows), BATCH):
        parts.append(f"INSERT INTO {table} ({columns}) VALUES {','.join(rows[first : first + BATCH])};")
    return "\n".join([*parts, "COMMIT;"])


def players(stack: Stack, count: int) -> None:
    """Players with coins and a score each, straight into the database."""
    chance = random.Random(1)
    now = int(time.time() * 1_000_000)
    accounts, scores, ledger = [], [], []
    for n in range(count):
        player = PLAYER.format(n)
        name, secret = device(n)
        accounts.append(f"('{player}','{name}',x'{_device_mac(name, secret)}',{COINS},{now})")
        scores.append(f"('main','all','{player}',{chance.randrange(1_000_000)},{now - n},1,{now - n})")
        ledger.append(f"('{player}',{COINS},{COINS},'signup','{player}',{now})")
    stack.sql(_insert("players", "user_id, device_id, device_mac, coins, created_at", accounts))
    stack.sql(_insert("scores", "board, season, user_id, score, achieved_at, version, changed_at", scores))
    stack.sql(_insert("coin_ledger", "user_id, delta, balance, reason, reference, booked_at", ledger))


def events(stack: Stack, count: int, run: str) -> None:
    """Events for the relay to carry."""
    now = int(time.time() * 1_000_000)
    properties = json.dumps({"score": 4711, "board": "main", "season": "all", "run_id": "0123456789", "metadata": {}})
    rows = [f"('{run}{n:018d}','{PLAYER.format(n)}','game.score',{now},'{properties}',0)" for n in range(count)]
    stack.sql(_insert("outbox", "event_id, user_id, name, happened_at, properties, available_at", rows))


def sessions(stack: Stack, numbers: list[int], file: Path) -> None:
    """Logs players in and writes a line of `requests.lua` for each."""

    def some(numbers: list[int]) -> list[str]:
        connection = http.client.HTTPConnection(HOST, stack.port)
        lines = []
        for n in numbers:
            name, secret = device(n)
            body = json.dumps({"device_id": name, "device_secret": secret})
            connection.request("POST", "/v1/sessions", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise BenchError(f"a login was answered {answer.status}: {text.decode()}")
            session = json.loads(text)
            lines.append(f"{session['user_id']} {name} {secret} {session['access_token']}\n")
        return lines

    with ThreadPoolExecutor(CLIENTS) as pool:
        parts = pool.map(some, (numbers[first::CLIENTS] for first in range(CLIENTS)))
    file.write_text("".join(line for part in parts for line in part))
