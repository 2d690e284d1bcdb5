"""Requests for views of canaries, below the project's middleware."""

from __future__ import annotations

import secrets
from concurrent.futures import Future
from importlib import import_module
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from django.utils.cache import add_never_cache_headers

from wagtail_multihost.testing.canaries.hosts import own_hosts

T = TypeVar("T")
PATH = "multihost-canary/"
#: Asks caches that honour it for a new answer.
UNCACHED = {"cache-control": "no-cache"}


class UnreachedViewError(Exception):
    """The project's middleware answered a request itself."""

    def __init__(self, status: object) -> None:
        super().__init__(f"The project's middleware answered the canary's request itself, with {status}.")


def unique_path() -> str:
    """Return a path that no page cache has: not by a query, which many leave out of their keys."""
    return f"{PATH}{secrets.token_hex(12)}/"


def uncached_response() -> HttpResponse:
    """Return a response that page caches do not keep."""
    response = HttpResponse()
    add_never_cache_headers(response)
    return response


def urls_before(route: str, view: Any) -> tuple[Any, ...]:
    """Return a URL pattern for ``view``, which needs no login, followed by those of the project."""
    view.login_required = False  # what login_not_required sets
    return (path(route, view), *import_module(settings.ROOT_URLCONF).urlpatterns)


def own_host() -> str:
    return next(iter(own_hosts()), "localhost")


def view_result(outcome: Future[T], status: int) -> T:
    if not outcome.done():
        raise UnreachedViewError(status)
    return outcome.result()
