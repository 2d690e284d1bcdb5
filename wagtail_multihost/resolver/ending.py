"""How a process ends whose settings cannot be resolved: with the report alone."""

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
    Have an error of this package that ends this process told without the frames of the settings module, which say
    nothing of a mistake in the registry; in the log of gunicorn's workers, too.
    """
    if not isinstance(sys.excepthook, ReportHook):
        sys.excepthook = ReportHook(sys.excepthook)
    logging.getLogger(GUNICORN).addFilter(drop_frames)


class ReportHook:
    """A ``sys.excepthook`` that tells errors of this package by their report, and has ``before`` tell others."""

    def __init__(self, before: ExceptHook) -> None:
        self.before = before

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, MultihostError):
            self.before(kind, error, trace)
            return
        print(error, file=sys.stderr)
        # uWSGI's master knows by a code of its own that no application was loaded, and a terminal's session goes on.
        if "uwsgi" not in sys.modules and not hasattr(sys, "ps1"):
            sys.exit(COULD_NOT)


def drop_frames(record: logging.LogRecord) -> bool:
    """Put the report of an error of this package in the place of its traceback; let every record pass."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, MultihostError):
        record.msg, record.args, record.exc_info = f"{record.getMessage()}: {error}", (), None
    return True
