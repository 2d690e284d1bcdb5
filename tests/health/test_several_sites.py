"""A process that answers for several sites: here a stand-in for one, over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from tests.servers.processes import wait_for
from wagtail_multihost.health.access import Gate, HealthRequest
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.endpoint import Endpoint
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed
from wagtail_multihost.health.report import ProbeEntry, Report
from wagtail_multihost.health.sampler import Sampler, run_once
from wagtail_multihost.health.schedule import Schedule
from wagtail_multihost.health.status import Status
from wagtail_multihost.health.task import Task

SITES = tuple(f"site{number}" for number in range(300))
KINDS = ("database", "cache", "storage")


@dataclass
class World:
    """
    What the probes find: which sites are ``down``, and which are ``hanging`` until ``released``. Each takes ``pause``
    seconds; ``runs`` counts, and ``most`` is how many ran at once.
    """

    down: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)
    pause: float = 0
    runs: dict[str, int] = field(default_factory=dict)
    running: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def visit(self, site: str) -> Outcome:
        with self.lock:
            self.runs[site] = self.runs.get(site, 0) + 1
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            if site in self.hanging:
                self.released.wait(120)
            time.sleep(self.pause)
            return failed("gone") if site in self.down else passed()
        finally:
            with self.lock:
                self.running -= 1


@dataclass(frozen=True, kw_only=True)
class Visit(Probe):
    """Asks the world for a site."""

    timeout: float = 60
    site: str
    world: World

    def measure(self) -> Iterator[Outcome]:
        yield self.world.visit(self.site)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.released.set()
    wait_for(lambda: not world.running, "the end of all probes")


Start = Callable[..., Sampler]


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """
    Return a function that makes a sampler of ``sites``, each with ``kinds`` of probes; all are stopped. Nothing is slow
    or stuck unless a test says how soon it is.
    """
    samplers: list[Sampler] = []

    def sampler_of(sites: Iterable[str], kinds: Iterable[str] = KINDS, **options: Any) -> Sampler:
        probe = {key: options.pop(key) for key in ("timeout", "interval", "retry") if key in options}
        sites = tuple(sites)
        entries = [
            ProbeEntry(kind, Visit(site=site, world=world, **{"interval": 0.1, "retry": 0.1, **probe}), site)
            for site in sites
            for kind in kinds
        ]
        entries.append(ProbeEntry("disk", Visit(site="", world=world, interval=0.1, retry=0.1)))
        samplers.append(Sampler(entries, sites, HealthOptions(**{"budget": 60_000, **options})))
        return samplers[-1]

    yield sampler_of
    for sampler in samplers:
        sampler.stop()


@pytest.fixture
def endpoint_of(tmp_path: Path) -> Callable[[Sampler], Endpoint]:
    def endpoint(sampler: Sampler) -> Endpoint:
        gate = Gate(tuple, sampler.options.networks)
        return Endpoint(sampler.options, sampler, gate, Drain(tmp_path / "drain"), sites=sampler.sites)

    return endpoint


class Server(ThreadingMixIn, WSGIServer):
    """Answers each connection in a thread."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log_message(self, *arguments: object) -> None: ...


@contextlib.contextmanager
def served(endpoint: Endpoint) -> Iterator[Callable[[str], tuple[int, str]]]:
    """Serve the endpoint; yield a function that gets a path, and returns the status and the word."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        answer = endpoint.answer(HealthRequest(environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        assert answer is not None
        start_response(f"{answer.status} {http.client.responses[answer.status]}", answer.all_headers)
        return [answer.body]

    def get(path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    with make_server("127.0.0.1", 0, application, Server, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield get
        finally:
            server.shutdown()
            thread.join()


def reported(sampler: Sampler, condition: Callable[[Report], object], what: str) -> Report:
    """Return a report for which ``condition`` holds, as soon as there is one."""
    wait_for(lambda: (report := sampler.ask()) and condition(report), what)
    report = sampler.ask()
    assert report is not None
    return report


def test_one_of_300_sites_fails_alone(world: World, start: Start, endpoint_of: Callable[[Sampler], Endpoint]) -> None:
    """A site's own path tells of its fault, its neighbours' do not, and the process stays ready, with a warning."""
    world.down = {"site7"}
    sampler = start(SITES)
    reported(sampler, lambda report: report.status, "a warning")
    with served(endpoint_of(sampler)) as get:
        assert get("/-/ready") == (200, "warn")
        assert get("/-/live") == (200, "pass")
        for path in ("/-/site/site7", "/-/site/site7/"):
            assert get(path)[0] == 503
        assert {get(f"/-/site/{site}")[0] for site in SITES if site != "site7"} == {200}


def test_site_that_is_not_here_is_not_found(start: Start, endpoint_of: Callable[[Sampler], Endpoint]) -> None:
    """An unknown site is never reported healthy (gel 7502), whatever its name."""
    sampler = start(["aurora"])
    with served(endpoint_of(sampler)) as get:
        for name in ("stranger", "", "aurora/x", "AURORA", "..", "default"):
            assert get(f"/-/site/{name}")[0] == 404, name
        assert sampler.report is None


def test_process_that_loses_its_quorum_is_not_ready_until_it_is_back(
    world: World, start: Start, endpoint_of: Callable[[Sampler], Endpoint]
) -> None:
    """Below the quorum the process is not ready; above it is again, without a restart."""
    sampler = start(SITES[:10], quorum=50)
    with served(endpoint_of(sampler)) as get:
        for down, answer in ((0, (200, "pass")), (5, (200, "warn")), (6, (503, "fail")), (1, (200, "warn"))):
            world.down = set(SITES[:down])
            wait_for(lambda answer=answer: get("/-/ready") == answer, f"{answer} with {down} sites down")
        wait_for(lambda: get("/-/site/site5")[0] == 200, "the site that is back")
        assert get("/-/site/site0")[0] == 503


def test_shared_resource_takes_the_process_out_and_no_site(
    world: World, start: Start, endpoint_of: Callable[[Sampler], Endpoint]
) -> None:
    """What belongs to the container fails the container."""
    world.down = {""}
    sampler = start(SITES[:10], quorum=0)
    reported(sampler, lambda report: report.results, "a report")
    with served(endpoint_of(sampler)) as get:
        assert get("/-/ready") == (503, "fail")
        assert get("/-/site/site0")[0] == 200


def test_sites_that_do_not_answer_delay_no_neighbour(world: World, start: Start) -> None:
    """More probes hang than may run at once; the neighbours' are run again and again all the same."""
    silent, others = SITES[:12], SITES[12:20]
    world.hanging = set(silent)
    sampler = start([*silent, *others], concurrency=4, quorum=0, budget=900)
    reported(sampler, lambda report: len(report.results) == 20 * len(KINDS) + 1, "the first report")
    seen = dict(world.runs)
    wait_for(lambda: all(world.runs[site] >= seen[site] + 9 for site in others), "three more runs of each probe")
    wanted = set(silent)
    reported(sampler, lambda report: {site for site in report.sites if report.sites[site]} == wanted, "the silent ones")
    assert all(world.runs[site] == len(KINDS) for site in silent), "what hangs is not started twice"
    world.released.set()
    reported(sampler, lambda report: not any(report.sites.values()), "the recovery of all")


