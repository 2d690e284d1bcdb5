"""What a monitor does until it is told to stop, with a desk of the test's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.monitor.servers import Site
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.monitor import rounds as module
from wagtail_multihost.monitor.judging import Answer
from wagtail_multihost.monitor.ledger import News
from wagtail_multihost.monitor.prober import Prober
from wagtail_multihost.monitor.rounds import Limits, Rounds
from wagtail_multihost.monitor.signers import Signers
from wagtail_multihost.monitor.watching import Watch
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.nodeapi.probe_files import Observation, Page, Target
from wagtail_multihost.nodeapi.probe_states import DOWN, UNKNOWN, UP

SITES = [Site(f"site-{number}") for number in range(20)]
TARGETS = tuple(site.target() for site in SITES)
PERIOD = 1.5
HOSTILE = "\x1b[31mBought"


@dataclass
class Desk:
    """Keeps what it is told, and fails when a test wants that."""

    targets: tuple[Target, ...] = TARGETS
    sends_all: bool = False
    admits: bool = True
    fails: bool = False
    takes: bool = True
    told: list[Observation] = field(default_factory=list)
    counted: int = 0
    covered: list[float | None] = field(default_factory=list)
    closed: bool = False

    def admit(self) -> bool:
        return self.admits

    def read_targets(self) -> tuple[Target, ...] | None:
        return self.targets

    def send(self, news: News) -> bool:
        if self.fails:
            raise UnreachableError("Away.")
        if self.takes:
            self.told += news.changes.values() if not self.sends_all else news.observations
            self.counted += sum(map(sum, (counts for batch in news.batches for counts in batch.counts.values())))
            self.covered.append(news.covered_since)
        return self.takes

    def close(self) -> None:
        self.closed = True

    def state(self, hostname: str) -> str:
        return next((one.state for one in reversed(self.told) if one.hostname == hostname), "")


class Scripted(Prober):
    """Answers what ``answer`` says, asking nobody."""

    def __init__(self, answer: Callable[[Target], Answer]) -> None:
        self.signers, self.answer = Signers(), answer
        self.asked: list[str] = []
        self.running = self.most_running = 0

    async def ask_ready(self, target: Target) -> Answer:
        self.asked.append(target.hostname)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(0.01)
            return self.answer(target)
        finally:
            self.running -= 1

    async def ask_page(self, target: Target, page: Page) -> Answer:
        return Answer(page.status, has_text=False)


def good(target: Target) -> Answer:
    return Answer(200, has_proof=True, signer=target.uid, milliseconds=5)


def run(
    desk: Desk, prober: Scripted, until: Callable[[], object], then: Callable[[], object] | None = None, **limits: int
) -> None:
    """Run until something is so, and, after doing something, until ``then`` is so; then stop."""

    async def work() -> None:
        rounds = Rounds(Watch("outside", PERIOD), prober, desk, Limits(**limits))
        task = asyncio.create_task(rounds.run())
        for condition in (until, then):
            for _ in range(6000):
                if condition is None or condition() or task.done():
                    break
                await asyncio.sleep(0.01)
        rounds.stopped.set()
        await task

    asyncio.run(work())


def test_all_is_asked_and_told() -> None:
    """Each hostname in its turn, and in the end what was counted since."""
    desk, prober = Desk(), Scripted(good)
    run(desk, prober, lambda: any(desk.covered) and all(desk.state(target.hostname) == UP for target in TARGETS))
    assert {*prober.asked} == {target.hostname for target in TARGETS}
    assert desk.counted == len(prober.asked) and desk.closed


def test_bounds_of_probes_hold() -> None:
    """However many are due."""
    desk, prober = Desk(), Scripted(good)
    run(desk, prober, lambda: len(prober.asked) > 60, probes=3)
    assert prober.most_running <= 3


def test_database_that_is_away_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What was concluded meanwhile is told when it is back, in order; and the log says each once."""
    caplog.set_level(logging.INFO)
    module_again = module.AGAIN
    desk, prober = Desk(), Scripted(good)
    name = TARGETS[0].hostname
    try:
        module.AGAIN = 0.1
        desk.fails = True

        def is_back() -> bool:
            if len(prober.asked) > 30:
                prober.answer = lambda target: Answer(500) if target.hostname == name else good(target)
            if len(prober.asked) > 70:
                desk.fails = False
            return not desk.fails

        run(desk, prober, is_back, lambda: desk.state(name) == DOWN)
    finally:
        module.AGAIN = module_again
    assert [one.state for one in desk.told if one.hostname == name] == [UP, DOWN]
    assert caplog.text.count("Asking goes on") == 1
    assert caplog.text.count("can be told again") == 1


def test_monitor_that_is_not_admitted_asks_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It waits, and says so once."""
    caplog.set_level(logging.INFO)
    desk, prober = Desk(admits=False), Scripted(good)
    run(desk, prober, lambda: "waits for its turn" in caplog.text)
    assert (prober.asked, desk.told, desk.closed) == ([], [], True)


def test_monitor_whose_turn_is_over_ends() -> None:
    """Started again, it waits."""
    desk, prober = Desk(takes=False), Scripted(good)
    with pytest.raises(MultihostError, match="Another monitor"):
        run(desk, prober, lambda: False)
    assert desk.closed


def test_fault_of_the_program_says_nothing_of_a_hostname_and_repeats_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error whose text may be a site's is told by its kind alone."""

    def fail(target: Target) -> Answer:
        raise RuntimeError(HOSTILE)

    desk, prober = Desk(), Scripted(fail)
    run(desk, prober, lambda: all(desk.state(target.hostname) for target in TARGETS))
    assert {one.state for one in desk.told} == {UNKNOWN}
    assert "RuntimeError" in caplog.text and "Bought" not in caplog.text


def test_pages_are_asked_of_a_site_that_is_ready() -> None:
    """And make it bad."""
    desk = Desk(targets=(TARGETS[0]._replace(pages=(Page("/", 200, "Welcome"),)),))
    run(desk, Scripted(good), lambda: desk.state(TARGETS[0].hostname) == DOWN)
    assert desk.told[-1].reason == "content"


def test_address_that_is_missing_in_health_from_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Every hostname answers 404 then."""
    desk = Desk()
    run(desk, Scripted(lambda target: Answer(404)), lambda: "health_from" in caplog.text)
    assert "health_from" in caplog.text


def test_file_has_all_each_time() -> None:
    """For a reader that comes late."""
    desk = Desk(sends_all=True)
    run(desk, Scripted(good), lambda: len(desk.told) > 3 * len(TARGETS))
    assert all([one.hostname for one in desk.told].count(target.hostname) > 2 for target in TARGETS)
