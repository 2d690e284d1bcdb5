"""The health endpoint: ``/-/live/`` and ``/-/ready/``, with and without the final slash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from wagtail_multihost.exceptions import BuildModeError
from wagtail_multihost.health.readiness import is_ready
from wagtail_multihost.resolver.exposure import refuse_exposed
from wagtail_multihost.resolver.resolved import latest

LIVE = frozenset({"/-/live", "/-/live/"})
READY = frozenset({"/-/ready", "/-/ready/"})
PATHS = LIVE | READY
METHODS = ("GET", "HEAD")


class HealthMiddleware:
    """
    Answers probes before anything else sees them; must be first in MIDDLEWARE. Sync and async.

    ``live``: 200 ``pass``, touching nothing. ``ready``: 200 ``pass`` when the site's database and cache
    answer, else 503 ``fail``. Other methods than GET and HEAD get 405. Raises BuildModeError when a
    server is started without a site, and ConfigurationError when it can read more than its own site's record.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        applied = latest()
        if applied and applied.by.is_build_mode:
            raise BuildModeError("No site is named, so there is nothing to serve. Set MULTIHOST_SITE.")
        if applied:
            refuse_exposed(applied.by)
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
            self.is_async = True
        else:
            self.is_async = False

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.respond_async(request)
        if request.path_info not in PATHS:
            return self.get_response(request)  # type: ignore[no-any-return]
        return answer(request) or report(request, passes=is_ready())

    async def respond_async(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info not in PATHS:
            return await self.get_response(request)  # type: ignore[no-any-return]
        return answer(request) or report(request, passes=await sync_to_async(is_ready)())


def answer(request: HttpRequest) -> HttpResponse | None:
    """Return the response that needs no probe, None when one is needed."""
    if request.method not in METHODS:
        return finished(HttpResponseNotAllowed(METHODS), request)
    return report(request, passes=True) if request.path_info in LIVE else None


def report(request: HttpRequest, *, passes: bool) -> HttpResponse:
    body, status = ("pass", 200) if passes else ("fail", 503)
    return finished(HttpResponse(body, status=status, content_type="text/plain"), request)


def finished(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """Return ``response`` with the headers that middleware further down would have set."""
    response["Cache-Control"] = "no-store"
    response["Content-Length"] = str(len(response.content))
    if request.method == "HEAD":
        response.content = b""
    return response
