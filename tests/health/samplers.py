"""Probes whose runs a test steers, and samplers that are stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from wagtail_multihost.health.news import Changed
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Outcome, Probe, passed
from wagtail_multihost.health.report import Entry
from wagtail_multihost.health.sampler import Sampler
from wagtail_multihost.health.schedule import THREAD

SECONDS = 30


class Script:
    """What a probe does: ``act`` is called in each run, and ``runs`` counts them."""

    def __init__(self, act: Callable[[], Any] = lambda: [passed()]) -> None:
        self.act = act
        self.runs = 0
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            self.runs += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self.act()
        finally:
            with self._lock:
                self.at_once -= 1


@dataclass(frozen=True, kw_only=True)
class Scripted(Probe):
    """Does what its script says."""

    script: Any = field(default_factory=Script)

    def measure(self) -> Iterator[Outcome]:
        return self.script()  # type: ignore[no-any-return]


def options(**changes: Any) -> HealthOptions:
    """Return options under which nothing runs twice within a test, unless it says so."""
    return HealthOptions(**{"interval": 1000, "retry": 1000, "idle": 1000, "budget": 20_000, **changes})


@contextmanager
def sampling(*probes: Probe, sites: tuple[str, ...] = (), changed: Changed | None = None, **changes: Any) -> Any:
    """Yield a sampler of ``probes``, and end its threads."""
    entries = [Entry(f"probe{number}", probe) for number, probe in enumerate(probes)]
    sampler = Sampler(entries, sites, options(**changes), changed)
    before = set(threading.enumerate())
    try:
        yield sampler
    finally:
        sampler.stop()
        for thread in set(threading.enumerate()) - before:
            if thread.name.startswith("multihost-"):
                thread.join(SECONDS)
                assert not thread.is_alive(), thread


def sampler_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def until(condition: Callable[[], object]) -> None:
    """Poll until ``condition()`` is true."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


#: Lets :class:`Gated` go on.
GO = threading.Event()


@dataclass(frozen=True, kw_only=True)
class Gated(Probe):
    """Passes when it is let go on."""

    def measure(self) -> Iterator[Outcome]:
        assert GO.wait(SECONDS)
        yield passed()
