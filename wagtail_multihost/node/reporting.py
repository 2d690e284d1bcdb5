"""What a node says to the registry: at once when it is something else than before, and otherwise that it is there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from uuid import UUID, uuid4

from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.node_states import DUPLICATE_NODE
from wagtail_multihost.spec.printing import escape_unprintable
from wagtail_multihost.version import own_version

logger = logging.getLogger(__name__)

#: Seconds after which it is said again that the node is there.
PERIOD = 30.0
#: What of each refused site's reason is told, and of how many sites: the database takes no report without a bound.
REASON_LENGTH, MOST_SITES = 300, 400


class Reporter:
    """Reports for one process of the agent, which is told from a second one under the same id by its ``boot``."""

    def __init__(
        self, database: NodeDatabase, conditions: Conditions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.database, self.conditions, self.clock = database, conditions, clock
        self.boot: UUID = uuid4()
        self.told: tuple[int, dict[str, str]] | None = None
        self.told_at = 0.0

    def report(self, applied: int, refused: Mapping[str, str]) -> None:
        """Say what is applied and how the node is, if it is time; a database that is away is told later."""
        sites = bounded_reasons(refused)
        if not self.conditions.changed and self.told == (applied, sites) and self.bound(PERIOD) > 0:
            return
        try:
            rows = self.conditions.rows(self.database.now())
            is_duplicate = self.database.report(self.boot, applied, own_version(), rows, sites)
        except (UnreachableError, RefusedError) as error:
            logger.warning("%s", error)
            self.told, self.told_at = None, self.clock()
            return
        self.told, self.told_at = (applied, sites), self.clock()
        self.conditions.changed = False
        if is_duplicate and not self.conditions.holds(DUPLICATE_NODE):
            logger.error("Another agent reports as this node too. Both go on; give one of them another id.")
        self.conditions.set(DUPLICATE_NODE, status=is_duplicate)

    def bound(self, seconds: float) -> float:
        """Return how long to wait, at most so many ``seconds``, until the next report is due."""
        return min(seconds, max(0.0, self.told_at + PERIOD - self.clock()))


def bounded_reasons(refused: Mapping[str, str]) -> dict[str, str]:
    """Return the first of the reasons, so short that a report takes them."""
    return {site: escape_unprintable(refused[site])[:REASON_LENGTH] for site in sorted(refused)[:MOST_SITES]}
