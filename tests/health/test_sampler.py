"""The life of the sampler: when its threads start and end, who waits, and what a probe that hangs does."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest

from tests.health.samplers import SECONDS, Script, Scripted, options, sampler_threads, sampling, until
from wagtail_multihost.health import schedule as schedules
from wagtail_multihost.health import task as tasks
from wagtail_multihost.health.change_notifier import ChangeNotifier
from wagtail_multihost.health.probe import Outcome, failed, passed, warned
from wagtail_multihost.health.report import ProbeEntry, Report
from wagtail_multihost.health.sampler import Sampler, run_once
from wagtail_multihost.health.schedule import Schedule
from wagtail_multihost.health.status import Criticality, Status

LOGGER = "wagtail_multihost.health"


def codes(report: Report | None) -> list[str]:
    assert report is not None
    return [outcome.code for result in report.results for outcome in result.outcomes]


def test_fifty_threads_at_once_are_one_run_of_each_probe() -> None:
    """However many ask first, one thread samples, each probe runs once, and all get the one report."""
    scripts = [Script(), Script()]
    barrier = threading.Barrier(50)
    reports: list[Report | None] = []
    most: list[int] = []

    def ask(sampler: Sampler) -> None:
        barrier.wait(SECONDS)
        reports.append(sampler.wait(SECONDS))
        most.append(len(sampler_threads()))

    with sampling(*(Scripted(script=script) for script in scripts)) as sampler:
        before = len(sampler_threads())
        threads = [threading.Thread(target=ask, args=(sampler,)) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert [script.runs for script in scripts] == [1, 1]
        assert len(reports) == 50 and len(set(map(id, reports))) == 1
        assert reports[0] is not None and reports[0].status is Status.PASS
        assert max(most) == before + 1


def test_sampler_starts_nothing_before_it_is_asked() -> None:
    """Making a sampler costs no thread: a pre-forking master makes it, and its workers are asked."""
    script = Script()
    with sampling(Scripted(script=script)) as sampler:
        assert sampler.report is None
        assert not sampler_threads()
        sampler.wait(SECONDS)
        assert len(sampler_threads()) == 1
    assert not sampler_threads()
    assert script.runs == 1


def test_questions_read_the_same_report_without_another_run() -> None:
    """A flood of questions runs no probe."""
    script = Script()
    with sampling(Scripted(script=script)) as sampler:
        first = sampler.wait(SECONDS)
        assert all(sampler.wait(0) is first for _ in range(1000))
        assert script.runs == 1


@pytest.mark.parametrize(
    ("outcome", "changes"),
    [(passed(), {"interval": 1}), (warned("slow"), {"retry": 1}), (failed("gone"), {"retry": 1})],
    ids=["pass", "warn", "fail"],
)
def test_probes_run_again_after_success_and_failure(outcome: Outcome, changes: dict[str, int]) -> None:
    """A pass is kept for the interval, and everything else for as long as a retry takes."""
    script = Script(lambda: [outcome])
    with sampling(Scripted(script=script), **changes) as sampler:
        sampler.wait(SECONDS)
        until(lambda: script.runs >= 3)


def test_own_interval_of_a_probe_counts() -> None:
    """A probe's own pauses are taken in place of the endpoint's, with some jitter."""
    entry = ProbeEntry("one", Scripted(interval=100, retry=10))
    for status, pause in ((Status.PASS, 100), (Status.FAIL, 10)):
        dues = set()
        for _ in range(20):
            task = tasks.Task(entry, options())
            task.began, task.done = 0.0, ((Outcome(status),), 1000.0)
            assert task.finish(1)
            assert 1000 + pause * 0.9 <= task.due <= 1000 + pause * 1.1
            dues.add(task.due)
        assert len(dues) > 1


def test_stuck_probe_is_shown_is_never_started_twice_and_comes_back() -> None:
    """A run that hangs fails as stuck, again and again if need be, and its late result counts when it comes."""
    release = threading.Event()

    def hang() -> list[Outcome]:
        assert release.wait(SECONDS)
        return [passed()]

    script, other = Script(hang), Script()
    with sampling(Scripted(script=script, timeout=0.05), Scripted(script=other), interval=1, retry=1) as sampler:
        try:
            assert codes(sampler.wait(SECONDS)) == ["stuck", "ok"]
            assert sampler.report.status is Status.FAIL
            until(lambda: other.runs >= 2)
            assert (script.runs, codes(sampler.report)) == (1, ["stuck", "ok"])
        finally:
            release.set()
        until(lambda: codes(sampler.report) == ["ok", "ok"])
        until(lambda: script.runs >= 2)
        assert script.most_at_once == 1


def test_stuck_probe_is_not_started_twice_by_a_restart() -> None:
    """What hung before the sampler ended, because nobody asked, hangs when it starts again: it is not run anew."""
    release = threading.Event()
    script = Script(lambda: [passed()] if release.wait(SECONDS) else [])
    with sampling(Scripted(script=script, timeout=0.05)) as sampler:
        try:
            assert codes(sampler.wait(SECONDS)) == ["stuck"]
            sampler.stop()
            until(lambda: not sampler_threads())
            assert codes(sampler.wait(SECONDS)) == ["stuck"]
            assert script.runs == 1
        finally:
            release.set()
        until(lambda: codes(sampler.report) == ["ok"])


def test_black_hole_holds_up_no_question() -> None:
    """A server that takes connections and never answers costs the first question its budget, and others nothing."""
    with socket.create_server(("127.0.0.1", 0)) as hole:

        def talk() -> Iterator[Outcome]:
            with socket.create_connection(hole.getsockname()) as connection:
                sockets.append(connection)
                connection.recv(1)
            yield passed()

        sockets: list[socket.socket] = []
        with sampling(Scripted(script=Script(talk), timeout=300), budget=900) as sampler:
            began = time.monotonic()
            assert sampler.wait(0.9) is None
            assert time.monotonic() - began < 30, "the probe hangs for 300 s"
            again = time.monotonic()
            assert all(sampler.wait(0.9) is None for _ in range(100))
            assert time.monotonic() - again < 30, "a hundred more questions wait together, not one after the other"
            until(lambda: sockets)
            sockets[0].shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "act",
    [
        lambda: 1 / 0,
        lambda: sys.exit(3),
        lambda: None,
        lambda: [],
        lambda: ["pass"],
        lambda: [Outcome("pass")],  # type: ignore[arg-type]
    ],
    ids=["exception", "exit", "none", "nothing", "text", "word"],
)
def test_probe_that_raises_or_yields_what_is_none_fails_as_error(act: Any) -> None:
    """Whatever a probe does, it has a result, and the others have theirs."""
    with sampling(Scripted(script=Script(act)), Scripted()) as sampler:
        assert codes(sampler.wait(SECONDS)) == ["error", "ok"]


def test_probe_that_yields_without_end_is_cut() -> None:
    """The outcomes of a run are bounded, and so is the memory that they take."""
    with sampling(Scripted(script=Script(lambda: repeat(passed())))) as sampler:
        assert len(codes(sampler.wait(SECONDS))) == tasks.MAX_OUTCOMES


def test_error_is_logged_once_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    """A probe that fails every two seconds for a day is one traceback in the log, with the exception's text."""
    script = Script(lambda: 1 / 0)
    with caplog.at_level(logging.ERROR, LOGGER), sampling(Scripted(script=script), retry=1) as sampler:
        sampler.wait(SECONDS)
        until(lambda: script.runs >= 3)
    (record,) = caplog.records
    assert record.exc_info and record.exc_info[0] is ZeroDivisionError


