"""The monitor inside a node and the two files between it and the agent: it reads the one, and writes the other."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from uuid import uuid4

from wagtail_multihost.files.locking import lock
from wagtail_multihost.files.reading import Mark, mark_of, read_bounded
from wagtail_multihost.files.writing import NewFile, remove_drafts, write_files
from wagtail_multihost.monitor.ledger import News
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.nodeapi.observations_v1 import VERSION_LENGTH
from wagtail_multihost.nodeapi.probe_files import MOST_BYTES, Observed, Target, parse_targets, render_observed
from wagtail_multihost.version import own_version

logger = logging.getLogger(__name__)


class NodeFiles:
    """The files as the desk of a node's monitor; ``written`` is None where nothing is to be told."""

    sends_all = True

    def __init__(self, read: Path, written: Path | None) -> None:
        self.read, self.written = read, written
        self.boot = uuid4()
        self.serial = 0
        self.place = ""
        self.mark: Mark | None = None
        #: Of a file that was complained about.
        self.refused: Mark | None = None
        self.lock: int | None = None

    def admit(self) -> bool:
        """Return whether no other process has locked the folder; two that write in turns would be believed in turns."""
        if self.written is None or self.lock is not None:
            return True
        try:
            descriptor = os.open(self.written.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UnreachableError(f"{self.written.parent}: It cannot be used: {error.strerror}.") from None
        try:
            lock(descriptor, deadline=0)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self.lock = descriptor
        remove_drafts(self.written.parent)
        return True

    def read_targets(self) -> tuple[Target, ...] | None:
        """
        Return the targets in the file. What cannot be read now changes nothing; raises UnreachableError where nothing
        was read before.
        """
        mark = mark_of(self.read)
        if mark is not None and mark == self.mark:
            return None
        try:
            place, targets = parse_targets(read_bounded(self.read, MOST_BYTES))
        except OSError as error:
            problem = f"{self.read}: It cannot be read: {error.strerror}."
        except ValueError as error:
            problem = f"{self.read}: It is not used. {error}"
        else:
            self.place, self.mark = place, mark
            return targets
        if self.mark is None:
            raise UnreachableError(problem)
        if mark != self.refused:
            logger.warning("%s What was read before stays.", problem)
        self.refused = mark
        return None

    def send(self, news: News) -> bool:
        if self.written is None:
            return True
        self.serial += 1
        observed = Observed(
            self.place,
            self.boot,
            own_version()[:VERSION_LENGTH],
            self.serial,
            news.at,
            news.covered_since,
            news.observations,
            news.batches,
        )
        try:
            write_files([NewFile(str(self.written), render_observed(observed))])
        except OSError as error:
            raise UnreachableError(f"{self.written}: It cannot be written: {error.strerror}.") from None
        return True

    def close(self) -> None:
        """Leave the file as it is: what was concluded counts until it is too old."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None
