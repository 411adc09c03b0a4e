"""One thread a resource: what is asked of it happens in order, and nobody waits for it under moto's lock."""

from __future__ import annotations

import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from . import processes


class Lane:
    """Runs jobs one after the other on a daemon thread."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._name = name
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def put(self, job: Callable[[], Any]) -> None:
        """Run `job` after those before it; its failure is printed, and does not stop the lane."""
        self._jobs.put(job)

    def close(self) -> None:
        """Let the thread end once the jobs given so far are done."""
        self._jobs.put(None)

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until everything given so far is done; False if that took too long."""
        done = threading.Event()
        self._jobs.put(done.set)
        return done.wait(timeout)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                if processes.closing():
                    return
                print(f"local AWS: {self._name}:", file=sys.stderr)
                traceback.print_exc(file=sys.stderr)