def test_probe_that_gets_no_thread_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without threads to spare is not one that starts for ever: the probe fails."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            if self.name.startswith("multihost-probe"):
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(threading, "Thread", NoThread)
    with sampling(Scripted()) as sampler:
        assert codes(sampler.wait(SECONDS)) == ["error"]


def test_sampler_that_gets_no_thread_answers_and_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a thread for itself it has no report, raises nothing, logs once, and starts when there is one."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with sampling(Scripted()) as sampler:
        with monkeypatch.context() as context, caplog.at_level(logging.ERROR, LOGGER):
            context.setattr(threading.Thread, "start", refuse)
            assert [sampler.wait(SECONDS) for _ in range(3)] == [None] * 3
        assert len(caplog.records) == 1
        assert codes(sampler.wait(SECONDS)) == ["ok"]


def test_sampler_ends_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes of a process that no one asks stop; the last report stays readable."""
    with sampling(Scripted(), idle=10) as sampler:
        report = sampler.wait(SECONDS)
        (own,) = sampler._schedules.values()
        own._asked -= 11
        own._wake.set()
        until(lambda: not sampler_threads())
        assert sampler.report is report


def test_first_question_after_idleness_waits_for_a_new_report() -> None:
    """What was found before nobody asked for a long time is not told when it can be found anew."""
    script = Script()
    with sampling(Scripted(script=script, interval=0.001)) as sampler:
        old = sampler.wait(SECONDS)
        sampler.stop()
        until(lambda: not sampler_threads())
        runs = script.runs
        new = sampler.wait(SECONDS)
        assert old is not None and new is not None
        assert new.results[0].ended > old.results[0].ended
        assert script.runs > runs


def test_stop_and_question_at_once_leave_one_thread() -> None:
    """A question that comes while the thread ends is not lost, and no second thread stays or runs the same probe."""
    script = Script()
    with sampling(Scripted(script=script, interval=0.001)) as sampler:
        sampler.wait(SECONDS)
        for _ in range(50):
            sampler.stop()
            sampler.ask()
        old = sampler.report
        until(lambda: sampler.ask() is not old)
        until(lambda: len(sampler_threads()) == 1)
        assert script.most_at_once == 1


def test_question_after_a_delay_waits_for_what_is_found_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the machine was suspended, or where threads run only within requests, an old report is not told."""
    own = Schedule([ProbeEntry("one", Scripted(interval=50))], (), options())
    monkeypatch.setattr(own, "_run", lambda: None)  # a thread that never runs
    own.wait(0)
    own._look(time.monotonic())
    until(lambda: own.tasks[0].done)
    own._look(time.monotonic())
    assert own.report and not own.is_awaited()
    own.ask()
    assert not own.is_awaited()
    for task in own.tasks:
        task.due -= 1000
    own._wakes -= 1000
    old = own.ask()
    assert own.is_awaited()
    own._look(time.monotonic())
    assert own.is_awaited()
    until(lambda: own.tasks[0].done)
    own._look(time.monotonic())
    assert not own.is_awaited() and own.ask() is not old


