"""
The agent's loop: read what has changed, apply it, report, and wait. It converges to what the registry says now,
whatever it missed, and changes nothing where it cannot know.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.node.bundle import Bundle, BundleFile, merge_bundle
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.converging import Convergence
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.node.draining import leave
from wagtail_multihost.node.entering import Entrance
from wagtail_multihost.node.fronts import FrontServer
from wagtail_multihost.node.integrity import Integrity
from wagtail_multihost.node.inventory import InventoryReporter
from wagtail_multihost.node.joining import Login
from wagtail_multihost.node.on_disk import uids_of
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.reading import IncompleteError, NodeReading, WentBackError, merge_reading, needs_whole
from wagtail_multihost.node.reporting import PERIOD, Reporter
from wagtail_multihost.node.rereads import Rereads
from wagtail_multihost.node.retrying import FIRST_AWAY, LONGEST_AWAY, Retries
from wagtail_multihost.node.site_processes import put_back_vassals
from wagtail_multihost.node.supervising import Supervisor
from wagtail_multihost.node.usage import UsageReporter, find_counting
from wagtail_multihost.node.waiting import Waiter
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.node_states import (
    APPLIED,
    DRAINING,
    IS_DRAINING,
    NO_BELL,
    REGISTRY_UNREACHABLE,
    REGISTRY_WENT_BACK,
)
from wagtail_multihost.stopping import is_told_to_stop

if TYPE_CHECKING:
    from wagtail_multihost.node.healer import Healer

logger = logging.getLogger(__name__)

#: Seconds between two reads while the bell is not heard.
WITHOUT_BELL = 2.0


class Agent:
    """
    The agent of a node. ``stopping`` is a descriptor that can be read once it is to stop; ``let_go`` are sites whose
    files may be removed although the registry does not list them.
    """

    def __init__(
        self, options: AgentOptions, environ: Mapping[str, str], stopping: int, let_go: Collection[str] = ()
    ) -> None:
        self.options, self.stopping = options, stopping
        self.database = NodeDatabase(options.registry)
        self.login = Login(options)
        self.conditions = Conditions()
        self.convergence = Convergence(options, environ, self.conditions, lambda: is_told_to_stop(stopping), let_go)
        self.planner = self.convergence.planner
        self.integrity = Integrity(self.convergence.applier, options.integrity)
        self.entrance = Entrance(self.database, self.planner, self.conditions, options.start_seconds)
        self.bundle = BundleFile(options)
        #: What is in use because of it, while the registry does not answer.
        self.started_from: Bundle | None = None
        self.reporter = Reporter(self.database, self.conditions)
        self.inventory = InventoryReporter(self.database)
        self.usage = UsageReporter(self.database, lambda: self.planner.folder)
        self.rereads = Rereads()
        self.waiter = Waiter(self.database, stopping, self.rereads.descriptor)
        self.supervisor = Supervisor(environ, options.ready)
        self.outage = Retries(FIRST_AWAY, LONGEST_AWAY)
        #: What heals sites beside this, where a monitor is; and who restarts processes of a site at a time.
        self.healer: Healer | None = None
        self.restarting = threading.Lock()
        self.has_read = False
        #: Whether anything was read that nobody tried to apply yet.
        self.has_news = False
        self.is_ready = False

    def start(self) -> None:
        """
        Recall what was known before this start, so that an older state is noticed and the database may be away. What a
        killed agent has taken away for a moment is put back first: what is applied removes what is not served any more.
        """
        try:
            put_back_vassals(self.options.output)
        except OSError as error:
            logger.warning("What was taken away for a restart cannot be put back: %s.", error)
        try:
            self.convergence.recall()
        except ConfigurationError as error:
            logger.warning("%s", error)

    # One turn

    def turn(self) -> float:
        """
        Read and apply what has changed, compare this node with what it should be where that is due, and report; return
        how many seconds to wait at most.
        """
        seconds = self.follow()
        self.look()
        self.note_health()
        if seconds is None:
            self.entrance.advance()
            self.reporter.report(self.planner.applied, self.planner.unapplied, self.entrance.starting)
            self.inventory.report(self.planner.specs)
            self.usage.report(find_counting(self.planner))
            seconds = self.pause
        return self.integrity.bound(seconds) if self.can_look else seconds

    def follow(self) -> float | None:
        """Read and apply what has changed; return when to ask again while the registry does not answer."""
        asked = self.rereads.take()
        try:
            if url := self.login.find(self.planner.folder):
                self.database.follow(url)
            self.has_news = self.read(asked) or self.has_news
            if self.has_news and not asked:
                self.waiter.settle(lambda: self.read(()))
        except (UnreachableError, RefusedError) as error:
            self.login.note_refusal(error)
            self.rereads.finish({}, str(error))
            return self.go_without(str(error))
        except (WentBackError, IncompleteError) as error:
            self.refuse(error)
            self.rereads.finish({}, str(error))
        else:
            self.note_registry()
            self.converge(is_new=self.has_news)
            self.has_news = False
            self.rereads.finish(self.planner.unapplied, self.convergence.problem)
        return None

    def converge(self, *, is_new: bool) -> None:
        """Apply what is owed, if it is time."""
        failures = self.planner.retries.failures
        if self.convergence.converge(is_new=is_new):
            self.waiter.note_change()
            self.reporter.note_change()
            self.entrance.note_change()
        if self.convergence.problem and self.planner.retries.failures > failures:
            # What was edited by hand is in the way of every change until it is put right.
            self.integrity.ask()
        self.become_ready()

    @property
    def can_look(self) -> bool:
        """Whether there is anything to compare this node with, and nobody holds all of it."""
        return self.planner.has_standing and not self.planner.holds.everything

    def look(self) -> None:
        """Compare this node with what it should be, if it is time, and put right what differs."""
        if not self.can_look or not self.integrity.is_due:
            return
        held = self.planner.held
        try:
            standing = self.planner.find_standing()
        except MultihostError as error:
            logger.warning("The node cannot be compared with what it should be: %s", error)
            self.integrity.put_off()
            return
        if isinstance(standing, FrontServer):
            is_healed = self.integrity.look_at_front(standing, self.conditions, held)
        else:
            is_healed = self.integrity.look(standing, self.conditions, held, held & self.planner.owed.outdated)
        if is_healed and self.planner.retries.failures == 1:
            self.planner.retries.hasten()

    @property
    def is_applied(self) -> bool:
        """Whether all that the registry says now is in use."""
        return self.planner.is_in_use and not self.planner.is_owing and not self.outage.failures

    @property
    def pause(self) -> float:
        """Seconds until the next turn, if nothing rings before."""
        poll = self.options.poll if self.database.has_bell else min(WITHOUT_BELL, self.options.poll)
        seconds = min(poll * random.uniform(0.8, 1.2), self.reporter.bound(PERIOD))  # noqa: S311  # not all at once
        return self.planner.retries.bound(self.planner.holds.bound(self.entrance.bound(seconds)))

    def wait(self, seconds: float) -> None:
        """Wait for a bell, at most so many seconds; what is still to be kept is written in between."""
        keeper = self.planner.keeper
        self.waiter.wait(keeper.bound(seconds))
        if keeper.bound(1) == 0:
            keeper.write()

    def stop(self) -> None:
        """Leave as the node file wants it, and keep what was not kept yet."""
        self.supervisor.tell_stopping()
        self.planner.keeper.write()
        if self.options.drains:
            leave(self.database, self.options.drain_seconds, self.stopping)

    # Reading

    def read(self, asked: Collection[str]) -> bool:
        """
        Read what has changed, with as little as that takes, and the sites that are ``asked`` for; return whether there
        is anything to apply because of it.
        """
        before = self.planner.known
        # What was known before a start may be of another version of the agent.
        reading = (
            self.database.read(before.revision, before.serial, asked) if before and self.has_read else self.read_all()
        )
        merged = None if needs_whole(before, reading) else merge_reading(before, reading, self.find_strangers())
        if merged is None:
            merged = merge_reading(before, self.read_all(), self.find_strangers())
        if merged is None:
            raise IncompleteError("The database does not say how many sites this node has.")
        self.has_read = True
        return self.convergence.take(merged, asked)

    def read_all(self) -> NodeReading:
        known = self.planner.known
        return self.database.read(also=[*(known.sites if known else ()), *self.find_strangers()])

    def find_strangers(self) -> Mapping[str, str]:
        """Return the uids of the sites that have files here and are not known; there are none once all is applied."""
        if self.planner.is_in_use:
            return {}
        known = self.planner.known
        strangers = self.planner.on_disk - (known.sites.keys() if known else set())
        return uids_of(strangers, self.planner.snapshots)

    # Saying how it is

    def note_registry(self) -> None:
        """Say that the registry answers, and what it says of this node."""
        if self.outage.failures:
            logger.info("The registry answers again.")
        self.outage.clear()
        self.started_from = None
        self.conditions.set(REGISTRY_UNREACHABLE, status=False)
        self.conditions.set(REGISTRY_WENT_BACK, status=False)
        self.conditions.set(NO_BELL, status=not self.database.has_bell)
        self.conditions.set(IS_DRAINING, status=self.entrance.state == DRAINING)

    def become_ready(self) -> None:
        """Say so once everything was applied, or while nothing is to be applied because this node is held."""
        is_held = self.planner.holds.everything and self.planner.has_former
        if not self.is_ready and (self.planner.is_in_use or is_held):
            self.is_ready = True
            self.supervisor.tell_ready()

    def note_health(self) -> None:
        """Say what the healer says of sites and of this node, to the registry and to whoever asks here."""
        said = self.healer.said if self.healer else {}
        for kind, one in said.items():
            self.conditions.set(kind, status=one.status, message=one.message)
        if self.is_ready:
            self.supervisor.show_health(
                is_healthy=not (self.healer and self.healer.is_unhealthy), marker=self.planner.unhealthy_marker
            )

    def refuse(self, error: WentBackError | IncompleteError) -> None:
        """Make nothing of an answer, and say why, once."""
        before = self.conditions.found.get(APPLIED)
        self.conditions.set(REGISTRY_WENT_BACK, status=isinstance(error, WentBackError), message=str(error))
        self.conditions.set(APPLIED, status=False, reason=type(error).__name__, message=str(error))
        if self.conditions.found[APPLIED] is not before:
            logger.error("%s Everything stays as it is.", error)

    # Without the registry

    def go_without(self, reason: str) -> float:
        """
        Leave everything as it is while the registry does not answer, but for what was known before and has failed;
        return when to ask again.
        """
        if not self.outage.failures:
            logger.warning("%s Sites serve on as they are.", reason)
        self.take_bundle()
        has_failed = self.planner.retries.is_due
        if self.started_from or has_failed or self.convergence.has_new_local_changes():
            self.converge(is_new=False)
        bundle = self.started_from
        age = f" What is applied is from a bundle that was made {bundle.age} ago." if bundle else ""
        self.conditions.set(REGISTRY_UNREACHABLE, status=True, message=f"{reason}{age}")
        if not self.is_ready:
            self.start_without()
        return self.outage.fail(random.uniform(0.5, 1))  # noqa: S311  # so that not all nodes ask at once

    def take_bundle(self) -> None:
        """Know what a newer bundle says. What it does not have stays: it does not say that it is gone."""
        bundle = self.bundle.read_newer(self.planner.known)
        if bundle is None:
            return
        logger.warning("Starting from the bundle of revision %s, made %s ago.", bundle.known.revision, bundle.age)
        self.convergence.take(merge_bundle(self.planner.known, bundle.known))
        self.started_from, self.has_read = bundle, False

    def start_without(self) -> None:
        """Be ready with what was applied before this start; on an empty disk there is nothing to be ready with."""
        if self.planner.has_former:
            logger.warning("What was applied before is kept as it is.")
            self.is_ready = True
            self.supervisor.tell_ready()
