"""
What the operator process does again and again, in this order. Each tick does what is due and returns how much that was;
one that fails keeps no other from its work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.nodeapi.operator_v1 import SCHEMA
from wagtail_multihost.operations.operator.bundles import BundleKeys, BundleWriter
from wagtail_multihost.operations.operator.database import OperatorDatabase
from wagtail_multihost.operations.operator.folder import OperatorFolder
from wagtail_multihost.operations.operator.incident_round import IncidentRound
from wagtail_multihost.operations.operator.known_nodes import KnownNodes
from wagtail_multihost.operations.operator.placing import place_sites
from wagtail_multihost.operations.operator.probe_keys import ProbeKeys
from wagtail_multihost.operations.operator.pruning import HistoryPruner
from wagtail_multihost.operations.operator.recovery import Recovery
from wagtail_multihost.operations.operator.sealing_round import Sealer
from wagtail_multihost.operations.operator.site_keys import SiteKeys
from wagtail_multihost.spec.printing import one_line

logger = logging.getLogger(__name__)


class Operator:
    """
    What ticks work with, each ``poll`` seconds at least; ``bundles`` is the folder for those, and ``groups`` has the
    public keys of groups.
    """

    def __init__(
        self,
        folder: OperatorFolder,
        database: OperatorDatabase,
        bundles: Path | None = None,
        groups: Mapping[str, bytes] | None = None,
        poll: float = 10,
    ) -> None:
        self.folder, self.database, self.poll = folder, database, poll
        self.incidents = IncidentRound(database)
        recovery = Recovery(folder)
        self.site_keys = SiteKeys(database, recovery)
        self.probe_keys = ProbeKeys(self.site_keys)
        self.sealer = Sealer(database, recovery, KnownNodes(folder))
        self.history = HistoryPruner(database.ask)
        self.bundles: BundleWriter | None = None
        if bundles is not None:
            self.bundles = BundleWriter(bundles, BundleKeys(folder.bundle_key(), recovery, groups))

    def write_bundles(self) -> int:
        return self.bundles.tick(self.database.ask) if self.bundles else 0


class Tick(NamedTuple):
    """Something to do again and again: ``run`` does what is due, and returns how much that was."""

    name: str
    run: Callable[[Operator], int]


def sql_tick(function: str) -> Tick:
    """Return the tick that is a function of the operator's schema."""
    return Tick(function, lambda operator: int(operator.database.ask(f"SELECT {SCHEMA}.{function}()")[0][0]))


TICKS = (
    # First: whatever comes after it may wait for such a transaction, and end the round.
    sql_tick("end_long_transactions"),
    # Before the keys without which no site starts: what is new starts once, with all of them.
    Tick("probe keys", lambda operator: operator.probe_keys.make_missing()),
    Tick("incidents", lambda operator: operator.incidents.tick(operator.poll)),
    Tick("keys of new sites", lambda operator: operator.site_keys.make_missing()),
    Tick("sealing", lambda operator: operator.sealer.seal_what_is_missing()),
    Tick("placing", lambda operator: place_sites(operator.database.ask)),
    sql_tick("advance_waves"),
    sql_tick("advance_plans"),
    sql_tick("forget_nodes"),
    sql_tick("forget_sealed"),
    Tick("bundles", lambda operator: operator.write_bundles()),
    sql_tick("end_late_jobs"),
    Tick("old history", lambda operator: operator.history.prune_when_due()),
    sql_tick("forget_incidents"),
)


class Rounds:
    """Rounds of ``ticks``; ``failed`` has why some could not do their work the last time."""

    def __init__(self, operator: Operator, ticks: tuple[Tick, ...] = TICKS) -> None:
        self.operator, self.ticks = operator, ticks
        self.failed: dict[str, str] = {}

    def turn(self) -> int:
        """Do all that is due; return how much that was. Raises UnreachableError."""
        return sum(self.do(tick) for tick in self.ticks)

    def do(self, tick: Tick) -> int:
        try:
            count = tick.run(self.operator)
        except UnreachableError:
            raise
        except (MultihostError, OSError) as error:
            if self.failed.get(tick.name) != str(error):
                logger.error("%s: %s", tick.name, one_line(error))
            self.failed[tick.name] = str(error)
            return 0
        except Exception as error:
            # As by a row that nobody thought of: all nodes wait for the other ticks.
            if self.failed.get(tick.name) != repr(error):
                logger.exception("%s failed.", tick.name)
            self.failed[tick.name] = repr(error)
            return 0
        self.failed.pop(tick.name, None)
        if count:
            logger.info("%s: %s", tick.name, count)
        return count