def test_hanging_scheduler_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the sampler's own thread hangs, its report goes stale, and questions do not wait their budget each."""
    own = Schedule([ProbeEntry("one", Scripted())], (), options(budget=50))
    monkeypatch.setattr(own, "_run", lambda: None)
    assert own.wait(SECONDS) is None
    assert not own.is_awaited()
    began = time.monotonic()
    assert [own.wait(0.3) for _ in range(100)] == [None] * 100
    assert time.monotonic() - began < 20, "one after the other would be 30 s"


def test_process_without_probes_passes_for_good() -> None:
    """With nothing to look at, a process is ready, and its report does not go stale."""
    with sampling() as sampler:
        report = sampler.wait(SECONDS)
        assert report.status is Status.PASS
        assert report.fresh_until == float("inf")


def test_first_report_waits_for_critical_probes_alone() -> None:
    """What cannot make a process unready does not keep it waiting either."""
    release = threading.Event()
    slow = Scripted(
        script=Script(lambda: [passed()] if release.wait(SECONDS) else []), criticality=Criticality.DEGRADED
    )
    with sampling(slow, Scripted()) as sampler:
        try:
            assert codes(sampler.wait(SECONDS))[-1] == "ok"
        finally:
            release.set()


def test_sampler_goes_on_after_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Should the thread ever end by an exception, it is logged, and the next question starts it again."""
    with sampling(Scripted()) as sampler:
        with monkeypatch.context() as context, caplog.at_level(logging.ERROR, LOGGER):
            context.setattr(Schedule, "_look", lambda *arguments: 1 / 0)
            sampler.ask()
            until(lambda: not sampler_threads())
        assert "ended" in caplog.text
        assert codes(sampler.wait(SECONDS)) == ["ok"]


def test_change_is_told_once_for_each_other_status() -> None:
    """Who listens hears of the first report, and then of those alone that say something else."""
    heard: list[tuple[Any, Status]] = []
    runs: list[int] = []  # how much had been heard before each

    def act() -> list[Outcome]:
        """Pass, fail and pass: each lasts until it has been heard, as what nobody hears of is left out, and longer."""
        runs.append(len(heard))
        is_failing = runs.count(1) > 2 and not runs.count(2) > 2
        return [failed("gone") if is_failing else passed()]

    script = Script(act)

    def changed(before: Report | None, after: Report) -> None:
        heard.append((before.status if before else None, after.status))

    with sampling(Scripted(script=script, interval=0.05, retry=0.05), changed=changed):
        pass  # stopped before anybody asked
    assert heard == []
    with sampling(Scripted(script=script, interval=0.05, retry=0.05), changed=changed) as sampler:
        sampler.ask()
        until(lambda: runs.count(3) > 2)
    assert heard == [(None, Status.PASS), (Status.PASS, Status.FAIL), (Status.FAIL, Status.PASS)]


def test_listener_that_hangs_or_raises_holds_up_no_probe(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that waits for a server of its own cannot make a process look dead; one that raises is logged."""
    release, calls = threading.Event(), []
    script = Script(lambda: [passed()] if script.runs % 2 else [failed("gone")])

    def hang(before: Report | None, after: Report) -> None:
        calls.append(after)
        assert release.wait(SECONDS)
        raise ZeroDivisionError

    with sampling(Scripted(script=script, interval=0.02, retry=0.02), changed=hang) as sampler:
        try:
            sampler.ask()
            until(lambda: script.runs > 6 and calls)
            assert len(calls) == 1
        finally:
            release.set()
        until(lambda: len(calls) > 1)
        assert "ZeroDivisionError" in caplog.text


