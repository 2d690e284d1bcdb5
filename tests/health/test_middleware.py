"""What a process answers to probes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from tests.health.conftest import Raising, boom
from wagtail_multihost.exceptions import BuildModeError
from wagtail_multihost.health import middleware, readiness
from wagtail_multihost.health.middleware import HealthMiddleware
from wagtail_multihost.resolver.resolved import Applied, ResolvedSettings

LIVE = ("/-/live/", "/-/live")
READY = ("/-/ready/", "/-/ready")
PATHS = (*LIVE, *READY)
DUMMY = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


class Forgetful:
    """A cache that takes every value and has none."""

    def set(self, *arguments: object) -> None: ...

    def get(self, key: str) -> None:
        return None

    def delete(self, key: str) -> None: ...


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_probes_pass(client: Client, path: str) -> None:
    """A process whose database and cache answer is live and ready, with and without the final slash."""
    response = client.get(path)
    assert (response.status_code, response.content) == (200, b"pass")
    assert response.headers == {"Content-Type": "text/plain", "Cache-Control": "no-store", "Content-Length": "4"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_headers_of_get_and_no_body(rf: RequestFactory, path: str) -> None:
    """HEAD is answered as GET is, less the body."""
    respond = HealthMiddleware(boom)
    get, head = respond(rf.get(path)), respond(rf.head(path))
    assert (head.status_code, head.content, head.headers) == (200, b"", get.headers)
    assert head.headers["Content-Length"] == "4"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_not_allowed(client: Client, path: str, method: str) -> None:
    """Everything but GET and HEAD is refused, without touching database or cache."""
    response = client.generic(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Length"] == "0"


@pytest.mark.parametrize("host", ["x.example.org", "127.0.0.1:9000", "[::1]", "web_1:8000", "aurora.example.org.", ""])
def test_probes_answer_whatever_the_host(client: Client, host: str) -> None:
    """A probe's host is rarely one of the site's: it is not looked at."""
    assert client.get("/-/live/", headers={"host": host}).status_code == 200


def test_probes_are_not_redirected_to_https(client: Client, settings: Any) -> None:
    """A probe speaks plain HTTP to a process that sends everybody else to https."""
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/").status_code == 301
    assert client.get("/-/live/").status_code == 200


@pytest.mark.django_db
def test_live_touches_nothing(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, broken_cache: None, monkeypatch: Any
) -> None:
    """A process is live even when its database and cache are not: restarting it would not help."""
    monkeypatch.setattr(readiness, "connections", Raising())
    monkeypatch.setattr("django.core.cache.backends.locmem.LocMemCache.get", boom)
    with django_assert_num_queries(0):
        assert client.get("/-/live/").status_code == 200


@pytest.mark.django_db
def test_ready_asks_the_database_once(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """One query is enough to know."""
    with django_assert_num_queries(1):
        assert client.get("/-/ready/").status_code == 200


@pytest.mark.django_db
def test_ready_leaves_nothing_in_the_cache(client: Client, settings: Any) -> None:
    """The key of the probe is gone afterwards."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "ready"}}
    assert client.get("/-/ready/").status_code == 200
    assert not caches["default"]._cache


def assert_not_ready(client: Client) -> None:
    response = client.get("/-/ready/")
    assert (response.status_code, response.content) == (503, b"fail")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_not_ready_without_its_database_and_ready_when_it_is_back(client: Client, absent_database: Path) -> None:
    """The same connection that could not be opened is opened once it can be."""
    assert_not_ready(client)
    assert_not_ready(client)
    absent_database.mkdir()
    assert client.get("/-/ready/").status_code == 200


@pytest.mark.django_db
def test_not_ready_with_a_dummy_cache(client: Client, settings: Any) -> None:
    """A cache that keeps nothing is a mistake on a site that needs one."""
    settings.CACHES = DUMMY
    assert_not_ready(client)


@pytest.mark.django_db
def test_not_ready_with_a_cache_that_loses_values(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is not read back is a failure."""
    monkeypatch.setattr(readiness, "caches", {"default": Forgetful()})
    assert_not_ready(client)


@pytest.mark.django_db
def test_not_ready_with_a_cache_that_raises(
    client: Client, broken_cache: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason goes to the log with its traceback, and not to who asks."""
    with caplog.at_level(logging.ERROR, "wagtail_multihost.health"):
        assert_not_ready(client)
    (record,) = [record for record in caplog.records if record.name == "wagtail_multihost.health"]
    assert record.exc_info and record.exc_info[0] is not None and record.exc_info[0].__name__ == "Boom"
    assert b"secret" not in client.get("/-/ready/").content


@pytest.mark.parametrize("path", ["/", "/-/", "/-/live/x", "/-/LIVE/", "/x/-/live/", "//-/live/", "/-/live//"])
def test_other_paths_pass_through(rf: RequestFactory, path: str) -> None:
    """Only the probes' own paths are answered here."""
    passed = HttpResponse("passed on")
    request = rf.get("/")
    request.path_info = path
    assert HealthMiddleware(lambda request: passed)(request) is passed


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", PATHS)
def test_probes_pass_under_asgi(async_client: AsyncClient, path: str) -> None:
    """The same answers under an asynchronous server."""
    response = async_to_sync(async_client.get)(path)
    assert (response.status_code, response.content) == (200, b"pass")


@pytest.mark.django_db(transaction=True)
def test_not_ready_under_asgi(async_client: AsyncClient, settings: Any) -> None:
    """A failure is the same under an asynchronous server, and other methods are refused there too."""
    settings.CACHES = DUMMY
    assert async_to_sync(async_client.get)("/-/ready/").status_code == 503
    assert async_to_sync(async_client.post)("/-/ready/").status_code == 405


def test_middleware_is_async_when_what_follows_is(rf: RequestFactory) -> None:
    """Under ASGI no thread is taken: live is answered, and the rest passed on, without one."""

    async def passed(request: HttpRequest) -> HttpResponse:
        return HttpResponse("passed on")

    respond: Callable[[HttpRequest], Any] = HealthMiddleware(passed)
    assert iscoroutinefunction(respond)
    assert not iscoroutinefunction(HealthMiddleware(boom))
    assert asyncio.run(respond(rf.get("/"))).content == b"passed on"
    assert asyncio.run(respond(rf.get("/-/live/"))).content == b"pass"


def test_server_without_a_site_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In build mode the middleware cannot be made, so no server starts."""
    monkeypatch.setattr(middleware, "latest", lambda: Applied(ResolvedSettings(), {}, {}))
    with pytest.raises(BuildModeError, match="MULTIHOST_SITE"):
        HealthMiddleware(boom)


def test_project_that_never_resolves_still_has_probes(monkeypatch: pytest.MonkeyPatch, rf: RequestFactory) -> None:
    """Without any apply the middleware works; a system check tells the operator."""
    monkeypatch.setattr(middleware, "latest", lambda: None)
    assert HealthMiddleware(boom)(rf.get("/-/live/")).status_code == 200
