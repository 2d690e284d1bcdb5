"""
Integrity: at times, and when somebody asks, this node is compared with what it should be. What differs is said, counted
and put right by the same transaction as a change, unless it is held. What nothing lists is never removed.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Collection, Sequence

from wagtail_multihost.emitters.apply.output_folder import OutputFolder
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.applying import Applier, Work
from wagtail_multihost.node.comparing import find_drift, site_files
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.drift import GENERATION, HEALABLE, SILENT, UNLISTED, Drift, describe_drift, sites_of
from wagtail_multihost.node.specs import Specs
from wagtail_multihost.nodeapi.node_states import DRIFT
from wagtail_multihost.registry.release import read_release

logger = logging.getLogger(__name__)

#: So many sites at a time are started again because nobody listens at their sockets.
MOST_STARTED = 5
#: So many differences of one look are in the log.
MOST_LOGGED = 50
HEALED, IN_PART, WAITS, NOT_HEALED = "Healed", "HealedInPart", "Held", "NotHealed"


class Integrity:
    """The looks at one node: when the next one is due, and how many differences there were since the start."""

    def __init__(self, applier: Applier, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.applier = applier
        self.seconds = seconds
        self.clock = clock
        self.count = 0
        self.before: frozenset[Drift] = frozenset()
        self.due_at = 0.0
        self.put_off()

    def put_off(self) -> None:
        """Look again after the usual time; not all nodes at once."""
        self.due_at = self.clock() + self.seconds * random.uniform(0.8, 1.2)  # noqa: S311

    def ask(self) -> None:
        """Look as soon as possible."""
        self.due_at = self.clock()

    @property
    def is_due(self) -> bool:
        return self.clock() >= self.due_at

    def bound(self, seconds: float) -> float:
        """Return how long to wait, at most so many ``seconds``, until the next look."""
        return min(seconds, max(0.0, self.due_at - self.clock()))

    def look(self, specs: Specs, conditions: Conditions, held: Collection[str], ignored: Collection[str]) -> bool:
        """
        Compare the node with the specs, put right what is not ``held``, and say in the condition Drift what was found;
        return whether anything was put right. Nothing is said of the ``ignored`` sites.
        """
        self.put_off()
        try:
            found = find_drift(self.applier, specs, ignored)
        except (MultihostError, OSError) as error:
            logger.warning("The node cannot be compared with what it should be: %s", error)
            return False
        new = frozenset(found) - self.before
        self.count += len(new)
        for one in sorted(new)[:MOST_LOGGED]:
            logger.warning("Drift: %s", one.sentence)
        if len(new) > MOST_LOGGED:
            logger.warning("Drift: %s more. multihost-agent --check lists them.", len(new) - MOST_LOGGED)
        self.before = frozenset(found)
        if not found:
            conditions.set(DRIFT, status=False, message=f"{self.count} since the start." if self.count else "")
            return False
        reason, why = self.heal(specs, found, held)
        message = f"{len(found)} found, {self.count} since the start: {describe_drift(found)}. {why}"
        conditions.set(DRIFT, status=True, reason=reason, message=message.rstrip())
        return reason in (HEALED, IN_PART)

    def heal(self, specs: Specs, found: Sequence[Drift], held: Collection[str]) -> tuple[str, str]:
        """Put right what can be; return how that went in a word and, where not, why."""
        free = [one for one in found if one.site not in held]
        # What is left of a site that is disabled goes; what no record has stays.
        healable = [one for one in free if one.kind in HEALABLE or (one.kind == UNLISTED and one.site in specs.sites)]
        silent = sorted(one.site for one in free if one.kind == SILENT and one.site)[:MOST_STARTED]
        if not healable and not silent:
            return (NOT_HEALED, "Nothing that is unlisted is removed.") if free else (WAITS, "It is held.")
        try:
            if healable:
                self.apply_again(specs, healable, held)
            self.start_again(silent)
        except (MultihostError, OSError) as error:
            logger.error("What differs cannot be put right: %s", error)
            return NOT_HEALED, str(error)
        # What was put right has not differed when it does again.
        self.before -= {*healable, *(one for one in free if one.site in silent)}
        return (HEALED if len(healable) + len(silent) == len(found) else IN_PART), ""

    def apply_again(self, specs: Specs, found: Sequence[Drift], held: Collection[str]) -> None:
        """Write again what differs; raises MultihostError where that is refused, and the old files are back."""
        sites = sites_of(found) & specs.sites.keys()
        # What all sites share is written with any of them.
        chosen = sites or frozenset(sorted(specs.sites.keys() - set(held))[:1])
        if not chosen:
            raise MultihostError("What the sites share is written with a site, and there is none that is not held.")
        options = self.applier.options
        release = read_release(options.release)
        if any(one.kind == GENERATION for one in found):
            shown = [target.name for target in self.applier.targets if target.generation]
            Pending(OutputFolder(options.output)).add({name: [] for name in shown})
        refused = self.applier.publish(specs, sites, release, replaces=True)
        if refused:
            raise MultihostError("; ".join(f"{site}: {why}" for site, why in sorted(refused.items())))
        work = Work(specs, chosen, frozenset(), specs.sites)
        self.applier.emit(work, specs.sites, chosen, release, force=True)
        self.applier.remove_snapshots(specs, [site for site in sites if not specs.sites[site].enabled])
        logger.warning("What differed was put right: %s.", describe_drift(found))

    def start_again(self, sites: Collection[str]) -> None:
        """Make the servers of the sites start them again: uWSGI's emperor does when a vassal's file is newer."""
        for site in sites:
            for path in site_files(self.applier.targets, self.applier.options.output, site):
                if path.exists():
                    os.utime(path, follow_symlinks=False)
                    logger.warning("Nobody listened for %s: it is started again.", site)
