"""Logging for probes: the same failure once, because they run every few seconds."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from wagtail_multihost.health.probe import Outcome
from wagtail_multihost.health.status import Status

#: How many subjects of a probe are remembered, and how many messages of each; anything beyond is not new.
MOST_SUBJECTS = 2000
MOST_TEXTS = 20
#: What differs in each run: the addresses of objects, and random names.
CHANCE = re.compile(r"0x[0-9a-f]+|[0-9a-f]{32,}", re.IGNORECASE)

logger = logging.getLogger("wagtail_multihost.health")


class OnceLogger:
    """Logs each failure of a probe once, until its subject has passed."""

    def __init__(self) -> None:
        self._known: dict[str, set[int]] = {}

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Have :func:`complain` in this thread use this logger."""
        token = _collecting.set(self)
        try:
            yield
        finally:
            _collecting.reset(token)

    def log(self, message: str, *arguments: object, subject: str = "", traceback: bool = False) -> None:
        """See :func:`complain`."""
        error = sys.exception()
        text = f"{message} {type(error).__qualname__} {error_text(error)}" if error else message % arguments
        level = logging.ERROR if traceback else logging.WARNING
        is_new = self._is_new(subject, hash(CHANCE.sub("", text)))
        logger.log(level if is_new else logging.DEBUG, message, *arguments, exc_info=traceback)

    def _is_new(self, subject: str, text: int) -> bool:
        if subject not in self._known and len(self._known) >= MOST_SUBJECTS:
            return False
        texts = self._known.setdefault(subject, set())
        if text in texts or len(texts) >= MOST_TEXTS:
            return False
        texts.add(text)
        return True

    def forget_passed(self, outcomes: Iterable[Outcome]) -> None:
        """Forget the failures of subjects that pass; all of them if everything passes."""
        found = [(str(outcome.subject), outcome.status is Status.PASS) for outcome in outcomes]
        others = {subject for subject, is_well in found if not is_well}
        if not others:
            self._known.clear()
        for subject, _ in found:
            if subject not in others:
                self._known.pop(subject, None)


_collecting: ContextVar[OnceLogger | None] = ContextVar("collecting", default=None)


def log_failure(message: str, *arguments: object, subject: str = "", traceback: bool = False) -> None:
    """
    Log a failure that a probe found, with the exception that is being handled, if any: as a warning, or as an error
    with its ``traceback``. What the sampler has logged about ``subject`` (an outcome's) since that last passed is
    logged at level DEBUG only.
    """
    (_collecting.get() or OnceLogger()).log(message, *arguments, subject=subject, traceback=traceback)


def error_text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the project's own exceptions may fail to give a text
        return ""
