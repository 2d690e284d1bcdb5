"""Threads and coroutines of a request: they must belong to the same site as the request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.core.cache import caches
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings

from wagtail_multihost.testing.canaries.base import Canary, Crossing
from wagtail_multihost.testing.canaries.cache import CacheCanary, cache_setting
from wagtail_multihost.testing.canaries.database import DatabaseCanary
from wagtail_multihost.testing.canaries.requests import (
    UNCACHED,
    own_host,
    uncached_response,
    unique_path,
    urls_before,
    view_result,
)
from wagtail_multihost.testing.canaries.storage import StorageCanary

T = TypeVar("T")


class ThreadsCanary(Canary):
    """A row, cache entries and files that are created by a thread which a request started."""

    name = "threads"
    repeats = True
    inner = (DatabaseCanary, CacheCanary, StorageCanary)

    def plant(self, token: str) -> list[Any]:
        return run_in_request(lambda: run_in_thread(lambda: [canary().plant(token) for canary in self.inner]))

    def crossed(self, token: str, planted: list[Any]) -> Iterator[Crossing]:
        for crossing in run_in_request(lambda: run_in_thread(lambda: self.inner_crossings(token, planted))):
            yield crossing._replace(evidence=f"In a thread: {crossing.evidence}")

    def inner_crossings(self, token: str, planted: list[Any]) -> list[Crossing]:
        pairs = zip(self.inner, planted, strict=True)
        return [crossing for canary, trace in pairs for crossing in canary().crossed(token, trace)]

    def remove(self, token: str, planted: list[Any]) -> None:
        def clean() -> None:
            for canary, trace in zip(self.inner, planted, strict=True):
                canary().remove(token, trace)

        run_in_thread(clean)


class AsyncCanary(ThreadsCanary):
    """The same in an async view: with ``sync_to_async``, and with the caches' own coroutines."""

    name = "async"

    def plant(self, token: str) -> list[Any]:
        async def work() -> list[Any]:
            for alias in caches:
                await caches[alias].aset(async_key(token), token)
            return await sync_to_async(run_and_close_connections)(
                lambda: [canary().plant(token) for canary in self.inner]
            )

        return run_in_async_request(work)

    def crossed(self, token: str, planted: list[Any]) -> Iterator[Crossing]:
        async def work() -> list[Crossing]:
            found = [
                Crossing(cache_setting(alias), f"aget() returns the entry {async_key(token)}.")
                for alias in caches
                if await caches[alias].aget(async_key(token)) == token
            ]
            return found + await sync_to_async(run_and_close_connections)(lambda: self.inner_crossings(token, planted))

        for crossing in run_in_async_request(work):
            yield crossing._replace(evidence=f"In an async view: {crossing.evidence}")

    def remove(self, token: str, planted: list[Any]) -> None:
        super().remove(token, planted)
        for alias in caches:
            caches[alias].delete(async_key(token))


def async_key(token: str) -> str:
    return f"multihost-canary-async-{token}"


def run_and_close_connections(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()


def run_in_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a new thread and return its result."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run_and_close_connections, work).result()


def run_in_request(work: Callable[[], T]) -> T:
    """Run ``work`` in a view, below the project's middleware, and return its result."""
    outcome: Future[T] = Future()

    def view(request: HttpRequest) -> HttpResponse:
        outcome.set_result(work())
        return uncached_response()

    path = unique_path()
    with override_settings(ROOT_URLCONF=urls_before(path, view)):
        response = Client().get(f"/{path}", secure=True, headers={"host": own_host(), **UNCACHED})
    return view_result(outcome, response.status_code)


def run_in_async_request(work: Callable[[], Awaitable[T]]) -> T:
    """Run ``work`` in an async view, below the project's middleware and ASGI handler, and return its result."""
    outcome: Future[T] = Future()
    requests: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]
    responses: list[Mapping[str, Any]] = []

    async def view(request: HttpRequest) -> HttpResponse:
        try:
            outcome.set_result(await work())
        except Exception as error:  # the handler would turn it into a response
            outcome.set_exception(error)
        return uncached_response()

    async def receive() -> dict[str, Any]:
        if not requests:
            await asyncio.Event().wait()  # like a client that stays connected
        return requests.pop()

    async def send(message: Mapping[str, Any]) -> None:
        responses.append(message)

    path = unique_path()

    async def serve() -> None:
        # Not by the test client, whose host is always testserver.
        await ASGIHandler()(scope_of(own_host(), path), receive, send)

    with override_settings(ROOT_URLCONF=urls_before(path, view)):
        async_to_sync(serve)()
    return view_result(outcome, responses[0]["status"])


def scope_of(host: str, path: str) -> dict[str, Any]:
    """Return a request for the canary's view (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": f"/{path}",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": host, **UNCACHED}.items()],
        "client": ("127.0.0.1", 0),
        "server": (host, 443),
    }
