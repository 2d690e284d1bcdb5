"""The health endpoint as Django middleware."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from wagtail_multihost.exceptions import BuildModeError
from wagtail_multihost.health.access import Question
from wagtail_multihost.health.endpoint import Answer, Endpoint
from wagtail_multihost.health.process import make_endpoint
from wagtail_multihost.resolver.exposure import refuse_exposed
from wagtail_multihost.resolver.resolved import latest

POLL_SECONDS = 0.01


class HealthMiddleware:
    """
    Answers probes before anything else sees them; must be first in MIDDLEWARE. Sync and async.

    Raises BuildModeError when a server is started without a site, and ConfigurationError when it can read more than
    its own site's record or when ``MULTIHOST_HEALTH`` has mistakes.
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
        self.endpoint: Endpoint = make_endpoint()
        self.prefix = self.endpoint.prefix
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.respond_async(request)
        if request.path_info.startswith(self.prefix):
            answer = self.endpoint.answer(question_of(request))
            if answer is not None:
                return response_of(answer, request)
        return self.get_response(request)  # type: ignore[no-any-return]

    async def respond_async(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(self.prefix):
            await first_report(self.endpoint, request.path_info)
            answer = self.endpoint.answer(question_of(request))
            if answer is not None:
                return response_of(answer, request)
        return await self.get_response(request)  # type: ignore[no-any-return]


async def first_report(endpoint: Endpoint, path: str) -> None:
    """Wait for a first report without a thread of its own, for at most the endpoint's budget."""
    deadline = time.monotonic() + endpoint.options.budget / 1000
    while endpoint.waits(path) and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)


def question_of(request: HttpRequest) -> Question:
    meta = request.META
    return Question(
        method=request.method or "",
        path=request.path_info,
        authorization=meta.get("HTTP_AUTHORIZATION", ""),
        accept=meta.get("HTTP_ACCEPT", ""),
        remote=meta.get("REMOTE_ADDR", "") or "",
        forwarded=any(name in meta for name in FORWARDED),
    )


FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_VIA")


def response_of(answer: Answer, request: HttpRequest) -> HttpResponse:
    """Return ``answer`` as Django has it, with the headers that middleware further down would have set."""
    response = HttpResponse(b"" if request.method == "HEAD" else answer.body, status=answer.status)
    for name, value in answer.all_headers:
        response.headers[name] = value
    return response