def test_slow_probes_give_their_places_to_others(world: World, start: Start) -> None:
    """A probe that may take minutes neither holds a place nor the first report: its site fails until it is heard."""
    world.hanging = {"slow0", "slow1", "slow2"}
    sampler = start(["slow0", "slow1", "slow2", "quick"], ["database"], timeout=300, concurrency=1, budget=50, quorum=0)
    report = reported(sampler, lambda report: report.sites["quick"] is Status.PASS, "the quick site")
    assert [site for site, status in report.sites.items() if status] == ["slow0", "slow1", "slow2"]
    world.released.set()
    reported(sampler, lambda report: not report.status, "the recovery of all")


def test_probe_that_becomes_slow_leaves_its_place(world: World, start: Start) -> None:
    """One that was heard, and takes minutes now, keeps no other from being heard again, long before it is stuck."""
    sampler = start(["slow", "quick"], ["database"], timeout=300, concurrency=1, budget=50, quorum=0)
    reported(sampler, lambda report: not report.status, "a first report")
    world.hanging = {"slow"}
    runs = world.runs["slow"]
    wait_for(lambda: sampler.ask() and world.runs["slow"] > runs, "the slow run")
    runs = world.runs["quick"]
    wait_for(lambda: sampler.ask() and world.runs["quick"] > runs + 1, "the other site's next runs")


def test_number_of_probes_at_once_is_bounded(world: World, start: Start) -> None:
    """A process with many sites does not start a thread for each of their probes at once, and yet runs everything."""
    world.pause = 0.02
    sampler = start(SITES[:40], concurrency=5, interval=60)
    reported(sampler, lambda report: len(report.results) == 121, "the first report")
    assert 1 <= world.most <= 5
    assert set(world.runs) == {"", *SITES[:40]}


def test_single_run_is_bounded_too_and_skips_nothing(world: World) -> None:
    """What commands run has the same bound."""
    world.pause = 0.02
    entries = [ProbeEntry("database", Visit(site=site, world=world), site) for site in SITES[:40]]
    report = run_once(entries, SITES[:40], HealthOptions(concurrency=3))
    assert len(report.results) == len(report.sites) == 40
    assert world.most <= 3


def test_threads_that_cannot_be_started_are_tried_again(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A container at its limit of threads neither ends the sampler nor makes it say that all is well."""
    begin, refused = threading.Thread.start, []

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "multihost-probe-database" and len(refused) < 2:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    sampler = start(["aurora"], retry=1)
    first = reported(sampler, lambda report: len(report.results) == len(KINDS) + 1, "a report")
    assert first.sites["aurora"] is Status.FAIL or len(refused) == 2
    reported(sampler, lambda report: report.sites["aurora"] is Status.PASS, "a pass")
    assert len(refused) == 2
    assert "cannot be run" in caplog.text


def test_probes_that_were_slow_wait_among_themselves() -> None:
    """Sites whose probes hang each time compete for places with each other, and with nobody else."""
    schedule = Schedule([], SITES, HealthOptions(concurrency=2))
    probe = Visit(site="any", world=World())
    schedule.tasks = [Task(ProbeEntry("database", probe, site), schedule.options) for site in SITES[:8]]
    slow, quick = schedule.tasks[:5], schedule.tasks[5:]
    for task in slow:
        end_of_run(task, began=0, ended=100)
    for task in quick:
        end_of_run(task, began=100, ended=100)
    assert {task.was_slow for task in slow} == {True}
    now = max(task.due for task in schedule.tasks)
    chosen = schedule._startable(now)
    assert [len([task for task in chosen if task in kind]) for kind in (slow, quick)] == [2, 2]
    for task in chosen:
        task.began = now
    assert schedule._startable(now) == []
    assert [task in slow for task in schedule._startable(now + schedule.patience)] == [False, True, True]


def end_of_run(task: Task, began: float, ended: float) -> None:
    task.began, task.done = began, ((passed(),), ended)
    assert task.finish(patience=0.9)
