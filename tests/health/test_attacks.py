"""What visitors, neighbours and careless operators try on the endpoint, and what must come of it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils.crypto import salted_hmac

from tests.health.conftest import boom
from tests.health.samplers import GO, SECONDS, Scripted, sampling, until
from tests.health.test_wrappers import Load, aget, ahello, exchange, get, hello
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.health import asgi, process, wsgi
from wagtail_multihost.health.access import HealthRequest
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.options import PROBES, HealthOptions, import_probe, read_settings
from wagtail_multihost.health.probe import Outcome, Probe, passed
from wagtail_multihost.health.schedule import Schedule
from wagtail_multihost.health.status import Criticality

BUILT_IN = [
    f"{PROBES}.{name}"
    for name in (
        "cache.CacheProbe", "database.DatabaseProbe", "disk.DiskProbe", "dns.DnsProbe", "memory.MemoryProbe",
        "migrations.MigrationsProbe", "replica.ReplicaProbe", "search.SearchProbe", "snapshot.SnapshotProbe",
        "storage.StorageProbe", "tls.TlsProbe",
    )
]  # fmt: skip
CACHE = f"{PROBES}.cache.CacheProbe"
#: No option of any probe accepts one of these.
NONSENSE = (object(), b"x", Decimal("0.5"), float("nan"), float("-inf"), 1j, {1}, [5], {"a": 5}, {5: "/x"})


class TouchyError(Exception):
    """An error that no probe should raise."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Touchy(Probe):
    """A project's own probe, whose options make it raise; it has a type of its own, which is its to check."""

    level: Any = "low"
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.level != "low":
            raise TouchyError("password=secret")

    def measure(self) -> Iterator[Outcome]:
        yield passed()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Careless(Probe):
    """A project's own probe, which leaves out what probes have in common."""

    def __post_init__(self) -> None: ...

    def measure(self) -> Iterator[Outcome]:
        yield passed()


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.MULTIHOST_HEALTH = {"PROBES": {}, "BUDGET": 60_000}


def problem_of(stated: object) -> str:
    """Return the one sentence that refuses ``stated``."""
    with pytest.raises(ConfigurationError) as caught:
        read_settings(stated)
    (problem,) = caught.value.problems
    return str(problem)


def options_of(path: str) -> list[str]:
    return [field.name for field in dataclasses.fields(import_probe(path))]


@pytest.mark.parametrize(("path", "name"), [(path, name) for path in BUILT_IN for name in options_of(path)])
def test_option_of_a_wrong_type_is_refused_by_its_name(path: str, name: str) -> None:
    """Nobody has to read what Python says of two types: the sentence names the probe and the option."""
    for value in NONSENSE:
        problem = problem_of({"PROBES": {"one": {"BACKEND": path, "OPTIONS": {name: value}}}})
        assert problem.startswith("MULTIHOST_HEALTH['PROBES']['one']: ")
        assert name in problem or (("percent" in name or "days" in name) and "limits" in problem)
        assert "not supported" not in problem and "argument" not in problem


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        (CACHE, "timeout", "5"),
        (CACHE, "timeout", True),
        (CACHE, "interval", None),
        (CACHE, "alias", 5),
        (f"{PROBES}.storage.StorageProbe", "write", "no"),
        (f"{PROBES}.search.SearchProbe", "request_timeout", 0),
        (f"{PROBES}.search.SearchProbe", "request_timeout", 2.5),
        (f"{PROBES}.snapshot.SnapshotProbe", "max_age", -1),
        (f"{PROBES}.dns.DnsProbe", "addresses", ["nowhere"]),
        (f"{PROBES}.disk.DiskProbe", "paths", {"data": 0}),
        (f"{PROBES}.disk.DiskProbe", "paths", {"data": "/x\0y"}),
    ],
)
def test_value_that_means_something_else_is_refused(path: str, name: str, value: object) -> None:
    """Text is no number and no switch, a switch no number, and a number no folder."""
    assert name in problem_of({"PROBES": {"one": {"BACKEND": path, "OPTIONS": {name: value}}}})


