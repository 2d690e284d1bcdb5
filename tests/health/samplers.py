"""Probes whose runs a test controls, and samplers that are stopped afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from wagtail_multihost.health.change_notifier import OnChange
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Outcome, Probe, passed
from wagtail_multihost.health.report import ProbeEntry
from wagtail_multihost.health.sampler import Sampler
from wagtail_multihost.health.schedule import THREAD

SECONDS = 30


class Script:
    """The script of a probe: ``act`` is called in each run, and ``runs`` counts the runs."""

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
    """Runs its script. The timeout is long, so that a slow machine makes nothing stuck; tests of that set their own."""

    timeout: float = 60
    script: Any = field(default_factory=Script)

    def measure(self) -> Iterator[Outcome]:
        return self.script()  # type: ignore[no-any-return]


def options(**changes: Any) -> HealthOptions:
    """Return options under which nothing runs twice within a test, unless it says so."""
    return HealthOptions(**{"interval": 1000, "retry": 1000, "idle": 1000, "budget": 60_000, **changes})


@contextmanager
def sampling(*probes: Probe, sites: tuple[str, ...] = (), changed: OnChange | None = None, **changes: Any) -> Any:
    """Yield a sampler of ``probes``, and end its threads."""
    entries = [ProbeEntry(f"probe{number}", probe) for number, probe in enumerate(probes)]
    sampler = Sampler(entries, sites, options(**changes), changed)
    before = own_threads()
    try:
        yield sampler
    finally:
        sampler.stop()
        await_end_of_threads(before)


def own_threads() -> list[threading.Thread]:
    """Return the threads of health, including those that are being started and cannot be joined yet."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("multihost-")]


def await_end_of_threads(known: Collection[threading.Thread]) -> None:
    """Wait until only ``known`` threads are left: one that ends may still start another."""
    until(lambda: all(thread in known for thread in own_threads()))


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
    """Passes once it is released."""

    timeout: float = 60

    def measure(self) -> Iterator[Outcome]:
        assert GO.wait(SECONDS)
        yield passed()
