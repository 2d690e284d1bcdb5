"""What a probe that goes on failing writes to the log."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from tests.health.databases import Configure, _configure, sqlite_alias  # noqa: F401
from tests.health.samplers import SECONDS, Script, Scripted, sampling, until
from wagtail_multihost.health import once_logger
from wagtail_multihost.health.once_logger import OnceLogger, log_failure
from wagtail_multihost.health.probe import Outcome, failed, passed
from wagtail_multihost.health.probes.cache import CacheProbe
from wagtail_multihost.health.probes.database import DatabaseProbe
from wagtail_multihost.health.probes.dns import DnsProbe
from wagtail_multihost.health.status import Status

LOGGER = "wagtail_multihost.health"
OFTEN: dict[str, Any] = {"interval": 0.01, "retry": 0.01, "timeout": 60.0}
REFUSED, NO_HOST = OSError("connection refused"), OSError("no route to host")


class Log:
    """The messages that have reached the log, with the exceptions' texts."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog

    @property
    def texts(self) -> list[str]:
        return [
            f"{record.getMessage()} {record.exc_info[1] if record.exc_info else ''}".strip()
            for record in self.caplog.records
            if record.name == LOGGER and record.levelno >= logging.WARNING
        ]


@pytest.fixture(name="log")
def _log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    with caplog.at_level(logging.WARNING, LOGGER):
        yield Log(caplog)


def runs(sampler: Any, status: Status, count: int = 3) -> None:
    """Wait until ``count`` more runs have had ``status``."""
    ends = {result.ended for result in sampler.wait(SECONDS).results}
    wanted = len(ends) + count

    def are_over() -> bool:
        ends.update(result.ended for result in sampler.ask().results if result.status is status)
        return len(ends) >= wanted

    until(are_over)


class FaultyCache(LocMemCache):
    """Raises ``fault`` where one is set."""

    fault: OSError | None = None

    def set(self, *arguments: Any, **options: Any) -> None:
        if FaultyCache.fault:
            raise FaultyCache.fault
        super().set(*arguments, **options)


def test_database_that_is_down_is_logged_once(configure: Configure, tmp_path: Path, log: Log) -> None:
    """However long it is down, each of its errors is one line, and another one after it has been back."""
    path, other = tmp_path / "db.sqlite3", tmp_path / "other"
    configure(default=sqlite_alias(path))
    with sampling(DatabaseProbe(**OFTEN)) as sampler:
        runs(sampler, Status.FAIL)
        (missing,) = log.texts
        other.write_bytes(b"no database " * 100)
        os.replace(other, path)
        until(lambda: sampler.ask() and len(log.texts) == 2)
        path.unlink()
        runs(sampler, Status.FAIL)
        path.touch()
        runs(sampler, Status.PASS)
        path.unlink()
        runs(sampler, Status.FAIL)
    assert "unable to open database file" in missing
    assert log.texts == [missing, "The database default fails a probe: file is not a database", missing]


def test_cache_that_is_down_is_logged_once(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    """Each of its errors is one traceback, and another one after it has been back."""
    backend = {"BACKEND": f"{__name__}.FaultyCache", "LOCATION": "log-once"}
    with override_settings(CACHES={"default": backend}), sampling(CacheProbe(**OFTEN)) as sampler:
        for fault in (REFUSED, NO_HOST, REFUSED, None, REFUSED):
            monkeypatch.setattr(FaultyCache, "fault", fault)
            runs(sampler, Status.FAIL if fault else Status.PASS)
    faults = [text.removeprefix("The cache default does not answer. ") for text in log.texts]
    assert faults == [str(REFUSED), str(NO_HOST), str(REFUSED)]


def test_hostname_that_passes_is_forgotten_alone(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    """One subject of a probe that fails for ever hides no later failure of another, and is not logged again."""
    gone = {"a.example", "b.example"}

    def resolve(hostname: str, *arguments: object, **options: object) -> list[Any]:
        if hostname in gone:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with sampling(DnsProbe(hostnames=("a.example", "b.example"), **OFTEN)) as sampler:
        runs(sampler, Status.FAIL)
        gone.remove("b.example")
        runs(sampler, Status.FAIL)
        gone.add("b.example")
        runs(sampler, Status.FAIL)
    assert [text.split()[2] for text in log.texts] == ["a.example", "b.example", "b.example"]


def test_probes_of_one_class_are_told_apart(log: Log) -> None:
    """What one probe has said does not silence its twin of another site."""

    def act() -> list[Outcome]:
        log_failure("It is down.")
        return [failed("error")]

    with sampling(*[Scripted(script=Script(act), **OFTEN)] * 2) as sampler:
        runs(sampler, Status.FAIL, 6)
    assert log.texts == ["It is down."] * 2


def test_errors_and_hangs_in_turn_are_logged_once_each(log: Log) -> None:
    """A probe that raises one thing, another, and hangs meanwhile, is three records until it passes."""
    turns = [0]
    is_well, held = threading.Event(), []

    def act() -> list[Outcome]:
        if is_well.is_set():
            return [passed()]
        turns[0] += 1
        if turns[0] % 3 == 0:
            (own,) = held[0]._schedules.values()
            until(lambda: own.tasks[0].is_stuck or own._stopped)
        raise (REFUSED, NO_HOST)[turns[0] % 2]

    probe = Scripted(script=Script(act), **{**OFTEN, "timeout": 0.3})
    with sampling(probe) as sampler:
        held.append(sampler)
        until(lambda: sampler.ask() and turns[0] > 8)
        before = sorted(log.texts)
        is_well.set()
        runs(sampler, Status.PASS)
        is_well.clear()
        seen = turns[0]
        until(lambda: sampler.ask() and turns[0] > seen + 2)
    name = "The probe probe0 of this process"
    assert before == [f"{name} failed. {REFUSED}", f"{name} failed. {NO_HOST}", f"{name} is stuck."]
    assert len(log.texts) > 3


def test_what_is_known_is_logged_for_who_debugs(caplog: pytest.LogCaptureFixture) -> None:
    """The level DEBUG has every failure, outside of the sampler each is new."""
    known = OnceLogger()
    with caplog.at_level(logging.DEBUG, LOGGER):
        with known.collect():
            log_failure("It is %s.", "down")
            log_failure("It is %s.", "down")
        log_failure("It is %s.", "down")
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.DEBUG, logging.WARNING]


def test_texts_that_always_differ_do_not_fill_the_log(log: Log) -> None:
    """Addresses of objects and random names make nothing new, and the number of texts and subjects is bounded."""
    known = OnceLogger()
    for number in range(50):
        known.log("<Connection at %s> refused %s.", hex(10**12 + number), f"{number:032x}")
    assert len(log.texts) == 1
    for number in range(50):
        known.log("Refused: request %d.", number)
    assert len(log.texts) == once_logger.MOST_TEXTS
    for number in range(once_logger.MOST_SUBJECTS + 50):
        known.log("Refused.", subject=str(number))
    assert len(log.texts) == once_logger.MOST_TEXTS + once_logger.MOST_SUBJECTS - 1
    known.forget_passed([passed()])
    known.log("Refused: request %d.", 1)
    assert len(log.texts) == once_logger.MOST_TEXTS + once_logger.MOST_SUBJECTS


def test_error_without_a_text_is_logged(log: Log) -> None:
    """An exception that cannot be told in words does not keep the failure from the log."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    for _ in range(2):
        try:
            raise Mute
        except Mute:
            OnceLogger().log("It is down.")
    assert log.texts == ["It is down."] * 2