def test_values_of_the_declared_types_are_accepted(tmp_path: Path) -> None:
    """A whole number is a number, a folder may be a path, and defaults are what they are."""
    stated = {
        "one": {"BACKEND": CACHE, "OPTIONS": {"timeout": 1, "interval": 2.5, "alias": "default"}},
        "two": {"BACKEND": f"{PROBES}.disk.DiskProbe", "OPTIONS": {"paths": {"a": tmp_path, "b": "/"}}},
        "three": {"BACKEND": f"{__name__}.Touchy", "OPTIONS": {"names": ["a"]}},
    }
    assert set(read_settings({"PROBES": stated}).probes) == set(stated)


@pytest.mark.parametrize("options", [None, 5, "alias", ["alias"], [("alias", "default")]])
def test_options_that_are_no_dictionary_are_refused(options: object) -> None:
    """The sentence says what was found."""
    problem = problem_of({"PROBES": {"one": {"BACKEND": CACHE, "OPTIONS": options}}})
    assert type(options).__name__ in problem and "dictionary" in problem


@pytest.mark.parametrize("key", [field.name.upper() for field in dataclasses.fields(HealthOptions)])
def test_key_of_a_wrong_type_is_refused_by_its_name(key: str) -> None:
    """So are the keys of the setting, and no token is repeated."""
    for value in (object(), b"secret", Decimal(5), float("nan"), 1j, {"secret": 1}, [5], ["secret", None]):
        problem = problem_of({key: value})
        assert problem.startswith(f"MULTIHOST_HEALTH[{key!r}]: ") and "secret" not in problem


@pytest.mark.parametrize("code", ["raise RuntimeError('secret')", "def (", "import sys; sys.exit('secret')"])
def test_module_of_a_probe_that_raises_is_a_mistake_of_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """The process is told which probe it is, and nothing of what its module says."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"probes_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    problem = problem_of({"PROBES": {"one": {"BACKEND": f"{name}.Own"}}})
    assert f"{name}.Own" in problem and "secret" not in problem


def test_probe_that_does_not_take_its_options_is_a_mistake_of_the_setting() -> None:
    """Whatever a project's own probe raises; its text may be anything."""
    problem = problem_of({"PROBES": {"one": {"BACKEND": f"{__name__}.Touchy", "OPTIONS": {"level": "high"}}}})
    assert "TouchyError" in problem and "secret" not in problem


def test_probe_that_leaves_out_the_common_checks_is_checked() -> None:
    """The sampler's thread would end with an exception for a word or a number that is text."""
    careless = {"BACKEND": f"{__name__}.Careless", "OPTIONS": {"criticality": "degraded"}}
    assert read_settings({"PROBES": {"one": careless}}).probes["one"].criticality is Criticality.DEGRADED
    careless["OPTIONS"] = {"timeout": "5"}
    assert "timeout" in problem_of({"PROBES": {"one": careless}})


def test_sampler_that_ends_with_an_exception_holds_up_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks is answered at once, however long a question may wait, and not once for each of its threads."""
    monkeypatch.setattr(Schedule, "_look", lambda *arguments: 1 / 0)
    began = time.monotonic()
    with sampling(Scripted(), budget=60_000) as sampler:
        assert [sampler.wait(60) for _ in range(5)] == [None] * 5
    assert time.monotonic() - began < SECONDS


def test_blank_key_makes_no_token(settings: Any) -> None:
    """``SECRET_KEY_FALLBACKS`` with a variable that is not set would let in everybody who knows the site's id."""
    settings.SECRET_KEY_FALLBACKS = ["", "older"]
    guessed = salted_hmac(process.TOKEN_SALT, process.own_id(), secret="", algorithm="sha256").hexdigest()
    assert len(process.site_tokens()) == 2 and guessed not in process.site_tokens()
    question = HealthRequest("POST", "/-/drain", f"Bearer {guessed}")
    answer = process.own_endpoint().answer(question)
    assert answer and answer.status == 401


