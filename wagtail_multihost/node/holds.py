"""
What is held on this node: nothing of it is applied, healed or moved until the hold ends. What has changed meanwhile
waits, and so does a change that disables or retires the site: a hold holds everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from wagtail_multihost.node.reading import Known, Table
from wagtail_multihost.node.specs import NODES, record_of
from wagtail_multihost.spec.site import STATES
from wagtail_multihost.spec.times import shown_text

EVERYTHING = ""
#: So many sites are named in a condition.
MOST_NAMED = 10
#: Characters of a reason in a condition.
REASON_SHOWN = 80
SERVES_ON = "it was disabled, suspended or retired meanwhile, and serves on until then"
WAITS = "a change waits"


class Held(NamedTuple):
    """A hold, and when it ends on this process's own clock, which nobody sets back."""

    until: str
    actor: str
    reason: str
    ends_at: float

    @property
    def sentence(self) -> str:
        return f"until {shown_text(self.until)} by {self.actor}: {self.reason[:REASON_SHOWN]}"


class Holds:
    """The holds in force: of ``sites`` by their ids, and of ``everything`` on this node."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.found: dict[str, Held] = {}

    def take(self, rows: Iterable[Table]) -> bool:
        """
        Keep what the database says now; of several holds of the same, the one that lasts longest. Return whether it is
        something else than before.
        """
        found: dict[str, Held] = {}
        for row in rows:
            site = str(row["site"] or EVERYTHING)
            held = Held(str(row["until"]), str(row["actor"]), str(row["reason"]), self.clock() + float(row["seconds"]))
            if site not in found or found[site].ends_at < held.ends_at:
                found[site] = held
        self.found, before = found, self.found
        return {site: held[:3] for site, held in found.items()} != {site: held[:3] for site, held in before.items()}

    @property
    def in_force(self) -> dict[str, Held]:
        now = self.clock()
        return {site: held for site, held in self.found.items() if held.ends_at > now}

    @property
    def everything(self) -> Held | None:
        """The hold of this whole node, if there is one."""
        return self.in_force.get(EVERYTHING)

    @property
    def sites(self) -> frozenset[str]:
        """The ids of the sites that are held one by one."""
        return frozenset(self.in_force) - {EVERYTHING}

    def bound(self, seconds: float) -> float:
        """Return how long to wait, at most so many ``seconds``, until the next hold ends."""
        return min([seconds, *(held.ends_at - self.clock() for held in self.in_force.values())])

    def describe(self, waiting: Collection[str] = (), stopped: Collection[str] = ()) -> str:
        """
        Return what is held, until when, by whom and why; of some sites a change is ``waiting``, and those ``stopped``
        should not be served any more.
        """
        everything, held = self.everything, self.in_force
        said = [f"Everything on this node is held {everything.sentence}."] if everything else []
        # First those that should not be served any more: nobody may overlook them.
        for site in sorted(self.sites, key=lambda site: (site not in stopped, site))[:MOST_NAMED]:
            more = SERVES_ON if site in stopped else WAITS if site in waiting else ""
            said.append(f"{site} is held {held[site].sentence}{f' ({more})' if more else ''}.")
        if len(self.sites) > MOST_NAMED:
            said.append(f"{len(self.sites) - MOST_NAMED} more sites are held.")
        return " ".join(said)


def hold_back(known: Known, before: Mapping[str, Table], held: Collection[str]) -> Known:
    """
    Return what is known with the ``held`` sites as they were ``before``: neither changed nor gone, and none of them
    new. Which nodes serve them is followed all the same: a front server that said that it knows is not asked again.
    """
    sites = dict(known.sites)
    for site in held:
        now = sites.pop(site, {})
        if site in before:
            sites[site] = {**before[site], **({NODES: now[NODES]} if NODES in now else {})}
    return known._replace(sites=sites)


def find_stopped(known: Known, before: Mapping[str, Table], held: Collection[str]) -> frozenset[str]:
    """Return the ``held`` sites that were served ``before``, and that the registry does not want to be served now."""
    served = (site for site in held if site in before and is_served(before[site]))
    return frozenset(site for site in served if site not in known.sites or not is_served(known.sites[site]))


def is_served(table: Table) -> bool:
    """Return whether a record says that the site is to be seen by visitors."""
    record = record_of(table)
    return record.get("enabled", True) is True and record.get("state", STATES[0]) == STATES[0]
