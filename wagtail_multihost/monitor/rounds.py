"""
What a monitor does until it is told to stop: it reads its targets, asks each in its turn, and tells what it concluded.
One thread speaks to the database or writes the file, so that neither keeps a probe waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.monitor.judging import Answer, Judgement, judge, judge_readiness
from wagtail_multihost.monitor.lanes import Lanes
from wagtail_multihost.monitor.ledger import ROWS_AT_ONCE, News
from wagtail_multihost.monitor.prober import Prober
from wagtail_multihost.monitor.watching import Watch
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.nodeapi.probe_files import MOST_HOSTNAMES, Observation, Page, Target, read_clock
from wagtail_multihost.nodeapi.probe_states import AGREEING, BAD, MAINTENANCE, SUSPENDED, UNKNOWN, UP
from wagtail_multihost.spec.printing import one_line

logger = logging.getLogger(__name__)

#: Seconds between looks at the list of targets, at what is to be told, and at what was not looked at.
REREAD, TELL, LOOK_AFTER = 10.0, 1.0, 2.0
#: Seconds until another attempt where the database is away, or another monitor asks.
AGAIN = 5.0
#: A report that says no more than that all is looked at; one that adds up latencies.
HEARTBEAT, FLUSH = 10.0, 300.0
#: All that counts is told once more so often.
TELL_AGAIN = 1800.0
#: Between two looks with --once.
ONCE_PAUSE = 1.0
LONGEST_WAIT = 0.5
ADVICE = (
    "Every hostname answers 404 where its readiness is asked for: name this monitor's address in the option "
    "health_from of the nginx emitter."
)
TAKEN_OVER = "Another monitor asks at this place by now, so this one ends. Started again, it waits for its turn."
WAITING = "Another monitor asks at this place. This one waits for its turn."
Result = TypeVar("Result")


class Desk(Protocol):
    """
    Where targets come from and conclusions go; called in one thread. ``sends_all`` says whether all that counts is
    told each time. All raise UnreachableError where that may go better later.
    """

    sends_all: bool

    def admit(self) -> bool:
        """Return whether this monitor may ask now: there is one at each place."""

    def read_targets(self) -> tuple[Target, ...] | None:
        """Return the targets; None if they are those that were read before."""

    def send(self, news: News) -> bool:
        """Tell what was concluded; return False if another monitor asks at this place by now."""

    def close(self) -> None:
        """Let another monitor ask at this place."""


class Limits(NamedTuple):
    """How many probes run at a time, in all and of one site."""

    probes: int = 100
    of_site: int = 4


class Rounds:
    """The monitor at work; ``run`` ends once ``stopped`` is set."""

    def __init__(
        self,
        watch: Watch,
        prober: Prober,
        desk: Desk,
        limits: Limits = Limits(),  # noqa: B008  # a tuple
        clock: Callable[[], float] = read_clock,
    ) -> None:
        self.watch, self.prober, self.desk, self.clock = watch, prober, desk, clock
        self.lanes = Lanes(*limits)
        self.stopped, self.has_room = asyncio.Event(), asyncio.Event()
        self.is_admitted = False
        self.is_unreachable = self.is_waiting = False
        self.told_at = 0.0
        self.flushed_at = self.all_told_at = clock()
        self.probes: set[asyncio.Task[None]] = set()
        self.thread = ThreadPoolExecutor(1)

    async def run(self) -> None:
        """Work until stopped; then tell what was concluded, and end. Raises MultihostError for what does not mend."""
        asking, talking = asyncio.create_task(self.keep_asking()), asyncio.create_task(self.keep_talking())
        stopping = asyncio.create_task(self.stopped.wait())
        try:
            await asyncio.wait([asking, talking, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stopped.set()
            ended = [asking, stopping, *self.probes]
            for task in ended:
                task.cancel()
            # What is being told is waited for: it would be told once more.
            outcomes = await asyncio.gather(talking, *ended, return_exceptions=True)
            await self.finish()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def finish(self) -> None:
        """Tell the rest, as far as somebody listens, and let another monitor ask."""
        self.close_counts(self.clock())
        with suppress(MultihostError):
            if self.is_admitted:
                await self.tell_all()
        await self.in_thread(self.desk.close)
        self.thread.shutdown()

    async def in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self.thread, call)

    async def keep_asking(self) -> None:
        """Start the probes that are due, as many as there is room for."""
        looked = 0.0
        while True:
            now = self.clock()
            if self.is_admitted:
                for name in self.watch.schedule.take_due(now):
                    self.lanes.add(self.watch.targets[name].site, name)
                self.start_probes()
                if now - looked >= LOOK_AFTER:
                    self.look_after(now)
                    looked = now
            self.has_room.clear()
            wait = min(LONGEST_WAIT, self.watch.schedule.next_due(self.clock()))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.001, wait)):
                    await self.has_room.wait()

    def look_after(self, now: float) -> None:
        was_covered = self.watch.covered_since is not None
        self.watch.look_after(now)
        if self.watch.covered_since is not None and not was_covered:
            found = self.watch.list_concluded()
            logger.info("All %s hostnames have been looked at.", len(found))
            if all(one.code == 404 for one in found):
                logger.warning(ADVICE)

    def start_probes(self) -> None:
        for site, name in self.lanes.take():
            task = asyncio.create_task(self.probe(site, name))
            self.probes.add(task)
            task.add_done_callback(self.probes.discard)

    async def probe(self, site: str, name: str) -> None:
        """Ask a hostname, and note what that says of it."""
        try:
            target = self.watch.targets.get(name)
            if target is not None:
                at = self.clock()
                judgement, answer = await self.look_at(target)
                changed = self.watch.note(target, judgement, answer, at, self.clock())
                if changed is not None and (self.watch.covered_since is not None or changed.state in BAD):
                    log_change(changed)
        finally:
            self.lanes.end(site, name)
            self.has_room.set()

    async def look_at(self, target: Target) -> tuple[Judgement, Answer]:
        """Return what asking a target says of it; a fault in this program says nothing of it."""
        try:
            answer = await self.prober.ask_ready(target) if target.path else Answer(200)
            pages: list[tuple[Page, Answer]] = []
            if not target.path or judge_readiness(target, answer).state == UP:
                for page in target.pages:
                    pages.append((page, await self.prober.ask_page(target, page)))
            answer = answer if target.path or not pages else pages[0][1]
            return judge(target, answer, tuple(pages)), answer
        except Exception as error:
            # Its message may have what a site answered.
            logger.error("%s could not be asked: %s.", one_line(target.hostname), type(error).__name__)
            return Judgement(UNKNOWN), Answer(is_ours=True)

    async def keep_talking(self) -> None:
        """Read what to ask, and tell what was concluded, again and again."""
        read_at = -REREAD
        while not self.stopped.is_set():
            now = self.clock()
            try:
                if not self.is_admitted:
                    await self.ask_to_be_admitted()
                elif now - read_at >= REREAD:
                    await self.read_targets()
                    read_at = now
                if self.is_admitted:
                    await self.tell(now)
                self.note_reached()
            except UnreachableError as error:
                if not self.is_unreachable:
                    logger.warning("%s Asking goes on, and what is concluded is kept.", error)
                self.is_unreachable = True
            with suppress(TimeoutError):
                async with asyncio.timeout(TELL if self.is_admitted and not self.is_unreachable else AGAIN):
                    await self.stopped.wait()

    def note_reached(self) -> None:
        if self.is_unreachable:
            logger.info("What is concluded can be told again.")
        self.is_unreachable = False

    async def ask_to_be_admitted(self) -> None:
        self.is_admitted = await self.in_thread(self.desk.admit)
        if self.is_admitted:
            await self.read_targets()
        elif not self.is_waiting:
            self.is_waiting = True
            logger.info(WAITING)

    async def read_targets(self) -> None:
        targets = await self.in_thread(self.desk.read_targets)
        if targets is not None:
            self.prober.signers.replace(targets)
            self.watch.replace_targets(targets, self.clock())
            logger.info("There are %s hostnames to look at.", len(targets))

    async def tell(self, now: float) -> None:
        """Tell what is new at once, and now and then that nothing is."""
        if now - self.flushed_at >= FLUSH:
            self.close_counts(now)
            self.flushed_at = now
        if now - self.all_told_at >= TELL_AGAIN and not self.desk.sends_all:
            self.watch.tell_again()
            self.all_told_at = now
        if self.watch.ledger.has_changes or now - self.told_at >= HEARTBEAT or self.has_batches():
            await self.tell_all()
            self.told_at = now

    def close_counts(self, now: float) -> None:
        """Have the latencies that were counted be told: in a file all at once, as there are few batches in it."""
        self.watch.ledger.close_counts(now, MOST_HOSTNAMES if self.desk.sends_all else ROWS_AT_ONCE)

    def has_batches(self) -> bool:
        return bool(self.watch.ledger.batches) and not self.desk.sends_all

    async def tell_all(self) -> None:
        """Tell all that is new, in pieces; what is told is forgotten piece by piece."""
        has_all = self.desk.sends_all
        while True:
            news = self.watch.make_news(self.clock(), has_all=has_all)
            if not await self.in_thread(partial(self.desk.send, news)):
                self.is_admitted = False
                raise MultihostError(TAKEN_OVER)
            self.watch.note_told(news, has_all=has_all)
            if has_all or not self.watch.ledger.has_news:
                return


def log_change(observation: Observation) -> None:
    """Log what counts of a hostname now: nothing that a site has written."""
    level = logging.INFO if observation.state in (UP, MAINTENANCE, SUSPENDED) else logging.WARNING
    reason = f" ({observation.reason}, {observation.code})" if observation.reason else ""
    logger.log(level, "%s: %s%s", one_line(observation.hostname), observation.state, reason)


async def look_once(rounds: Rounds) -> tuple[Observation, ...]:
    """Return what a monitor that looks at each target only now concludes; nothing of it is told."""
    logger.setLevel(logging.ERROR)
    try:
        targets = await rounds.in_thread(rounds.desk.read_targets) or ()
    finally:
        await rounds.in_thread(rounds.desk.close)
        rounds.thread.shutdown()
    watch = rounds.watch
    rounds.prober.signers.replace(targets)
    watch.replace_targets(targets, rounds.clock())
    for number in range(AGREEING):
        if number:
            await asyncio.sleep(ONCE_PAUSE)
        for name, standing in watch.standings.items():
            if not standing.is_concluded:
                rounds.lanes.add(watch.targets[name].site, name)
        while not rounds.lanes.is_empty:
            rounds.start_probes()
            await asyncio.wait(rounds.probes, return_when=asyncio.FIRST_COMPLETED)
    return tuple(standing.observation for _, standing in sorted(watch.standings.items()))