def test_news_that_get_no_thread_are_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that could not be told of for want of a thread is told of with the next report."""
    heard: list[Report] = []
    news = ChangeNotifier(lambda before, after: heard.append(after))

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", refuse)
        news.notify(Report())
    news.notify(Report())
    until(lambda: len(heard) == 1)


def test_sampler_of_many_runs_few_at_once() -> None:
    """The number of threads is bounded by the option, not by the number of probes."""
    script = Script(lambda: (time.sleep(0.002), [passed()])[1])
    with sampling(*[Scripted(script=script)] * 40, concurrency=3) as sampler:
        assert codes(sampler.wait(SECONDS)) == ["ok"] * 40
    assert script.most_at_once <= 3


def test_run_once_runs_each_probe_once_and_ends() -> None:
    """A command's report has every probe, what hangs included, and its thread ends."""
    release = threading.Event()
    slow = Scripted(script=Script(lambda: [passed()] if release.wait(SECONDS) else []), timeout=0.05)
    plain = Script()
    try:
        report = run_once([ProbeEntry("slow", slow), ProbeEntry("plain", Scripted(script=plain))], (), options())
    finally:
        release.set()
    assert codes(report) == ["stuck", "ok"]
    assert (slow.script.runs, plain.runs) == (1, 1)
    until(lambda: not sampler_threads())


FORK = """
import os, sys, threading, time
from tests.health.samplers import Script, Scripted, options
from wagtail_multihost.health.report import ProbeEntry
from wagtail_multihost.health.sampler import Sampler

def names():
    return [thread.name for thread in threading.enumerate() if thread.name == "multihost-sampler"]

sampler = Sampler([ProbeEntry("one", Scripted(script=Script()))], (), options())
first = sampler.wait(30)
(own,) = sampler._schedules.values()
own._lock.acquire()  # as if a thread of the parent were starting the sampler at this moment
child = os.fork()
if child == 0:
    fresh = sampler.report is None and names() == []
    threads = [threading.Thread(target=sampler.wait, args=(30,)) for _ in range(20)]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    runs = sampler.entries[0].probe.script.runs
    others = sampler.report is not None and sampler.report is not first
    os._exit(0 if (fresh, others, runs, len(names()), len(sampler._schedules)) == (True, True, 2, 1, 1) else 9)
own._lock.release()
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert sampler.report is first and names() == ["multihost-sampler"]
sys.exit(status)
"""


def test_child_of_a_fork_samples_for_itself() -> None:
    """A child has neither its parent's report nor its thread, nor a lock that it held: it starts one of its own."""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=120, check=False)
    assert ran.returncode == 0


END = """
import sys, threading
from tests.health.samplers import Script, Scripted, options
from wagtail_multihost.health.report import ProbeEntry
from wagtail_multihost.health.sampler import Sampler

forever = threading.Event()
probes = [Scripted(script=Script(forever.wait), timeout=0.05), Scripted(interval=0.001)]
sampler = Sampler([ProbeEntry(f"p{n}", probe) for n, probe in enumerate(probes)], (), options())
assert sampler.wait(30) is not None
print("asked")
"""


def test_process_ends_while_probes_run_and_hang() -> None:
    """Neither the sampler nor a probe that hangs keeps a process from ending, and none writes about it."""
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    ran = subprocess.run([sys.executable, "-c", END], capture_output=True, text=True, timeout=120, env=environ)
    assert (ran.returncode, ran.stdout) == (0, "asked\n")
    assert "Traceback" not in ran.stderr and "Fatal" not in ran.stderr


def test_late_publications_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many results within a moment are one report, which is never left out."""
    monkeypatch.setattr(schedules, "PUBLISH", 0.05)
    with sampling(*[Scripted()] * 4, Scripted(criticality=Criticality.INFORMATIVE)) as sampler:
        sampler.wait(SECONDS)
        until(lambda: codes(sampler.report) == ["ok"] * 5)
