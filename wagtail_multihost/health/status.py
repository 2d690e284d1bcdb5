"""The statuses, and what a probe's status means for the whole."""

from __future__ import annotations

from enum import Enum, IntEnum


class Status(IntEnum):
    """
    The status of something, the worst last. The words ``pass``, ``warn`` and ``fail`` are those of
    https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06 (expired, a work in progress).
    """

    PASS = 0
    WARN = 1
    FAIL = 2

    def __str__(self) -> str:
        return self.name.lower()


class Criticality(Enum):
    """What a failing probe means for its site or process."""

    CRITICAL = "critical"
    """It fails."""
    DEGRADED = "degraded"
    """It works, with a warning."""
    INFORMATIVE = "informative"
    """Nothing changes; the probe is only shown."""

    def weigh(self, status: Status) -> Status:
        """Return the status that a probe's ``status`` gives its site or process."""
        if self is Criticality.CRITICAL:
            return status
        return min(status, Status.WARN if self is Criticality.DEGRADED else Status.PASS)
