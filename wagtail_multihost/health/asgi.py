"""
The health endpoint in front of an ASGI application, which answers before the application is loaded. In the project's
``asgi.py``::

    import os

    from wagtail_multihost.health.asgi import HealthApplication

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    application = HealthApplication()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from wagtail_multihost.health.access import FORWARDING, HealthRequest
from wagtail_multihost.health.awaiting import POLL_SECONDS, wait_for_report
from wagtail_multihost.health.endpoint import Answer
from wagtail_multihost.health.loading import Loading
from wagtail_multihost.spec.proofs import NONCE_HEADER

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
LONGEST_POLL_SECONDS = 0.25
FORWARDED = frozenset(name.lower().encode() for name in FORWARDING)
NONCE = NONCE_HEADER.lower().encode()

logger = logging.getLogger("wagtail_multihost.health")


class HealthApplication:
    """
    An ASGI application that answers probes, and passes everything else, websockets too, to the one that ``load`` (a
    function, or its dotted path) returns: see :class:`wagtail_multihost.health.wsgi.HealthApplication`, whose
    arguments and behaviour it has.

    A server that uses the lifespan protocol is told at once that the application has started, because it accepts no
    requests before. The application gets the events once it is loaded, if it supports them, and requests wait until it
    has started.
    """

    def __init__(
        self,
        load: Callable[[], Application] | str = "django.core.asgi.get_asgi_application",
        prefix: str = "/-/",
        *,
        background: bool = True,
    ) -> None:
        self.prefix = prefix
        self.loading: Loading[Application] = Loading(load, prefix, background)
        self.lifespan: Lifespan | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.lifespan = Lifespan(self.loading, scope)
            await self.lifespan.run(receive, send)
            return
        if scope["type"] == "http" and scope_path(scope).startswith(self.prefix):
            answer = await self.answer(request_from_scope(scope))
            if answer is not None:
                await respond(answer, scope["method"], send)
                return
        application = await await_application(self.loading)
        if self.lifespan:
            await self.lifespan.started.wait()
            application = self.loading.application()
        await application(scope, receive, send)

    async def answer(self, request: HealthRequest) -> Answer | None:
        endpoint = self.loading.endpoint()
        if endpoint is None or (self.lifespan and not self.lifespan.started.is_set()):
            return self.loading.answer(request)
        await wait_for_report(endpoint, request)
        return endpoint.answer(request)


class Lifespan:
    """
    The lifespan protocol between server and application
    (https://asgi.readthedocs.io/en/latest/specs/lifespan.html).
    """

    def __init__(self, loading: Loading[Application], scope: Scope) -> None:
        self.loading, self.scope = loading, scope
        self.started = asyncio.Event()
        self.is_taken = False
        self.events: asyncio.Queue[Message] = asyncio.Queue()

    async def run(self, receive: Receive, send: Send) -> None:
        """Answer the server's events until it shuts down."""
        self.events.put_nowait(await receive())
        own = asyncio.ensure_future(self.pass_on())
        await send({"type": "lifespan.startup.complete"})
        try:
            self.events.put_nowait(await receive())
            if not self.loading.is_done:
                own.cancel()
            await asyncio.wait([own])
        finally:
            own.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def pass_on(self) -> None:
        """Pass the events to the application once it is loaded."""
        try:
            application = await await_application(self.loading)
            await application(self.scope, self.events.get, self.hear)
        except Exception:
            # An application that does not support these events raises.
            level = logging.ERROR if self.is_taken else logging.DEBUG
            logger.log(level, "The application's lifespan has ended.", exc_info=True)
        finally:
            self.started.set()

    async def hear(self, message: Message) -> None:
        """Take a message from the application."""
        self.is_taken = True
        if message["type"].endswith(".failed"):
            self.loading.fail(RuntimeError(message.get("message", "")))
        if message["type"].startswith("lifespan.startup."):
            self.started.set()


async def await_application(loading: Loading[Application]) -> Application:
    """
    Wait for the application and return it; raises RuntimeError if it cannot be loaded. The longer the wait, the longer
    the pauses: thousands of waiting requests must not slow down the loading.
    """
    pause = POLL_SECONDS
    while not loading.is_done:
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_POLL_SECONDS)
    return loading.application()


def scope_path(scope: Scope) -> str:
    """Return the path below the application's root path, as Django does."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path") or "")


def request_from_scope(scope: Scope) -> HealthRequest:
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    return HealthRequest(
        method=scope["method"],
        path=scope_path(scope),
        authorization=headers.get(b"authorization", ""),
        accept=headers.get(b"accept", ""),
        remote=(scope.get("client") or ("",))[0] or "",
        forwarded=not FORWARDED.isdisjoint(headers),
        query=scope.get("query_string", b"").decode("latin-1"),
        host=headers.get(b"host", ""),
        nonce=headers.get(NONCE, ""),
    )


async def respond(answer: Answer, method: str, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.all_headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
