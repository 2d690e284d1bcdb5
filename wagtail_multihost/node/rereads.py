"""Sites that somebody wants to be read again: asked for by one thread, and done by the agent's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress


class Rereads:
    """
    Who asks gets a future, whose result is why the site was refused, blank if it is applied. ``descriptor`` can be read
    when there is something to do.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked: dict[str, Future[str]] = {}
        self.taken: dict[str, Future[str]] = {}
        self.descriptor, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ask(self, site: str) -> Future[str]:
        """Ask for a site to be read and applied anew."""
        with self.lock:
            found = self.asked.setdefault(site, Future())
        self.wake()
        return found

    def wake(self) -> None:
        """Let the agent take its next turn now."""
        with suppress(BlockingIOError):
            os.write(self.writer, b"\0")

    def take(self) -> frozenset[str]:
        """Return the sites that are to be read now."""
        with suppress(BlockingIOError):
            while os.read(self.descriptor, 1024):
                pass
        with self.lock:
            self.taken, self.asked = self.asked, {}
            return frozenset(self.taken)

    def finish(self, refused: Mapping[str, str], problem: str = "") -> None:
        """Say what came of the sites that were taken: a ``problem`` of all, or why some were refused."""
        with self.lock:
            for site, future in self.taken.items():
                future.set_result(problem or refused.get(site, ""))
            self.taken = {}
