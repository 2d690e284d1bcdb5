"""What a process answers to probes."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.core.cache import caches
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from tests.health.conftest import Boom, boom
from tests.health.samplers import GO, sampler_threads, until
from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.exceptions import BuildModeError
from wagtail_multihost.health import process
from wagtail_multihost.health.middleware import HealthMiddleware
from wagtail_multihost.health.probe import Outcome, Probe, passed
from wagtail_multihost.health.probes import cache as cache_probe
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.platform_record import read_platform
from wagtail_multihost.running import Running

LIVE = ("/-/live/", "/-/live")
STARTUP = ("/-/startup/", "/-/startup")
READY = ("/-/ready/", "/-/ready")
HEALTH = ("/-/health", "/-/health.json/", "/-/health.txt", "/-/drain")
PATHS = (*LIVE, *STARTUP, *READY)
CACHE = {"cache": {"BACKEND": "wagtail_multihost.health.probes.cache.CacheProbe", "OPTIONS": {"timeout": 60}}}
# What a slow machine takes must make nothing stuck, and nothing runs twice within a test.
PATIENT = {"BUDGET": 60_000, "INTERVAL": 1000, "RETRY": 1000}
GATED = {"gated": {"BACKEND": "tests.health.samplers.Gated", "OPTIONS": {"timeout": 300}}}
DUMMY = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


class Forgetful:
    """A cache that takes every value and has none."""

    def set(self, *arguments: object) -> None: ...

    def get(self, key: str) -> None:
        return None

    def delete(self, key: str) -> None: ...

    def close(self) -> None: ...


@pytest.fixture(name="health", autouse=True)
def _health(settings: Any) -> Any:
    """Have an endpoint that looks at the cache alone, and waits as long as a slow machine takes; yield its changer."""

    def change(**changes: Any) -> None:
        settings.MULTIHOST_HEALTH = {"PROBES": CACHE, **PATIENT, **changes}

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "ready"}}
    change()
    return change


@pytest.mark.parametrize("path", PATHS)
def test_probes_pass(client: Client, path: str) -> None:
    """A process whose probes pass is live, started and ready, with and without the final slash."""
    response = client.get(path)
    assert (response.status_code, response.content) == (200, b"pass")
    assert response.headers == {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Length": "4",
    }
    assert not response.cookies


@pytest.mark.parametrize("path", [*PATHS, *HEALTH])
def test_head_has_the_headers_of_get_and_no_body(rf: RequestFactory, path: str) -> None:
    """HEAD is answered as GET is, less the body."""
    respond = HealthMiddleware(boom)
    get, head = respond(rf.get(path)), respond(rf.head(path))
    assert (head.status_code, head.content) == (200, b"")
    assert set(head.headers) == set(get.headers)
    if path != "/-/health.json/":  # it has the age of its results
        assert head.headers["Content-Length"] == str(len(get.content))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", [*PATHS, "/-/health", "/-/metrics", "/-/site/x"])
def test_other_methods_are_not_allowed(client: Client, path: str, method: str) -> None:
    """Everything but GET and HEAD is refused, without running a probe."""
    response = client.generic(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Length"] == "0"
    assert not sampler_threads()


@pytest.mark.parametrize("host", ["x.example.org", "127.0.0.1:9000", "[::1]", "web_1:8000", "aurora.example.org.", ""])
@pytest.mark.parametrize("path", ["/-/live/", "/-/ready", "/-/health"])
def test_probes_answer_whatever_the_host(client: Client, host: str, path: str) -> None:
    """A probe's host is rarely one of the site's: it is not looked at."""
    assert client.get(path, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/-/live/", "/-/ready", "/-/health"])
def test_probes_are_not_redirected_to_https(client: Client, settings: Any, path: str) -> None:
    """A probe speaks plain HTTP to a process that sends everybody else to https."""
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/").status_code == 301
    assert client.get(path).status_code == 200


@dataclass(frozen=True, kw_only=True)
class FileProbe(Probe):
    """Opens a database in a file, as Django does."""

    timeout: float = 60
    path: str = ""

    def measure(self) -> Iterator[Outcome]:
        databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": self.path}}
        connection = ConnectionHandler(databases)["default"]
        try:
            BaseDatabaseWrapper.connect(connection)
            yield passed()
        finally:
            connection.close()


class Router:
    """A database router that must not be asked."""

    db_for_read = db_for_write = allow_relation = staticmethod(boom)


@pytest.mark.parametrize("path", [*LIVE, *STARTUP])
def test_live_touches_nothing(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch, settings: Any, path: str) -> None:
    """A process is live even when its database and cache are not: restarting it would not help."""
    settings.DATABASE_ROUTERS = ["tests.health.test_middleware.Router"]
    respond = HealthMiddleware(boom)
    with monkeypatch.context() as context:
        context.setattr("django.utils.connection.BaseConnectionHandler.__getitem__", boom)
        context.setattr("django.core.cache.backends.locmem.LocMemCache.get", boom)
        context.setattr("django.template.Template.render", boom)
        context.setattr("wagtail_multihost.health.drain.Drain.is_on", boom)
        response = respond(rf.get(path))
    assert response.status_code == 200 and not response.cookies
    assert not sampler_threads()


@pytest.mark.django_db
def test_questions_make_no_query_in_their_own_thread(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """A flood of questions reaches no database: what is answered has been found before."""
    with django_assert_num_queries(0):
        assert [client.get("/-/ready/").status_code for _ in range(50)] == [200] * 50
    assert len(sampler_threads()) == 1


def test_ready_leaves_nothing_in_the_cache(client: Client) -> None:
    """The key of the probe is gone afterwards."""
    assert client.get("/-/ready/").status_code == 200
    assert not caches["default"]._cache


def assert_not_ready(client: Client) -> None:
    response = client.get("/-/ready/")
    assert (response.status_code, response.content) == (503, b"fail")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_its_database_and_ready_when_it_is_back(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    """A database that could not be opened is opened once it can be, and nobody has to restart the process."""
    folder = tmp_path / "later"
    probe = {"BACKEND": "tests.health.test_middleware.FileProbe", "OPTIONS": {"path": str(folder / "db.sqlite3")}}
    settings.MULTIHOST_HEALTH = {"PROBES": {"file": probe}, **PATIENT, "RETRY": 1}
    assert_not_ready(client)
    assert_not_ready(client)
    folder.mkdir()
    until(lambda: client.get("/-/ready/").status_code == 200)


def test_not_ready_with_a_dummy_cache(client: Client, settings: Any) -> None:
    """A cache that keeps nothing is a mistake on a site that needs one."""
    settings.CACHES = DUMMY
    assert_not_ready(client)


def test_not_ready_with_a_cache_that_loses_values(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is not read back is a failure."""
    monkeypatch.setattr(cache_probe.caches, "create_connection", lambda alias: Forgetful())
    assert_not_ready(client)


