"""What Sentry's own SDK sends of probes and of the site, with a transport that keeps it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import run
from typing import Any

import pytest
import sentry_sdk as sdk
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

from wagtail_multihost.health.contrib.sentry import drop_probes, without_probes

# Every request makes Django look at the connections that are open.
pytestmark = pytest.mark.django_db

SITE = "http://testserver/"
PROBES = ("/-/live", "/-/startup/", "/-/site/unknown")


@pytest.fixture(autouse=True)
def _no_probes(settings: Any) -> None:
    settings.MULTIHOST_HEALTH = {"PROBES": {}}


@contextmanager
def sending(**options: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the transactions that an SDK with these options sends, in scopes of its own."""
    sent: list[dict[str, Any]] = []

    class Transport(sdk.Transport):  # type: ignore[misc, name-defined]
        def capture_envelope(self, envelope: Any) -> None:
            sent.extend(item.payload.json for item in envelope.items if item.type == "transaction")

    plain = {"default_integrations": False, "auto_enabling_integrations": False, "enable_backpressure_handling": False}
    client = sdk.Client("http://key@sentry.invalid/1", transport=Transport, **plain, **options)
    try:
        with sdk.isolation_scope(), sdk.new_scope() as scope:
            scope.set_client(client)
            yield sent
    finally:
        client.close(timeout=0)


def ask_wsgi(path: str) -> None:
    """Have Django answer, inside the middleware that Sentry's integration of Django puts around it."""
    from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

    environ = RequestFactory().get(path).environ
    response = SentryWsgiMiddleware(WSGIHandler())(environ, lambda status, headers, info=None: None)
    assert b"".join(response)
    response.close()


def ask_asgi(path: str) -> None:
    """Do the same of Django's ASGI handler."""
    from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

    body: list[bytes] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
    }

    async def answered() -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]
        never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def receive() -> Any:
            return messages.pop() if messages else await never

        async def send(message: Any) -> None:
            body.append(message.get("body", b""))

        await SentryAsgiMiddleware(ASGIHandler())(scope, receive, send)

    asyncio.run(answered())
    assert b"".join(body)


@pytest.mark.parametrize("ask", [ask_wsgi, ask_asgi])
@pytest.mark.parametrize(
    "options", [{}, {"before_send_transaction": drop_probes}, {"traces_sampler": without_probes(1.0)}]
)
def test_transactions_of_probes_are_not_sent(ask: Callable[[str], None], options: dict[str, Any]) -> None:
    """With either function the site's transactions are sent alone; with none of them, the probes' are too."""
    with sending(**{"traces_sample_rate": 1.0, **options}) as sent:
        for path in (*PROBES, "/"):
            ask(path)
    urls = [event["request"]["url"] for event in sent]
    assert urls == ([SITE] if options else [*(f"http://testserver{path}" for path in PROBES), SITE])


def test_sampler_passes_all_else_on(settings: Any) -> None:
    """A rate, a caller's decision and another sampler decide of what is no probe; the prefix is the project's."""
    settings.MULTIHOST_HEALTH = {"PREFIX": "/ops/"}
    page, probe = {"wsgi_environ": {"PATH_INFO": "/-/live"}}, {"asgi_scope": {"path": "/ops/live"}}
    assert [without_probes(0.25)(context) for context in (page, probe, {})] == [0.25, 0, 0.25]
    assert without_probes(0.25)({**page, "parent_sampled": True}) is True
    assert without_probes(0.25)({**page, "parent_sampled": False}) is False
    assert without_probes(0.25)({**probe, "parent_sampled": True}) == 0
    assert without_probes(lambda context: len(context) / 10)(page) == 0.1


@pytest.mark.parametrize(
    "event", [{}, {"request": None}, {"request": {"url": None}}, {"request": {"url": "http://[x/-/live"}}]
)
def test_event_without_a_request_is_sent(event: dict[str, Any]) -> None:
    """What has no URL that can be read stays as it is."""
    assert drop_probes(event, {}) is event


def test_drain_is_sent() -> None:
    """Who begins a drain is to be seen."""
    event = {"request": {"url": "http://testserver/-/drain"}}
    assert drop_probes(event, {}) is event


def test_sdk_is_not_imported() -> None:
    """The module works where Sentry is not installed, and costs nothing where it is."""
    code = "import sys, wagtail_multihost.health.contrib.sentry; print('sentry_sdk' in sys.modules)"
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
