"""How a process whose settings cannot be resolved ends: with the report alone."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import TracebackType

from wagtail_multihost.exceptions import COULD_NOT, MultihostError

GUNICORN = "gunicorn.error"
ExceptHook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def end_with_report() -> None:
    """
    Print an error of this package that ends this process without a traceback, which would say nothing about a mistake
    in the registry; likewise in the log of gunicorn's workers.
    """
    if not isinstance(sys.excepthook, ReportHook):
        sys.excepthook = ReportHook(sys.excepthook)
    logging.getLogger(GUNICORN).addFilter(drop_frames)


class ReportHook:
    """A ``sys.excepthook`` that prints the report of this package's errors, and leaves other errors to ``before``."""

    def __init__(self, before: ExceptHook) -> None:
        self.before = before

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, MultihostError):
            self.before(kind, error, trace)
            return
        print(error, file=sys.stderr)
        # uWSGI's master has its own exit code for an application that did not load; an interactive session goes on.
        if "uwsgi" not in sys.modules and not hasattr(sys, "ps1"):
            sys.exit(COULD_NOT)


def drop_frames(record: logging.LogRecord) -> bool:
    """Replace the traceback of an error of this package with its report; let every record pass."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, MultihostError):
        record.msg, record.args, record.exc_info = f"{record.getMessage()}: {error}", (), None
    return True