def test_not_ready_with_a_cache_that_raises(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason goes to the log with its traceback, and not to who asks."""
    monkeypatch.setattr(cache_probe.caches, "create_connection", boom)
    with caplog.at_level(logging.ERROR, "wagtail_multihost.health"):
        assert_not_ready(client)
    (record,) = [record for record in caplog.records if record.name == "wagtail_multihost.health"]
    assert record.exc_info and record.exc_info[0] is Boom
    for path in (*READY, *HEALTH):
        assert b"secret" not in client.get(path).content


@pytest.mark.parametrize(
    "path", ["/", "/-/", "/-", "/-/live/x", "/-/LIVE/", "/x/-/live/", "//-/live/", "/-/live//", "/-/unknown", "/-/site"]
)
def test_other_paths_pass_through(rf: RequestFactory, path: str) -> None:
    """Only the endpoint's own paths are answered here."""
    passed = HttpResponse("passed on")
    request = rf.get("/")
    request.path_info = path
    assert HealthMiddleware(lambda request: passed)(request) is passed

    async def pass_on(request: HttpRequest) -> HttpResponse:
        return passed

    respond: Callable[[HttpRequest], Any] = HealthMiddleware(pass_on)

    async def ask() -> Any:
        return await respond(request)

    assert asyncio.run(ask()) is passed


@pytest.mark.parametrize("path", PATHS)
def test_probes_pass_under_asgi(async_client: AsyncClient, path: str) -> None:
    """The same answers under an asynchronous server."""
    response = async_to_sync(async_client.get)(path)
    assert (response.status_code, response.content) == (200, b"pass")


def test_not_ready_under_asgi(async_client: AsyncClient, settings: Any) -> None:
    """A failure is the same under an asynchronous server, and other methods are refused there too."""
    settings.CACHES = DUMMY
    assert async_to_sync(async_client.get)("/-/ready/").status_code == 503
    assert async_to_sync(async_client.post)("/-/ready/").status_code == 405


def test_first_report_does_not_hold_up_the_loop(rf: RequestFactory, health: Any) -> None:
    """While one request waits for the first report, the loop answers others."""
    health(PROBES=GATED)
    GO.clear()

    async def passed(request: HttpRequest) -> HttpResponse:
        return HttpResponse("passed on")

    respond: Callable[[HttpRequest], Any] = HealthMiddleware(passed)

    async def ask() -> bytes:
        waiting = asyncio.ensure_future(respond(rf.get("/-/ready")))
        await asyncio.sleep(0.05)
        assert (await respond(rf.get("/-/live"))).content == b"pass"
        assert not waiting.done()
        GO.set()
        return bytes((await waiting).content)

    try:
        assert asyncio.run(ask()) == b"pass"
    finally:
        GO.set()


def test_process_without_a_report_is_starting(client: Client, health: Any) -> None:
    """A probe that takes longer than a question may wait makes a process start, not fail."""
    health(PROBES=GATED, BUDGET=50)
    GO.clear()
    try:
        response = client.get("/-/ready")
        assert (response.status_code, response.content) == (503, b"starting")
        assert client.get("/-/startup").status_code == 200
    finally:
        GO.set()
    until(lambda: client.get("/-/ready").status_code == 200)


def test_middleware_is_async_when_what_follows_is(rf: RequestFactory) -> None:
    """Under ASGI no thread is taken: live is answered, and the rest passed on, without one."""

    async def passed(request: HttpRequest) -> HttpResponse:
        return HttpResponse("passed on")

    respond: Callable[[HttpRequest], Any] = HealthMiddleware(passed)
    assert iscoroutinefunction(respond)
    assert not iscoroutinefunction(HealthMiddleware(boom))

    async def ask(path: str) -> Any:
        return await respond(rf.get(path))

    assert asyncio.run(ask("/")).content == b"passed on"
    assert asyncio.run(ask("/-/live/")).content == b"pass"


def test_middlewares_share_one_endpoint_and_one_sampler(rf: RequestFactory) -> None:
    """However many handlers a process has, fifty threads that ask them at once make one sampler."""
    handlers = [HealthMiddleware(boom) for _ in range(5)]
    barrier, bodies = threading.Barrier(50), []

    def ask(number: int) -> None:
        barrier.wait(30)
        bodies.append(handlers[number % 5](rf.get("/-/ready")).content)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert bodies == [b"pass"] * 50
    assert len(sampler_threads()) == 1


def test_overridden_setting_makes_another_endpoint(client: Client, settings: Any, health: Any) -> None:
    """A test that overrides settings gets an endpoint that follows them, and the old sampler ends."""
    assert client.get("/-/ready").status_code == 200
    (thread,) = sampler_threads()
    before = process.own_endpoint()
    settings.CACHES = DUMMY
    thread.join(30)
    assert not thread.is_alive()
    assert process.own_endpoint() is not before
    assert_not_ready(client)
    health(PREFIX="/up/")
    assert Client().get("/up/live").status_code == 200


def test_receiver_of_changes_leaves_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a receiver opens in the sampler's thread is closed, also when telling of it fails."""
    closed: list[str] = []
    monkeypatch.setattr(process, "announce", boom)
    monkeypatch.setattr(process, "connections", type("Fake", (), {"close_all": lambda self: closed.append("db")})())
    with pytest.raises(Boom):
        process.announce_in_thread(None, None)  # type: ignore[arg-type]
    assert closed == ["db"]


def test_server_without_a_site_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In build mode the middleware cannot be made, so no server starts."""
    monkeypatch.setattr(running, "_current", Running())
    with pytest.raises(BuildModeError, match="MULTIHOST_SITE"):
        HealthMiddleware(boom)


@pytest.mark.parametrize("is_async", [False, True])
def test_process_without_a_site_that_does_not_serve_refuses_requests(
    monkeypatch: pytest.MonkeyPatch, rf: RequestFactory, is_async: bool
) -> None:
    """A template or a command has a handler; each request is refused until the process is a site's, and then served."""

    async def later(request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")

    monkeypatch.setattr(running, "_current", Running(command="template", serves=False))
    middleware: Any = HealthMiddleware(later if is_async else lambda request: HttpResponse("page"))
    for path in ("/", "/-/live", "/"):
        with pytest.raises(BuildModeError, match="MULTIHOST_SITE"):
            middleware(rf.get(path))
    monkeypatch.setattr(running, "_current", Running(platform=a_platform(), site=a_site()))
    served = async_to_sync(middleware) if is_async else middleware
    assert served(rf.get("/")).content == b"page"


def test_project_that_never_resolves_still_has_probes(monkeypatch: pytest.MonkeyPatch, rf: RequestFactory) -> None:
    """Without any apply the middleware works; a system check tells the operator."""
    monkeypatch.setattr(running, "_current", None)
    process.forget_endpoint()
    assert HealthMiddleware(boom)(rf.get("/-/live/")).status_code == 200


def test_answers_share_nothing_that_can_be_changed(rf: RequestFactory) -> None:
    """What somebody does to one answer is not seen in the next, though both are made of one."""
    respond: Any = HealthMiddleware(boom)
    first, expected = respond(rf.get("/-/live")), respond(rf.get("/-/live"))
    first.headers["X-Seen"] = "1"
    first.set_cookie("seen", "1")
    first.write(b"more")
    first._resource_closers.append(boom)
    first.status_code = 500
    second = respond(rf.get("/-/live"))
    assert (second.status_code, second.content, second.headers) == (200, b"pass", expected.headers)
    assert not second.cookies and not second._resource_closers and not second.has_header("X-Seen")
    assert second.headers is not expected.headers


@pytest.mark.parametrize(("stated", "sees"), [("", False), ("development", True), ("production", False)])
@pytest.mark.parametrize("in_file", [False, True])
def test_container_that_states_no_environment_is_nobodys_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: str, sees: bool, in_file: bool
) -> None:
    """Variables describe containers: only one that says so itself shows details to all who reach its loopback."""
    variables = {
        "MULTIHOST_SITE": "aurora",
        "MULTIHOST_PLATFORM_NAME": "aviary",
        "MULTIHOST_SITE_HOSTNAMES": "aurora.localhost",
        **({"MULTIHOST_PLATFORM_ENVIRONMENT": stated} if stated else {}),
    }
    (tmp_path / "aurora.env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    (tmp_path / "aurora.env").chmod(0o600)
    opened = open_registry(tmp_path / "aurora.env", {}) if in_file else open_registry("env:", variables)
    record, sites = opened.read_tables(reads_secrets=False)
    platform = read_platform(record)[0]
    assert platform and [site.site for site in sites] == ["aurora"]
    monkeypatch.setattr(running, "_current", Running(platform=platform, site=a_site(), opened=opened))
    assert process.is_in_development() is sees


@pytest.mark.parametrize(("environment", "sees"), [("development", True), ("production", False), ("staging", False)])
def test_person_at_the_machine_sees_details_only_in_development(
    client: Client, monkeypatch: pytest.MonkeyPatch, environment: str, sees: bool
) -> None:
    """The platform's environment decides, whatever DEBUG is; every other name and address sees the word."""
    made = Running(platform=a_platform(environment=environment), site=a_site())
    monkeypatch.setattr(running, "_current", made)
    monkeypatch.setattr("wagtail_multihost.health.process.refuse_exposed", lambda running: None)
    local = {"headers": {"host": "aurora.localhost:8000", "accept": "text/plain"}}
    assert (b"cache" in client.get("/-/health", **local).content) is sees  # type: ignore[arg-type]
    assert client.get("/-/health.txt", headers={"host": "aurora.example.org"}).content == b"pass\n"
    assert client.get("/-/health.txt", REMOTE_ADDR="192.0.2.7", **local).content == b"pass\n"  # type: ignore[arg-type]
