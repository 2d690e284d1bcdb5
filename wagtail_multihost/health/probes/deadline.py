"""A deadline for servers that have accepted a connection and stop answering."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wagtail_multihost.identity.deadline import hang_up


@contextmanager
def hang_up_after(seconds: float, driver: Callable[[], Any]) -> Iterator[None]:
    """
    Close the connection that ``driver`` returns (None before there is one) unless the block ends within ``seconds``, so
    that the driver raises. The drivers of PostgreSQL have no timeout for an answer, and the server's own
    (statement_timeout) has no effect if the server hangs.
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
        watcher.join()  # it must not see a closed descriptor, which may have been reused
