"""
The defects of other health endpoints, each reproduced or reported for a peer, that this one must not have. The names
are of packages (django-health-check 4.8, django-watchman 1.5, dockerflow 2026.3, django-lb-health-check 1.0) and of
their threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from asgiref.sync import async_to_sync
from django.core import mail
from django.core.cache import caches
from django.http import HttpResponse
from django.test import AsyncClient, Client

from tests.servers.processes import wait_for
from wagtail_multihost.health import process
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.process import own_endpoint, site_tokens
from wagtail_multihost.health.report import make_report
from wagtail_multihost.health.status import Status

BUILT_IN = "wagtail_multihost.health.probes"
SECRET = "postgres://aurora:hunter2@db.internal:5432/aurora"
DETAILS = ("/-/health", "/-/health.json", "/-/health.txt", "/-/health.html", "/-/health.rss", "/-/metrics")


@dataclass(frozen=True, kw_only=True)
class Acting(Probe):
    """Does what a test says, in ``act``."""

    timeout: float = 60
    act: ClassVar[Callable[[], Outcome]] = staticmethod(passed)
    runs: ClassVar[list[str]] = []

    def measure(self) -> Iterator[Outcome]:
        self.runs.append(threading.current_thread().name)
        yield type(self).act()


Stated = Callable[..., None]


@pytest.fixture(autouse=True)
def acting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Acting, "runs", [])
    monkeypatch.setattr(Acting, "act", staticmethod(passed))


@pytest.fixture
def state(settings: Any, acting: None, tmp_path: Path) -> Iterator[Stated]:
    """Return a function that states one probe and its options; without one, the probe that a test steers."""

    def stated(backend: str = f"{__name__}.Acting", **probe: Any) -> None:
        settings.MULTIHOST_HEALTH = {
            "PROBES": {"thing": {"BACKEND": backend, "OPTIONS": {"timeout": 60, **probe}}},
            "INTERVAL": 1_000,
            "RETRY": 1_000,
            "BUDGET": 60_000,
            "DRAIN_FILE": str(tmp_path / "drain"),
        }

    stated()
    yield stated
    process.forget_endpoint()
    wait_for(lambda: not own_threads(), "the end of all threads")


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("multihost-")]


def act(monkeypatch: pytest.MonkeyPatch, what: Callable[[], Outcome]) -> None:
    monkeypatch.setattr(Acting, "act", staticmethod(what))


def explode() -> Outcome:
    raise ConnectionError(SECRET)


def get(client: Client, path: str, token: str = "") -> tuple[int, str]:
    response = client.get(path, headers={"authorization": f"Bearer {token}"} if token else {})
    return response.status_code, response.content.decode()


def test_probe_that_hangs_holds_up_no_request(
    client: Client, state: Stated, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """django-health-check reports a timeout of 1 s after the 8 s that the check takes; gunicorn ends the worker."""
    release = threading.Event()
    act(monkeypatch, lambda: [release.wait(60), passed()][1])
    state(timeout=0.2)
    begin = time.monotonic()
    try:
        assert get(client, "/-/ready") == (503, "fail")
        assert "stuck" in get(client, "/-/health.txt", site_tokens()[0])[1]
        assert get(client, "/-/live") == (200, "pass")
        assert time.monotonic() - begin < 30, "the probe hangs for 60 s"
        assert len(Acting.runs) == 1
    finally:
        release.set()


def test_many_questions_are_one_run(client: Client, state: Stated) -> None:
    """django-health-check opens a new connection for each of 200 questions (its issues 178, 701, 755)."""
    assert {get(client, "/-/ready") for _ in range(200)} == {(200, "pass")}
    assert len(Acting.runs) == 1


def test_fifty_threads_at_once_are_one_run(state: Stated) -> None:
    """Both django-health-check and watchman run their checks 50 times, with 50 connections."""
    at_once = threading.Barrier(50)

    def ask(_: int) -> tuple[int, str]:
        at_once.wait(60)
        return get(Client(), "/-/ready")

    with ThreadPoolExecutor(50) as threads:
        assert set(threads.map(ask, range(50))) == {(200, "pass")}
    assert len(Acting.runs) == 1


@pytest.mark.parametrize(
    ("criticality", "found", "expected"),
    [
        ("critical", warned("slow"), (200, "warn")),
        ("degraded", failed("gone"), (200, "warn")),
        ("informative", failed("gone"), (200, "pass")),
        ("critical", failed("gone"), (503, "fail")),
    ],
)
def test_warning_is_no_error(
    client: Client,
    state: Stated,
    monkeypatch: pytest.MonkeyPatch,
    criticality: str,
    found: Outcome,
    expected: tuple[int, str],
) -> None:
    """django-health-check answers 500 for a ServiceWarning (its issue 682), so that load restarts containers."""
    act(monkeypatch, lambda: found)
    state(criticality=criticality)
    assert get(client, "/-/ready") == expected
    assert get(client, "/-/live") == (200, "pass")


def test_probe_that_raises_fails(client: Client, state: Stated, monkeypatch: pytest.MonkeyPatch) -> None:
    """watchman answers 200 when a custom check raises (its issue 188)."""
    act(monkeypatch, explode)
    assert get(client, "/-/ready") == (503, "fail")


def test_no_answer_has_the_text_of_an_error(
    client: Client, state: Stated, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    watchman publishes the stack trace and the database's host and port (its issue 76), django-health-check the options
    of its checks. Here the code is published, to who has a token, and the text is logged, once.
    """
    act(monkeypatch, explode)
    for path in (*DETAILS, "/-/ready", "/-/live", "/-/startup"):
        for token in ("", site_tokens()[0]):
            response = client.get(path, headers={"authorization": f"Bearer {token}"} if token else {})
            everything = f"{response.headers} {response.content.decode()}"
            for secret in ("hunter2", "db.internal", "5432", "ConnectionError", "Traceback", __name__):
                assert secret not in everything, path
    assert "error" in get(client, "/-/health.txt", site_tokens()[0])[1]
    assert caplog.text.count(f"ConnectionError: {SECRET}") == 1


