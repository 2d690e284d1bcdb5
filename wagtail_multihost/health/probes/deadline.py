"""A deadline on a server that has taken a connection and answers no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wagtail_multihost.identity.deadline import hang_up


@contextmanager
def hang_up_after(seconds: float, driver: Callable[[], Any]) -> Iterator[None]:
    """
    Hang up what ``driver`` returns (the driver's connection, None before there is one) unless the block ends within
    ``seconds``: its driver then raises. The drivers of PostgreSQL have no timeout of their own for an answer, and one
    that the server keeps (statement_timeout) is not kept by a server that hangs.
    """
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(seconds):
            hang_up(driver())

    watcher = threading.Thread(target=watch, name="multihost-probe-deadline", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()  # it must not see a descriptor that has been closed, and may be another's by now
