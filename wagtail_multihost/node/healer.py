"""
Healing beside the agent's own work, which never waits for it: a thread passes on what the monitor says, asks the
database before each step, and takes it. Everything is decided in :mod:`~wagtail_multihost.node.healing`.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.node.heal_memory import Memory, keep_memory, read_memory
from wagtail_multihost.node.healing import (
    THE_NODE,
    Ladder,
    Plan,
    Rules,
    Sight,
    Wish,
    note_refused,
    note_taken,
    plan_steps,
)
from wagtail_multihost.node.monitor_link import MonitorLink, Saying
from wagtail_multihost.node.options import NODE as REACHES_NODE
from wagtail_multihost.node.options import NOTHING
from wagtail_multihost.node.probe_targets import list_targets
from wagtail_multihost.node.sights import Standing, find_sights
from wagtail_multihost.node.site_processes import can_restart
from wagtail_multihost.node.specs import Specs
from wagtail_multihost.node.taking_steps import StepTaker
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.heal_steps import (
    APPLY,
    DONE,
    GRANTED,
    HEALED,
    NODE,
    READ,
    REFUSALS,
    RESTART,
    STEPS,
    STOP,
    UNREACHABLE,
)
from wagtail_multihost.nodeapi.healing_v1 import END_STEP, MAY_HEAL, MAY_STAY_UNHEALTHY
from wagtail_multihost.nodeapi.node_states import HEALING, UNHEALTHY
from wagtail_multihost.nodeapi.probe_files import Observed, Target, read_clock
from wagtail_multihost.registry.release import read_release
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.stopping import is_told_to_stop

if TYPE_CHECKING:
    from wagtail_multihost.node.agent import Agent

logger = logging.getLogger(__name__)

#: Seconds between two looks, and that the thread has to stop when the agent does.
LOOK_SECONDS, STOP_SECONDS = 5.0, 20.0
#: Seconds until it is asked again whether a node may go on to say that it is unhealthy.
CONFIRM_SECONDS = 30.0
HOUR = 3600.0
MOST_NAMED = 10
STORM = "So many sites do not answer that none is restarted by itself."
TO_BE_REPLACED = "No step has helped, and others serve its sites: whoever runs the node is to replace it."


class Answer(NamedTuple):
    """Whether a step may be taken, in a word, and what the database knows it as; blank where it does not."""

    word: str
    row: str = ""


class Healer:
    """Heals the node of an ``agent``. The agent's own thread reads ``said`` and ``is_unhealthy``."""

    def __init__(
        self,
        agent: Agent,
        targets: Path,
        observations: Path,
        clock: Callable[[], float] = read_clock,
        wall: Callable[[], float] = time.time,
    ) -> None:
        options = agent.options
        self.agent, self.options, self.clock, self.wall = agent, options, clock, wall
        self.url = agent.database.target.url
        self.database = NodeDatabase(self.url, listens=False)
        self.link = MonitorLink.of(options.node, targets, observations, options.monitor_user, self.ask)
        self.taker = StepTaker(agent, self.is_stopping)
        self.rules = Rules(options.heal_pause, can_restart(options), options.heal == REACHES_NODE)
        self.folder = agent.planner.folder
        self.memory = self.recall()
        self.kept = self.memory
        self.acted = {THE_NODE: clock()}
        self.listed: tuple[Specs, Codebase, Sequence[Target]] | None = None
        self.is_unhealthy = False
        self.confirmed_at = 0.0
        #: Why nothing can be done at all.
        self.problem = ""
        #: Conditions, which the agent reports.
        self.said: Mapping[str, Saying] = {}
        self.ended, self.end = os.pipe()
        self.thread = threading.Thread(target=self.run, name="healing", daemon=True)

    def recall(self) -> Memory:
        """Return what was done before this start. What the node said of itself is over with it."""
        try:
            memory = read_memory(self.folder)
        except ConfigurationError as error:
            logger.warning("%s What was done for sites before is not known.", error)
            return Memory()
        return memory

    # The thread

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        os.close(self.end)
        self.thread.join(STOP_SECONDS)
        if not self.thread.is_alive():
            os.close(self.ended)

    def is_stopping(self) -> bool:
        return is_told_to_stop(self.agent.stopping) or bool(select.select([self.ended], [], [], 0)[0])

    def run(self) -> None:
        while not self.is_stopping():
            try:
                self.turn()
                self.problem = ""
            except MultihostError as error:
                if str(error) != self.problem:
                    logger.warning("Nothing is healed for now: %s", error)
                self.problem = str(error)
            except Exception:
                logger.exception("Nothing is healed for now.")
                self.database.close()
            select.select([self.ended], [], [], LOOK_SECONDS)
        self.database.close()

    def ask(self, statement: str, values: tuple[Any, ...]) -> Any:
        """Return the first row of an answer; raises UnreachableError and RefusedError."""
        if self.url != (url := self.agent.database.target.url):
            self.url = url
            self.database.follow(url)
        return self.database.ask(statement, values)

    # One look

    def turn(self) -> None:
        """Pass on what the monitor says, take the steps that are due, and say how the node is."""
        specs, known = self.agent.planner.specs, self.agent.planner.known
        if specs is None or known is None or self.agent.planner.is_front:
            return
        observed = self.link.look(self.find_targets(specs))
        if observed is not None:
            self.link.pass_on(observed)
        plan = self.heal(specs, observed) if self.options.heal != NOTHING else Plan({})
        self.tell(plan)

    def find_targets(self, specs: Specs) -> Sequence[Target]:
        """Return what is to be asked: the same list as long as it is of the same specs and release."""
        codebase = read_release(self.options.release).codebase
        if self.listed is None or self.listed[0] is not specs or self.listed[1] != codebase:
            self.listed = (specs, codebase, list_targets(specs.platform, specs.sites.values(), codebase))
        return self.listed[2]

    def heal(self, specs: Specs, observed: Observed | None) -> Plan:
        """Take the steps that are due; return what was planned."""
        sights = find_sights(self.find_standing(specs), observed)
        plan = plan_steps(self.memory.ladders, sights, self.acted, self.wall(), self.rules)
        for site in plan.healed:
            self.note_outcome(plan.ladders[site].row, HEALED)
        self.memory = self.memory._replace(ladders=plan.ladders)
        self.mind_node(plan, is_seen=observed is not None)
        for wish in plan.wishes:
            if self.is_stopping():
                break
            self.take(wish, specs, sights)
        self.keep()
        return plan._replace(ladders=self.memory.ladders)

    def find_standing(self, specs: Specs) -> Standing:
        planner, entrance = self.agent.planner, self.agent.entrance
        known = planner.known
        is_starting = time.monotonic() - entrance.changed_at < self.options.start_seconds
        return Standing(
            specs.sites,
            known.sites if known else {},
            entrance.state,
            planner.holds.sites | planner.kept,
            planner.holds.everything is not None,
            tuple(entrance.starting or ()) if is_starting else (),
        )

    # Steps

    def take(self, wish: Wish, specs: Specs, sights: Mapping[str, Sight]) -> None:
        """Take a step if the database lets the node."""
        answer = self.ask_for(wish, sights)
        ladders = self.memory.ladders
        if answer.word != GRANTED:
            if ladders.get(wish.site, Ladder()).refused != answer.word:
                logger.warning("%s: not %s: %s", wish.site or "this node", wish.step, REFUSALS[answer.word])
            self.memory = self.memory._replace(ladders=note_refused(ladders, wish, answer.word, self.wall()))
            return
        logger.warning("%s: %s", wish.site or "this node", STEPS[wish.step])
        # Before it is taken: a step that kills the agent is not taken again at once.
        self.memory = self.memory._replace(ladders=note_taken(ladders, wish, answer.row, self.wall()))
        self.keep()
        if wish.step == NODE:
            self.is_unhealthy, self.confirmed_at = True, self.clock()
            self.agent.rereads.wake()
        outcome = self.taker.carry_out(wish, specs)
        if wish.site:
            self.acted[wish.site] = self.clock()
            self.note_outcome(answer.row, outcome)

    def ask_for(self, wish: Wish, sights: Mapping[str, Sight]) -> Answer:
        """Ask the database for a step. While it is away, only what cannot hurt is done, and what the node file says."""
        uid = sights[wish.site].uid if wish.site else None
        try:
            word, row = self.ask(MAY_HEAL, (uid, wish.step))
        except (UnreachableError, RefusedError):
            return Answer(GRANTED if wish.step in (READ, APPLY, STOP) or self.may_restart_alone(wish) else UNREACHABLE)
        return Answer(str(word) if word == GRANTED or word in REFUSALS else UNREACHABLE, str(row or ""))

    def may_restart_alone(self, wish: Wish) -> bool:
        """Return whether a site may be restarted without the database's word; each that is counts."""
        now = self.wall()
        lately = tuple(at for at in self.memory.alone if now - HOUR < at <= now)
        if wish.step != RESTART or len(lately) >= self.options.heal_alone:
            return False
        self.memory = self.memory._replace(alone=(*lately, now))
        return True

    def note_outcome(self, row: str, outcome: str) -> None:
        """Tell the database what became of a step. Where it is away, it is not told."""
        if row:
            try:
                self.ask(END_STEP, (row, outcome))
            except (UnreachableError, RefusedError) as error:
                logger.warning("%s", error)

    # The node

    def mind_node(self, plan: Plan, *, is_seen: bool) -> None:
        """
        Let the node be healthy again once enough of its sites are, or the monitor is silent, or the database does not
        say any more that others serve them.
        """
        node = plan.ladders.get(THE_NODE, Ladder())
        if not self.is_unhealthy:
            # It was said before this start, which is what was wanted.
            if node.row:
                self.end_unhealthy(DONE)
            return
        if not is_seen or not plan.is_worn:
            self.end_unhealthy(HEALED if is_seen else DONE)
        elif self.clock() - self.confirmed_at >= CONFIRM_SECONDS and not self.may_stay_unhealthy():
            self.end_unhealthy(DONE)

    def may_stay_unhealthy(self) -> bool:
        try:
            row = self.ask(MAY_STAY_UNHEALTHY, ())
        except (UnreachableError, RefusedError):
            return False
        self.confirmed_at = self.clock()
        return bool(row and row[0] == GRANTED)

    def end_unhealthy(self, outcome: str) -> None:
        node = self.memory.ladders.get(THE_NODE, Ladder())
        if self.is_unhealthy:
            logger.warning("This node does not say any more that it is unhealthy.")
        self.is_unhealthy = False
        self.note_outcome(node.row, outcome)
        self.memory = self.memory._replace(ladders={**self.memory.ladders, THE_NODE: node._replace(row="")})

    # What is said and kept

    def tell(self, plan: Plan) -> None:
        """Say what is done for which sites; the agent reports it, at once if it is something new."""
        ladders = {site: one for site, one in plan.ladders.items() if site and not one.well_at and is_told(one)}
        lines = [describe(site, ladder) for site, ladder in sorted(ladders.items())[:MOST_NAMED]]
        lines += [STORM] if plan.is_storm else []
        node = plan.ladders.get(THE_NODE, Ladder())
        lines += [describe("the node", node)] if node.refused else []
        said = {
            **self.link.said,
            HEALING: Saying(bool(lines), " ".join(lines)),
            UNHEALTHY: Saying(self.is_unhealthy, TO_BE_REPLACED if self.is_unhealthy else ""),
        }
        if said != self.said:
            self.said = said
            self.agent.rereads.wake()

    def keep(self) -> None:
        """Keep what was done."""
        if self.memory == self.kept:
            return
        try:
            keep_memory(self.folder, self.memory)
        except OSError as error:
            logger.warning("What was done for sites cannot be kept in %s: %s.", self.folder, error.strerror)
        else:
            self.kept = self.memory


def is_told(ladder: Ladder) -> bool:
    return bool(ladder.step or ladder.refused)


def describe(what: str, ladder: Ladder) -> str:
    """Return how far the healing of a site has come, in words that the database and this package alone have chosen."""
    done = f"{STEPS[ladder.step]}." if ladder.step in STEPS else "Nothing was done."
    refused = f" Nothing further: {REFUSALS[ladder.refused]}" if ladder.refused in REFUSALS else ""
    return f"{what}: {done}{refused}"


@contextmanager
def healing(agent: Agent) -> Iterator[None]:
    """Heal the agent's node while the block runs, if a monitor is beside it."""
    targets, observations = agent.options.probe_targets, agent.options.observations
    if targets is None or observations is None:
        yield
        return
    agent.healer = Healer(agent, targets, observations)
    agent.healer.start()
    try:
        yield
    finally:
        agent.healer.stop()
