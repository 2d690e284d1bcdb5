"""Who waits for a database, and how long: the one thread that looks at the clock for all."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.identity.conftest import Become
from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.identity import deadline as deadlines
from wagtail_multihost.identity.deadline import (
    PendingAnswer,
    SilentDatabaseError,
    Watch,
    deadline,
    hang_up,
    silence_message,
)
from wagtail_multihost.running import Running, set_running


class Driver:
    """A driver's connection that can be interrupted."""

    def __init__(self) -> None:
        self.interrupts = 0

    def interrupt(self) -> None:
        self.interrupts += 1


def connected() -> Any:
    return SimpleNamespace(connection=Driver(), settings_dict={"NAME": "aviary__aurora"})


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that moves when somebody sleeps."""
    clock = SimpleNamespace(now=100.0, slept=0)

    def sleep(seconds: float) -> None:
        clock.now += seconds
        clock.slept += 1

    monkeypatch.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    return clock


@pytest.mark.parametrize(("after", "is_over"), [(4.9, False), (5.0, True), (5.1, True)])
def test_who_waits_is_hung_up_at_the_deadline(clock: SimpleNamespace, after: float, is_over: bool) -> None:
    """Not before it; the connection is the one that the project has at that moment."""
    connection = connected()
    waiting = PendingAnswer(connection, 5)
    assert waiting.is_over is False
    connection.connection = driver = Driver()
    clock.now += after
    waiting.hang_up_if_late()
    assert (waiting.is_over, driver.interrupts) == (is_over, int(is_over))


def test_watch_ends_when_nobody_has_waited_for_a_while(clock: SimpleNamespace) -> None:
    """Its thread is gone after half a minute, and not while somebody waits."""
    watch = Watch()
    watch.thread = threading.current_thread()
    watch.run()
    assert watch.thread is None
    assert 130 < clock.now <= 131 and clock.slept == 121
    connection = connected()
    waiting = PendingAnswer(connection, 1)
    watch.waiting.add(waiting)
    real = waiting.hang_up_if_late

    def look() -> None:
        real()
        if clock.now > 200:
            raise KeyboardInterrupt

    waiting.hang_up_if_late = look  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        watch.run()
    assert connection.connection.interrupts > 1


@pytest.fixture(name="watch")
def _watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch = Watch()
    monkeypatch.setattr(deadlines, "_watch", watch)
    yield watch


def test_one_thread_watches_for_all(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started by the first who waits, keeps no process alive, and has a name; another one follows it."""
    started: list[threading.Thread] = []
    real = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda self: started.append(self) or real(self))
    with deadline(connected(), "answered"), deadline(connected(), "answered"):
        assert len(watch.waiting) == 2
    assert watch.waiting == set()
    with deadline(connected(), "answered"):
        pass
    assert [thread.name for thread in started] == ["identity-deadline"] and started[0].daemon
    watch.thread = threading.Thread(target=print)  # it was not started
    with deadline(connected(), "answered"):
        assert len(started) == 2


def test_watch_that_cannot_start_is_no_obstacle(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account without room for a thread connects without a deadline."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with deadline(connected(), "answered", 60):
        assert len(watch.waiting) == 1


def test_deadline_is_ten_seconds_where_none_is_stated(watch: Watch, clock: SimpleNamespace) -> None:
    """A stated one counts, 0 too."""
    for seconds, until in ((None, 110.0), (3.0, 103.0), (0.0, 100.0)):
        watch.thread = threading.current_thread()
        with deadline(connected(), "answered", seconds):
            (waiting,) = watch.waiting
            assert waiting.until == until


@pytest.mark.parametrize("fails", [True, False])
def test_what_was_hung_up_is_not_used_further(watch: Watch, fails: bool) -> None:
    """It is an error that manage.py prints, whether the block has noticed or not."""
    with pytest.raises(SilentDatabaseError) as caught, deadline(connected(), "answered", 2.5):
        (waiting,) = watch.waiting
        waiting.is_over = True
        if fails:
            raise OSError
    assert caught.value.returncode == 2
    assert "The database aviary__aurora has not answered within 2.5 seconds" in str(caught.value)
    assert caught.value.__cause__ is None and watch.waiting == set()


def test_error_that_ends_the_process_is_not_replaced(watch: Watch) -> None:
    """Who presses Ctrl-C gets what Ctrl-C is."""
    with pytest.raises(KeyboardInterrupt), deadline(connected(), "answered", 2):
        (waiting,) = watch.waiting
        waiting.is_over = True
        raise KeyboardInterrupt
    assert watch.waiting == set()


def test_sentence_names_the_site(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of a site says which one it is; another does not."""
    become()
    said = "The database aviary__aurora of the site aurora has not answered within 10 seconds,"
    assert silence_message(connected(), "answered", 10.0).startswith(said)
    monkeypatch.setattr(running, "_current", None)
    assert silence_message(connected(), "answered", 10.0).startswith(said.replace(" of the site aurora", ""))


def test_socket_is_shut_and_not_closed() -> None:
    """Both directions end for its owner, who closes it; no descriptor of ours is left."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    before = len(os.listdir("/proc/self/fd"))
    hang_up(ours)
    assert len(os.listdir("/proc/self/fd")) == before
    assert ours.fileno() >= 0 and theirs.recv(1) == b"" and ours.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        ours.send(b"x")
    ours.close()
    theirs.close()


def test_file_is_interrupted_and_stays_open() -> None:
    """SQLite has no socket; what it does ends, and it can be asked again."""
    driver = Driver()
    hang_up(driver)
    assert driver.interrupts == 1
    raw = sqlite3.connect(":memory:", check_same_thread=False)
    threading.Timer(0.2, lambda: hang_up(raw)).start()
    started = time.monotonic()
    with pytest.raises(sqlite3.OperationalError):
        raw.execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n").fetchone()
    assert time.monotonic() - started < 10
    raw.close()


@pytest.mark.parametrize("driver", [None, SimpleNamespace(fileno=lambda: -1), object()])
def test_connection_that_has_gone_is_no_error(driver: object) -> None:
    """It may break at the moment at which it is hung up."""
    hang_up(driver)


def test_child_has_a_watch_without_a_thread() -> None:
    """A process that is forked finds none of its parent's waiting."""
    before = deadlines._watch
    deadlines._forget_parents_watch()
    try:
        assert deadlines._watch is not before and deadlines._watch.thread is None and not deadlines._watch.waiting
    finally:
        deadlines._watch = before


def test_process_that_becomes_another_has_a_watch_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the former site's database is not waited for."""
    forget = deadlines._forget_parents_watch
    monkeypatch.setattr(running, "_resets", {reset: None for reset in running._resets if reset is forget})
    monkeypatch.setattr(running, "_current", Running())
    before = deadlines._watch
    set_running(Running(platform=a_platform(), site=a_site()))
    try:
        assert deadlines._watch is not before
    finally:
        deadlines._watch = before