def test_failure_is_not_mailed_to_the_admins(
    client: Client, state: Stated, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer of 503 is an error of a request to Django: admins got a mail for each probe (issues 202, 422)."""
    act(monkeypatch, lambda: failed("gone"))
    for _ in range(3):
        assert get(client, "/-/ready") == (503, "fail")
    assert not [record for record in caplog.records if record.name.startswith("django")]
    assert not getattr(mail, "outbox", [])


def test_cache_that_keeps_nothing_fails(client: Client, state: Stated, settings: Any) -> None:
    """watchman never compares the value: its check passes with Django's dummy cache."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    state(f"{BUILT_IN}.cache.CacheProbe")
    assert get(client, "/-/ready") == (503, "fail")


def test_cache_probes_at_once_do_not_disturb_each_other(settings: Any) -> None:
    """Probes of several processes with one key overwrite each other's value (django-health-check's issues 606, 607)."""
    from wagtail_multihost.health.probes.cache import CacheProbe

    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "peers"},
    }
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda _: list(CacheProbe(timeout=60).measure()), range(80))
        assert {outcome.status for outcomes in found for outcome in outcomes} == {Status.PASS}
    assert not caches["default"]._cache


@pytest.mark.parametrize("write", [False, True])
def test_storage_probe_leaves_nothing_and_takes_nothing(settings: Any, tmp_path: Path, write: bool) -> None:
    """
    django-health-check leaves the folder of its probe, and the file where it is renamed (717); watchman leaves its file
    where it may not delete (157); a probe with a fixed key deleted somebody's object (cognee 4329).
    """
    from wagtail_multihost.health.probes.storage import StorageProbe

    media = tmp_path / "media"
    names = ("health_check_storage_test", "django-watchman-1.txt", "multihost-probe", "multihost-probe-1")
    media.mkdir()
    for name in names:
        (media / name).write_text("an upload")
    location = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(media)}}
    settings.STORAGES = {**settings.STORAGES, "default": location}
    assert [outcome.status for outcome in StorageProbe(timeout=60, write=write).measure()] == [Status.PASS]
    assert {path.name: path.read_text() for path in media.rglob("*")} == dict.fromkeys(names, "an upload")


@pytest.mark.parametrize("path", ["/-/live", "/-/ready", "/-/startup", "/-/drain", *DETAILS])
def test_answer_above_all_middleware_has_a_length(client: Client, state: Stated, path: str) -> None:
    """
    What a middleware at the top answers has no Content-Length unless it sets one, and HEAD a body:
    django-health-check's has 4,288 bytes (771, 777), django-lb-health-check's is 404.
    """
    answer, head = client.get(path), client.head(path)
    assert (answer.status_code, head.status_code, head.content) == (200, 200, b"")
    assert answer.headers["Content-Length"] == str(len(answer.content)) != "0"
    assert answer.headers["Cache-Control"] == "no-store"
    assert head.headers.keys() == answer.headers.keys()
    assert not answer.cookies


@pytest.mark.parametrize("host", ["10.1.2.3", "10.1.2.3:8000", "[fd00::1]:8000", "web_1", "-", "", None])
def test_host_and_https_of_a_probe_do_not_matter(
    client: Client, state: Stated, settings: Any, host: str | None
) -> None:
    """The host of a probe is an address or an invalid name, for which Django answers 400, and its scheme http (301)."""
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["www.example.org"]
    headers = {} if host is None else {"HTTP_HOST": host}
    extra: dict[str, Any] = {"SERVER_NAME": "" if host is None else "testserver", **headers}
    for path in ("/-/live", "/-/ready"):
        response: HttpResponse = client.get(path, **extra)
        assert (response.status_code, response.content) == (200, b"pass")


