"""
How a node, and each site on it, comes to be asked by front servers: once everything was applied, and the sites'
processes listen. A node that had left by itself joins again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.node.planning import Planner
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.node_states import ACTIVE, AWAY, DRAINING, JOINING, PLACED, STARTING

logger = logging.getLogger(__name__)

#: Seconds between two looks whether processes listen, at first.
FIRST_LOOK = 0.5
#: Later looks are this part of the time apart that it has taken so far, so that a site which never starts costs little.
SHARE = 0.1
MOST_NAMED = 20


class Entrance:
    """
    The way of a node and its sites to be asked. ``starting`` are the sites that do not listen yet; None while that is
    not known. A node that joins is asked after so many ``seconds``, whatever does not listen: that is at ``joins_by``.
    """

    def __init__(
        self,
        database: NodeDatabase,
        planner: Planner,
        conditions: Conditions,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.database, self.planner, self.conditions = database, planner, conditions
        self.seconds, self.clock = seconds, clock
        self.changed_at = clock()
        self.joins_by: float | None = None
        self.starting: Sequence[str] | None = None
        #: Why the last attempt to be in another state failed.
        self.said = ""

    @property
    def state(self) -> str:
        """What the registry says that this node does; blank if that is not known."""
        return str(self.planner.known.node["state"]) if self.planner.known else ""

    def note_change(self) -> None:
        """Say that something was just applied, so that sites may listen soon."""
        self.changed_at = self.clock()

    def bound(self, seconds: float) -> float:
        """Return how long to wait, at most so many ``seconds``, until the next look."""
        if self.joins_by is not None:
            return min(seconds, FIRST_LOOK)
        if not self.starting:
            return seconds
        return min(seconds, max(FIRST_LOOK, (self.clock() - self.changed_at) * SHARE))

    def advance(self) -> None:
        """Look who listens, and say in which state the node is because of it, where that is another one."""
        is_joining = self.planner.is_in_use and self.state == JOINING
        self.look(is_joining=is_joining)
        if is_joining:
            if self.joins_by is None:
                self.joins_by = self.clock() + self.seconds
            if not self.starting or self.clock() >= self.joins_by:
                self.tell(ACTIVE)
            return
        is_coming_back = self.planner.is_in_use and self.has_left and self.tell(JOINING)
        self.joins_by = self.clock() + self.seconds if is_coming_back else None

    def look(self, *, is_joining: bool) -> None:
        """Find the sites that do not listen yet, where front servers wait for that: of placed sites, and at a start."""
        known = self.planner.known
        if known is None or not self.planner.is_in_use:
            self.starting = None
            return
        silent = self.planner.find_silent() if is_joining or known.node["holds"] == PLACED else []
        self.starting = silent
        self.conditions.set(STARTING, status=bool(silent), message=", ".join(silent[:MOST_NAMED]))

    @property
    def has_left(self) -> bool:
        """Whether this node went by itself when it was stopped, and nobody has said since that it stays away."""
        known = self.planner.known
        return known is not None and self.state in (DRAINING, AWAY) and bool(known.node.get("may_return"))

    def tell(self, state: str) -> bool:
        """Say in which state the node is; return whether that is so now."""
        try:
            return self.database.enter_state(state)
        except (UnreachableError, RefusedError) as error:
            # It is tried again twice a second.
            if str(error) != self.said:
                logger.warning("%s", error)
            self.said = str(error)
            return False
