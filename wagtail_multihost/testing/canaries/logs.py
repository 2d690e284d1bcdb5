"""Log files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wagtail_multihost.running import own_id
from wagtail_multihost.testing.canaries.base import Canary, Crossing

LOGGER = "wagtail_multihost.testing"


class LogsCanary(Canary):
    """A line in every log file, which must not be in a file of the other site unless it names its own site."""

    name = "logs"

    def plant(self, token: str) -> str:
        for handler in file_handlers():
            record = logging.LogRecord(LOGGER, logging.CRITICAL, __file__, 0, "multihost-canary %s", (token,), None)
            handler.handle(record)
            handler.flush()
        return own_id()

    def crossed(self, token: str, planted: str) -> Iterator[Crossing]:
        for handler in file_handlers():
            path = Path(handler.baseFilename)
            for line in lines_with(token, path):
                if not planted or planted not in line.replace(token, ""):
                    yield Crossing("LOGGING", f"A line without the site's id is in {path}.")


def file_handlers() -> Iterator[Any]:
    """Yield every handler of a logger that writes to a file."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    handlers = [handler for logger in loggers for handler in getattr(logger, "handlers", ())]
    yield from (handler for handler in dict.fromkeys(handlers) if isinstance(handler, logging.FileHandler))


def lines_with(token: str, path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if token in line]
