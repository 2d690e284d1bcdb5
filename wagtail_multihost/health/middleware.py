"""The health endpoint as Django middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from http.cookies import SimpleCookie
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders

from wagtail_multihost.health.access import FORWARDING_VARIABLES, NONCE_VARIABLE, HealthRequest
from wagtail_multihost.health.awaiting import wait_for_report
from wagtail_multihost.health.endpoint import LIVE, Answer
from wagtail_multihost.health.process import is_idle, own_endpoint, refuse_to_serve

FORWARDED = frozenset(FORWARDING_VARIABLES)


class HealthMiddleware:
    """
    Answers probes before anything else sees them; must be first in MIDDLEWARE. Sync and async.

    Raises BuildModeError if a server is started without a site, and ConfigurationError if it can read more than its own
    site's record or if ``MULTIHOST_HEALTH`` has mistakes. In a process without a site that does not serve, such as a
    management command, only the first request raises.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.may_serve = not is_idle()
        if self.may_serve:
            refuse_to_serve()
        self.get_response = get_response
        endpoint = own_endpoint()
        self.prefix, self.live_paths = endpoint.prefix, endpoint.live_paths
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if not self.may_serve:
            refuse_to_serve()
            self.may_serve = True
        if not request.path_info.startswith(self.prefix):
            return self.get_response(request)  # type: ignore[no-any-return]
        if self.is_async:
            return self.respond_async(request)
        if request.method == "GET" and request.path_info in self.live_paths:
            return copy_response(cached_response(LIVE))  # the same answer, in a third of the time
        answer = own_endpoint().answer(request_from_django(request))
        return self.get_response(request) if answer is None else response_for(answer, request)

    async def respond_async(self, request: HttpRequest) -> HttpResponseBase:
        endpoint, health_request = own_endpoint(), request_from_django(request)
        await wait_for_report(endpoint, health_request)
        answer = endpoint.answer(health_request)
        return await self.get_response(request) if answer is None else response_for(answer, request)


def request_from_django(request: HttpRequest) -> HealthRequest:
    meta = request.META
    return HealthRequest(
        request.method or "",
        request.path_info,
        meta.get("HTTP_AUTHORIZATION", ""),
        meta.get("HTTP_ACCEPT", ""),
        meta.get("REMOTE_ADDR", "") or "",
        not FORWARDED.isdisjoint(meta),
        meta.get("QUERY_STRING", ""),
        meta.get("HTTP_HOST", ""),
        meta.get(NONCE_VARIABLE, ""),
    )


def response_for(answer: Answer, request: HttpRequest) -> HttpResponse:
    """Return ``answer`` as a Django response."""
    if request.method == "HEAD":
        return make_response(answer, b"")
    return make_response(answer, answer.body) if answer.headers else copy_response(cached_response(answer))


@lru_cache(maxsize=16)
def cached_response(answer: Answer) -> HttpResponse:
    """Return the response for a status word, which is built only once because it is requested every second."""
    return make_response(answer, answer.body)


def copy_response(model: HttpResponse) -> HttpResponse:
    """Return a copy of ``model`` that shares nothing that could be changed."""
    response = HttpResponse.__new__(HttpResponse)
    response.__dict__.update(
        {name: list(value) if type(value) is list else value for name, value in model.__dict__.items()}
    )
    response.headers = ResponseHeaders.__new__(ResponseHeaders)
    response.headers._store = dict(model.headers._store)
    response.cookies = SimpleCookie()
    return response


def make_response(answer: Answer, body: bytes) -> HttpResponse:
    response = HttpResponse(body, status=answer.status, headers=dict(answer.all_headers))
    # Django would log each 503 as an error, and mail it to the admins (django.utils.log.log_response): the failure has
    # been logged already, once.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