def test_nothing_runs_for_a_wrong_token(client: Client, state: Stated) -> None:
    """django-healthpoint runs its checks before it looks who asks (its issues 1 and 2)."""
    for path in (*DETAILS, "/-/site/stranger"):
        assert get(client, path, "x" * 64)[0] == 401
    assert client.post("/-/drain").status_code == 401
    assert not Acting.runs
    assert own_endpoint().source.report is None  # type: ignore[attr-defined]


def test_token_in_a_query_counts_for_nothing(client: Client, state: Stated) -> None:
    """watchman takes its token from the query too, from where it gets into every log."""
    token = site_tokens()[0]
    for name in ("watchman-token", "token", "access_token"):
        assert "thing" not in get(client, f"/-/health.json?{name}={token}")[1]
        assert client.post(f"/-/drain?{name}={token}", {name: token}).status_code == 401
    assert "thing" in get(client, "/-/health.json", token)[1]


@pytest.mark.parametrize("header", ["Bearer " + " " * 200_000, "Bearer\t" * 50_000, "Token=" * 50_000, "Bearer \xff"])
def test_hostile_header_takes_no_time(client: Client, state: Stated, header: str) -> None:
    """watchman's pattern for tokens took quadratic time (its issue 213)."""
    begin = time.monotonic()
    assert client.get("/-/health.json", HTTP_AUTHORIZATION=header).status_code in (200, 401)
    assert time.monotonic() - begin < 20


def test_site_that_is_not_here_is_not_found(client: Client, state: Stated) -> None:
    """A probe for a tenant that the host does not have was healthy (gel 7502)."""
    assert get(client, "/-/site/stranger")[0] == 404


def test_report_that_is_too_old_is_not_believed(client: Client, state: Stated, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of results went on telling that all is well for ten hours (archimedes 1830)."""
    assert get(client, "/-/ready") == (200, "pass")
    endpoint = own_endpoint()
    known = endpoint.source.ask()
    assert known is not None
    ago = time.monotonic() - endpoint.options.stale - 3_600
    results = [result._replace(ended=ago) for result in known.results]
    old = make_report(results, (), quorum=50, stale=endpoint.options.stale, now=ago, time=0)
    monkeypatch.setattr(endpoint.source, "wait", lambda seconds: old)
    assert get(client, "/-/ready") == (503, "stale")
    assert get(client, "/-/live") == (200, "pass")


def test_dependency_that_is_down_restarts_nothing(
    client: Client, state: Stated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers were restarted while their database was upgraded (addons-server 25074, hindsight 3329)."""
    act(monkeypatch, explode)
    assert get(client, "/-/ready") == (503, "fail")
    for path in ("/-/live", "/-/startup"):
        assert get(client, path) == (200, "pass")


def test_drain_comes_before_the_end(client: Client, state: Stated) -> None:
    """gunicorn closes its sockets at SIGTERM: what a process answers after it nobody hears (PostHog 17914)."""
    token = {"authorization": f"Bearer {site_tokens()[0]}"}
    assert client.post("/-/drain", headers=token).status_code == 200
    assert get(client, "/-/ready") == (503, "draining")
    assert get(client, "/-/live") == (200, "pass")
    assert client.delete("/-/drain", headers=token).status_code == 200
    assert get(client, "/-/ready") == (200, "pass")


def test_other_methods_need_no_cross_site_token(state: Stated) -> None:
    """A POST met the protection from cross-site requests, or an error of its own (django-health-check 635)."""
    client = Client(enforce_csrf_checks=True)
    for path in ("/-/live", "/-/ready", "/-/health"):
        assert client.post(path).status_code == 405
    token = {"authorization": f"Bearer {site_tokens()[0]}"}
    assert client.post("/-/drain", headers=token).status_code == 200


def test_asynchronous_server_gets_the_same(async_client: AsyncClient, state: Stated) -> None:
    """A synchronous view under ASGI raised an error (django-health-check 635)."""
    for path in ("/-/live", "/-/ready"):
        response = async_to_sync(async_client.get)(path)
        assert (response.status_code, response.content) == (200, b"pass")


def test_migrations_on_disk_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading them for each probe takes 50 times as long as asking the database, and timed out (open-event 4165)."""
    from django.db.migrations.loader import MigrationLoader

    from wagtail_multihost.health.probes.migrations import migrations_on_disk

    loads: list[object] = []
    load = MigrationLoader.load_disk

    def counted(loader: MigrationLoader) -> None:
        loads.append(loader)
        load(loader)

    monkeypatch.setattr(MigrationLoader, "load_disk", counted)
    migrations_on_disk.cache_clear()
    for _ in range(5):
        migrations_on_disk()
    assert len(loads) == 1