@pytest.mark.parametrize("path", ["/-/health", "/-/ready"])
def test_gate_that_raises_is_a_failure_under_asgi_too(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Settings that cannot be used give no server a traceback."""
    endpoint = process.own_endpoint()
    monkeypatch.setattr(endpoint.gate, "access", boom)
    monkeypatch.setattr(endpoint.source, "wait", boom)
    monkeypatch.setattr(endpoint.source, "is_awaited", boom)
    application = asgi.HealthApplication(lambda: ahello, background=False)
    start, body = aget(application, path)
    assert (start["status"], body["body"]) == (503, b"fail")


def test_answer_does_not_hold_up_the_loop_for_the_rest_of_the_budget(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """A sampler that is slow to begin makes a question wait longer, and never the loop."""
    settings.MULTIHOST_HEALTH = {"PROBES": {"slow": {"BACKEND": "tests.health.samplers.Gated"}}, "BUDGET": 300}
    begin, wait, held_up = Schedule.begin, Schedule.wait, []

    def begin_late(self: Schedule) -> None:
        time.sleep(0.2)
        begin(self)

    def waited(self: Schedule, seconds: float) -> Any:
        held_up.append(self.is_awaited())
        return wait(self, seconds)

    monkeypatch.setattr(Schedule, "begin", begin_late)
    monkeypatch.setattr(Schedule, "wait", waited)
    application = asgi.HealthApplication(lambda: ahello, background=False)
    GO.clear()
    try:
        assert aget(application, "/-/ready")[1]["body"] == b"starting"
    finally:
        GO.set()
    assert held_up == [False]


def test_loading_that_returns_nothing_has_failed() -> None:
    """A function that forgets to return its application must not make a process that is ready and serves no page."""
    for wrapper in (wsgi.HealthApplication, asgi.HealthApplication):
        application: Any = wrapper(lambda: None)  # type: ignore[arg-type,return-value]
        until(lambda application=application: application.loading.is_done)
        assert isinstance(application.loading.error, TypeError)
        assert application.loading.answer(HealthRequest("GET", "/-/ready")).body == b"failed"
        assert application.loading.endpoint() is None
    with pytest.raises(TypeError, match="NoneType"):
        wsgi.HealthApplication(lambda: None, background=False)  # type: ignore[arg-type,return-value]


def test_failure_that_cannot_be_logged_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that raises does not make a process live that has nothing to serve."""
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    monkeypatch.setattr("wagtail_multihost.health.loading.logger", None)
    load = Load(error=ZeroDivisionError())
    application = wsgi.HealthApplication(load)
    load.go.set()
    until(lambda: application.loading.is_done)
    assert get(application, "/-/live")[:2] == (503, b"failed")
    load.threads[0].join(SECONDS)


FORK = """
import os, sys, threading
from django.conf import settings

settings.configure(SECRET_KEY="x", MULTIHOST_HEALTH={"PROBES": {}})
from wagtail_multihost.health.wsgi import HealthApplication

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

def load():
    other = threading.Thread(target=fork)
    other.start()
    other.join()
    return lambda environ, start_response: [b"hello"]

application = HealthApplication(load)
sys.exit(0 if application({"PATH_INFO": "/"}, None) == [b"hello"] else 9)
"""


def test_thread_that_forks_while_the_application_loads_is_not_waited_for() -> None:
    """What the loading waits for may start a process: two that wait for each other would never be ready."""
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], env=environ, timeout=120, check=False)
    assert ran.returncode == 0


def test_visitors_who_wait_for_the_application_leave_the_loop_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits looks less and less often, so that thousands take no time from the loading."""
    load, pauses, sleep = Load(ahello), [], asyncio.sleep
    application = asgi.HealthApplication(load)

    async def sleeping(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 20:
            load.go.set()
        await sleep(0.01)

    monkeypatch.setattr(asyncio, "sleep", sleeping)
    asyncio.run(exchange(application, {"type": "http", "path": "/", "method": "GET", "headers": []}))
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.08] and max(pauses) == asgi.LONGEST_POLL_SECONDS


def test_process_without_a_folder_for_temporary_files_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have no folder that can be written: no file there drains it, and nothing is wrong with it."""
    monkeypatch.setattr(tempfile, "gettempdir", missing_folder)
    assert not Drain(site="aurora").is_on()
    application = wsgi.HealthApplication(lambda: hello, background=False)
    assert get(application, "/-/ready")[:2] == (200, b"pass")
    with pytest.raises(OSError, match="No usable"):
        Drain(site="aurora").begin()


def missing_folder() -> str:
    raise FileNotFoundError("No usable temporary directory found")


def test_second_name_of_a_file_drains_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shared folder a neighbour can give a file of root's, which it may write, the name of another's drain."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ours = Drain(site="aurora")
    (tmp_path / "everybody's").touch()
    os.link(tmp_path / "everybody's", ours.path)
    assert not ours.is_on()
    (tmp_path / "everybody's").unlink()
    assert ours.is_on()
    ours.end()
    ours.path.mkdir()
    assert ours.is_on()


