"""The words for how something is."""

from __future__ import annotations

from enum import Enum, IntEnum


class Status(IntEnum):
    """
    How a thing is, the worst last. The words ``pass``, ``warn`` and ``fail`` are those of
    https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06 (expired, a work in progress).
    """

    PASS = 0
    WARN = 1
    FAIL = 2

    def __str__(self) -> str:
        return self.name.lower()


class Criticality(Enum):
    """What a failing probe makes of what it belongs to."""

    CRITICAL = "critical"
    """It fails."""
    DEGRADED = "degraded"
    """It works, with a warning."""
    INFORMATIVE = "informative"
    """It is as it was; the probe is shown."""

    def weigh(self, status: Status) -> Status:
        """Return what ``status`` of a probe is worth."""
        if self is Criticality.CRITICAL:
            return status
        return min(status, Status.WARN if self is Criticality.DEGRADED else Status.PASS)
