"""How fast time goes here: AWS durations divided by the scale, or no waits at all."""

from __future__ import annotations

import heapq
import itertools
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: AWS seconds per real second; 0 means that nothing takes any time.
scale: float = 1.0

_queue: list[tuple[float, int, Callable[[], None]]] = []
_running = 0
_wake = threading.Condition()
_order = itertools.count()
_thread: threading.Thread | None = None


def configure(time_scale: float) -> None:
    """Set the scale, once, at start."""
    global scale
    if time_scale < 0:
        raise ValueError("the time scale cannot be negative")
    scale = time_scale


def due(seconds: float) -> float:
    """Real seconds until something of this AWS duration is finished."""
    return seconds / scale if scale else 0.0


def later(seconds: float, fn: Callable[[], None]) -> None:
    """Run fn on a thread of its own once `seconds` AWS seconds have passed.

    With no waits it still runs on that thread, at once: the caller may hold locks.
    fn runs without the state lock and takes it if it touches moto.
    """
    after_real(due(seconds), fn)


def after_real(seconds: float, fn: Callable[[], None]) -> None:
    """As `later`, in real seconds."""
    global _thread
    with _wake:
        heapq.heappush(_queue, (time.monotonic() + seconds, next(_order), fn))
        if _thread is None:
            _thread = threading.Thread(target=_run, name="clock", daemon=True)
            _thread.start()
        _wake.notify()


def pending() -> list[tuple[float, Callable[[], None]]]:
    """What is still to run, and in how many real seconds."""
    with _wake:
        return [(at - time.monotonic(), fn) for at, _, fn in _queue]


def restore(timers: list[tuple[float, Callable[[], None]]]) -> None:
    """Replace what is still to run."""
    with _wake:
        _queue.clear()
        _wake.notify()
    for seconds, fn in timers:
        after_real(seconds, fn)


@contextmanager
def held() -> Iterator[bool]:
    """Let nothing start meanwhile; whether nothing is under way."""
    with _wake:
        yield not _running


def _in_a_copy() -> None:
    """A copy of this process has the queue but not the thread; `restore` starts one."""
    global _wake, _thread, _running
    _wake, _thread, _running = threading.Condition(), None, 0


os.register_at_fork(after_in_child=_in_a_copy)


def _run() -> None:
    global _running
    while True:
        with _wake:
            while not _queue or _queue[0][0] > time.monotonic():
                wait = _queue[0][0] - time.monotonic() if _queue else None
                _wake.wait(wait)
            _, _, fn = heapq.heappop(_queue)
            _running += 1
        # A slow callback must not hold up the others.
        threading.Thread(target=_guarded, args=(fn,), daemon=True).start()


def _guarded(fn: Callable[[], None]) -> None:
    global _running
    try:
        fn()
    except Exception:
        traceback.print_exc(file=sys.stderr)
    finally:
        with _wake:
            _running -= 1
