"""
Integrity: at times, and when somebody asks, this node is compared with what it should be. What differs is said, counted
and put right by the same transaction as a change, unless it is held. What nothing lists is never removed.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.emitters import Emitter
from wagtail_multihost.emitters.apply.lock import hold_lock
from wagtail_multihost.emitters.apply.output_folder import OutputFolder
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.files.writing import touch_file
from wagtail_multihost.node.applying import NOBODY, Applier, Work
from wagtail_multihost.node.comparing import LOCK_SECONDS, compare_folders, compare_output, find_drift, site_files
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.drift import HEALABLE, Drift, describe_drift, sites_of
from wagtail_multihost.node.fronts import FrontServer
from wagtail_multihost.node.specs import Specs
from wagtail_multihost.nodeapi.drift_kinds import GENERATION, SILENT, START, UNLISTED
from wagtail_multihost.nodeapi.node_states import DRIFT
from wagtail_multihost.registry.release import read_release

logger = logging.getLogger(__name__)

#: So many sites at a time are started again because nobody listens at their sockets.
MOST_STARTED = 5
#: So many differences of one look are in the log.
MOST_LOGGED = 50
HEALED, IN_PART, WAITS, NOT_HEALED = "Healed", "HealedInPart", "Held", "NotHealed"
IS_HELD, NEVER_REMOVED = "It is held.", "Nothing that is unlisted is removed."


class Healing(NamedTuple):
    """How putting right went, in a word as ``reason``; where not all was, ``why``; and what was ``healed``."""

    reason: str
    why: str = ""
    healed: Collection[Drift] = ()


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
        return self.compare(
            conditions, lambda: find_drift(self.applier, specs, ignored), lambda found: self.heal(specs, found, held)
        )

    def look_at_front(self, front: FrontServer, conditions: Conditions, held: Collection[str]) -> bool:
        """Do the same for a front server, whose files are of all sites together."""
        return self.compare(conditions, lambda: find_front_drift(front), lambda found: heal_front(front, found, held))

    def compare(
        self, conditions: Conditions, find: Callable[[], list[Drift]], heal: Callable[[Sequence[Drift]], Healing]
    ) -> bool:
        """Find, heal and say what differs; return whether anything was put right."""
        self.put_off()
        try:
            found = find()
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
        try:
            done = heal(found)
        except (MultihostError, OSError) as error:
            logger.error("What differs cannot be put right: %s", error)
            done = Healing(NOT_HEALED, str(error))
        # What was put right has not differed when it does again.
        self.before -= frozenset(done.healed)
        message = f"{len(found)} found, {self.count}{START}{describe_drift(found)}. {done.why}"
        conditions.set(DRIFT, status=True, reason=done.reason, message=message.rstrip())
        return done.reason in (HEALED, IN_PART)

    def heal(self, specs: Specs, found: Sequence[Drift], held: Collection[str]) -> Healing:
        """Put right what can be; return how that went. Raises MultihostError and OSError."""
        free = [one for one in found if one.site not in held]
        # What is left of a site that is disabled goes; what no record has stays.
        healable = [one for one in free if one.kind in HEALABLE or (one.kind == UNLISTED and one.site in specs.sites)]
        silent = sorted(one.site for one in free if one.kind == SILENT and one.site)[:MOST_STARTED]
        if not healable and not silent:
            return Healing(NOT_HEALED, NEVER_REMOVED) if free else Healing(WAITS, IS_HELD)
        if healable:
            self.apply_again(specs, healable, held)
        self.start_again(silent)
        healed = {*healable, *(one for one in free if one.site in silent)}
        return Healing(HEALED if len(healable) + len(silent) == len(found) else IN_PART, healed=healed)

    def apply_again(self, specs: Specs, found: Sequence[Drift], held: Collection[str]) -> None:
        """Write again what differs; raises MultihostError where that is refused, and the old files are back."""
        sites = sites_of(found) & specs.sites.keys()
        # What all sites share is written with any of them.
        chosen = sites or frozenset(sorted(specs.sites.keys() - set(held))[:1])
        if not chosen:
            raise MultihostError("What the sites share is written with a site, and there is none that is not held.")
        release = read_release(self.applier.options.release)
        ask_for_reload(self.applier.options.output, self.applier.targets, found)
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
                    touch_file(str(path))
                    logger.warning("Nobody listened for %s: it is started again.", site)


def ask_for_reload(output: Path, targets: Iterable[Emitter], found: Iterable[Drift]) -> None:
    """Let the next apply reload what does not use the files that there are."""
    if any(one.kind == GENERATION for one in found):
        folder = OutputFolder(output)
        with hold_lock(folder, LOCK_SECONDS):
            Pending(folder).add({target.name: [] for target in targets if target.generation})


def find_front_drift(front: FrontServer) -> list[Drift]:
    """Return what differs from what was applied last; raises ConfigurationError and EmitError."""
    if front.plan is None or front.specs is None:
        return []
    found = compare_output(front.options, front.targets, front.plan, front.specs)
    return [*found, *compare_folders(front.options.output)]


def heal_front(front: FrontServer, found: Sequence[Drift], held: Collection[str]) -> Healing:
    """Apply again what was applied last, of the sites that are not held; return how that went."""
    plan, free = front.plan, [one for one in found if one.site not in held]
    healable = [one for one in free if one.kind in HEALABLE]
    if plan is None or not healable:
        return Healing(NOT_HEALED, NEVER_REMOVED) if free else Healing(WAITS, IS_HELD)
    ask_for_reload(front.options.output, front.targets, healable)
    # Never none, which would be all.
    only = frozenset({NOBODY, *(site.id for site in plan.sites)} - set(held))
    front.apply_plan(replace(plan, only=only), force=True)
    front.plan = plan
    logger.warning("What differed was put right: %s.", describe_drift(healable))
    return Healing(HEALED if len(healable) == len(found) else IN_PART, healed=healable)