def test_second_name_of_a_stated_file_counts(tmp_path: Path) -> None:
    """Where the operator states a file, its folder is the operator's too."""
    (tmp_path / "maintenance").touch()
    os.link(tmp_path / "maintenance", tmp_path / "drain")
    assert Drain(tmp_path / "drain").is_on()


def test_pipe_or_loop_in_the_place_of_the_drain_holds_up_no_question(tmp_path: Path) -> None:
    """A pipe that nobody writes to, one that somebody does, and a link to itself are answered at once."""
    ours = Drain(tmp_path / "drain")
    os.mkfifo(ours.path)
    assert ours.is_on()
    writer = os.open(ours.path, os.O_RDWR | os.O_NONBLOCK)
    try:
        assert ours.is_on()
    finally:
        os.close(writer)
    ours.end()
    ours.path.symlink_to(ours.path)
    assert not ours.is_on()


HOSTILE: Mapping[str, str] = {
    "Bearer": "no token",
    "Bearer \xff\xfe": "not ASCII",
    "bearer " + "a" * 1_000_000: "a long one",
    "Bearer a,Bearer b": "two",
    " " * 10_000 + "Bearer x": "blanks",
}


@pytest.mark.parametrize("authorization", HOSTILE, ids=HOSTILE.values())
@pytest.mark.parametrize("path", ["health", "metrics", "site/unknown", "drain"])
def test_hostile_token_is_refused_and_starts_nothing(
    authorization: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is logged either: nobody fills a disk by asking."""
    with caplog.at_level(logging.INFO):
        answer = process.own_endpoint().answer(HealthRequest("GET", f"/-/{path}", authorization))
    assert answer and answer.status == 401 and answer.body == b"unauthorized"
    assert not caplog.records
    assert getattr(process.own_endpoint().source, "report", None) is None


@pytest.mark.parametrize("accept", ["," * 100_000, ";q=" * 100_000, "a/" * 50_000, "*/*;q=nan,text/html;q=1e309", "\0"])
def test_hostile_accept_is_answered(accept: str, caplog: pytest.LogCaptureFixture) -> None:
    """A header that means nothing gets the first form, and costs little."""
    for path in ("health", "metrics", "health.html"):
        answer = process.own_endpoint().answer(HealthRequest("GET", f"/-/{path}", "", accept))
        assert answer and answer.status == 200
    assert not caplog.records


CERTIFICATES = "wagtail_multihost.health.contrib.certificates.CertificateFilesProbe"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Needy(Probe):
    """A probe of a project's own that cannot do without an option, and says nothing of it."""

    place: str

    def measure(self) -> Iterator[Outcome]:
        yield passed()


@pytest.mark.parametrize(
    ("path", "option", "meaning"), [(CERTIFICATES, "paths", "Files, patterns"), (f"{__name__}.Needy", "place", "")]
)
@pytest.mark.parametrize("options", [{}, {"timeout": 3}])
def test_option_that_is_missing_is_named_as_the_settings_would_have_it(
    path: str, option: str, meaning: str, options: dict[str, object]
) -> None:
    """With the probe's name there, its class, and what it is for."""
    pytest.importorskip(path.rpartition(".")[0])
    problem = problem_of({"PROBES": {"one": {"BACKEND": path, "OPTIONS": options}}})
    name = path.rpartition(".")[2]
    start = f"MULTIHOST_HEALTH['PROBES']['one']['OPTIONS']['{option}']: It is missing: {name} requires it."
    assert problem.startswith(start) and meaning in problem and problem.endswith(".")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counting(Probe):
    """A probe of a project's own that cannot do without a number and a switch."""

    most: int
    strict: bool

    def measure(self) -> Iterator[Outcome]:
        yield passed()


def test_option_that_is_zero_or_false_is_not_missing() -> None:
    """Both are values, and state what is required."""
    options: dict[str, Any] = {"most": 0, "strict": False}
    probes = read_settings({"PROBES": {"one": {"BACKEND": f"{__name__}.Counting", "OPTIONS": options}}}).probes
    assert probes["one"] == Counting(**options)
