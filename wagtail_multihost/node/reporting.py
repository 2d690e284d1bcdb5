"""
What a node says to the registry: at once when something is other than before here, soon when only the registry has
another revision, and otherwise that it is there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from uuid import UUID, uuid4

from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.cutting import cut_text, json_size
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.node_states import DUPLICATE_NODE
from wagtail_multihost.spec.printing import escape_unprintable
from wagtail_multihost.version import own_version

logger = logging.getLogger(__name__)

#: Seconds after which it is said again that the node is there.
PERIOD = 30.0
#: The same for a revision that has changed nothing here. Most are such, and each report is a transaction.
PAUSE = 1.0
#: Bytes of one refused site with its reason, and of all of them: the database takes no report without a bound.
SITE_BYTES, MOST_BYTES = 400, 150_000
#: Between two of them, and between a site and its reason.
PUNCTUATION = 4
#: With more, the node does not say which sites listen, and so is asked for none that is new there.
MOST_STARTING = 500


class Reporter:
    """Reports for one process of the agent, which is told from a second one under the same id by its ``boot``."""

    def __init__(
        self, database: NodeDatabase, conditions: Conditions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.database, self.conditions, self.clock = database, conditions, clock
        self.boot: UUID = uuid4()
        self.told: tuple[int, dict[str, str], list[str] | None] | None = None
        self.told_at = 0.0
        #: Whether something is to be told at once, and whether there is anything to be told soon.
        self.is_due = self.is_owing = False

    def note_change(self) -> None:
        """Say that something was just applied."""
        self.is_due = True

    def report(self, applied: int, refused: Mapping[str, str], starting: Collection[str] | None) -> None:
        """
        Say what is applied and how the node is, if it is time; a database that is away is told later. ``starting`` are
        the sites that do not listen yet; None if that is not known.
        """
        sites, unready = bounded_reasons(refused), bounded_ids(starting)
        if len(sites) < len(refused):
            # What is not named would be taken for applied, and be asked for.
            applied = self.told[0] if self.told else 0
        telling = (applied, sites, unready)
        is_other = self.told is None or self.told[1:] != telling[1:]
        self.is_due = self.is_due or is_other or self.conditions.changed
        self.is_owing = self.told != telling
        if not self.is_due and self.bound(PERIOD) > 0:
            return
        self.is_due = self.is_owing = False
        try:
            rows = self.conditions.rows(self.database.now())
            is_duplicate = self.database.report(self.boot, applied, own_version(), rows, sites, unready)
        except (UnreachableError, RefusedError) as error:
            logger.warning("%s", error)
            self.told, self.told_at = None, self.clock()
            return
        self.told, self.told_at = telling, self.clock()
        self.conditions.changed = False
        if is_duplicate and not self.conditions.holds(DUPLICATE_NODE):
            logger.error("Another agent reports as this node too. Both go on; give one of them another id.")
        self.conditions.set(DUPLICATE_NODE, status=is_duplicate)

    def bound(self, seconds: float) -> float:
        """Return how long to wait, at most so many ``seconds``, until the next report is due."""
        period = PAUSE if self.is_owing else PERIOD
        return min(seconds, max(0.0, self.told_at + period - self.clock()))


def bounded_ids(starting: Collection[str] | None) -> list[str] | None:
    """Return the sites that do not listen yet; None if there are so many that a report has no room for all."""
    return None if starting is None or len(starting) > MOST_STARTING else sorted(starting)


def bounded_reasons(refused: Mapping[str, str]) -> dict[str, str]:
    """Return the reasons, each cut so that a report takes all of them; of far too many sites, the first that fit."""
    found: dict[str, str] = {}
    share = min(SITE_BYTES, MOST_BYTES // max(1, len(refused)))
    left = MOST_BYTES
    for site in sorted(refused):
        size = json_size(site) + PUNCTUATION
        reason = cut_text(escape_unprintable(refused[site][:share]), share - size)
        left -= size + json_size(reason)
        if left < 0:
            break
        found[site] = reason
    return found
