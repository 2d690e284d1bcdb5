"""What a node says of itself: conditions, each with the time and the revision since when it is so."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from wagtail_multihost.node.cutting import cut_text
from wagtail_multihost.nodeapi.node_states import FALSE, TRUE
from wagtail_multihost.spec.printing import escape_unprintable

#: Bytes of a message in a report.
MESSAGE_BYTES = 1500


class Conditions:
    """
    The conditions of a node; ``changed`` is set when one has become another, and not when it is only seen again. When
    that was is counted by this machine's ``clock`` that nobody sets, and said by the database's.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.found: dict[str, dict[str, Any]] = {}
        self.changed = True

    def set(self, kind: str, *, status: bool, reason: str = "", message: str = "", revision: int = 0) -> None:
        """Say whether something is so, and why."""
        said = {
            "status": TRUE if status else FALSE,
            "reason": reason,
            "message": cut_text(escape_unprintable(message[:MESSAGE_BYTES]), MESSAGE_BYTES),
        }
        before = self.found.get(kind)
        if before is not None and all(before[key] == value for key, value in said.items()):
            return
        is_turn = before is None or before["status"] != said["status"]
        since = self.clock() if is_turn or before is None else before["since"]
        self.found[kind] = {"type": kind, **said, "since": since, "revision": revision}
        self.changed = True

    def holds(self, kind: str) -> bool:
        """Return whether a condition is true."""
        return self.found.get(kind, {}).get("status") == TRUE

    def rows(self, now: datetime) -> list[dict[str, Any]]:
        """Return all of them, for a report at the time ``now`` of the database."""
        started = now - timedelta(seconds=self.clock())
        found = [self.found[kind] for kind in sorted(self.found)]
        return [{**one, "since": time_text(started + timedelta(seconds=one["since"]))} for one in found]


def time_text(time_of: datetime) -> str:
    return time_of.isoformat(timespec="seconds")
