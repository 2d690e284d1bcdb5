"""
The addresses of the API, for a project's URLconf::

    path("api/control/v1/", include("wagtail_multihost.control.api.urls"))
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path

from wagtail_multihost.control.api.api import api
from wagtail_multihost.control.api.problems import NOT_ALLOWED, NOT_FOUND, answer_problem
from wagtail_multihost.control.api.sites import NAMESPACE

View = Callable[..., Any]
NO_ADDRESS = "There is nothing at this address."
NO_METHOD = "This address does not take this method."


def finished(view: View) -> View:
    """Return a view of Ninja's whose every answer is of our form."""
    if iscoroutinefunction(view):

        @functools.wraps(view)
        async def answer_later(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return finish(await view(request, *args, **kwargs))

        return mark_view(answer_later)

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return finish(view(request, *args, **kwargs))
        except Http404:
            return finish(answer_problem(NOT_FOUND, NO_ADDRESS))

    return mark_view(answer)


def mark_view(view: View) -> View:
    """Say of a view that tokens alone count: Django's protection of sessions and its login page have no part in it."""
    view.login_required = False  # type: ignore[attr-defined]
    view.csrf_exempt = True  # type: ignore[attr-defined]
    return view


def finish(response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code == NOT_ALLOWED:
        allowed = response.headers["Allow"]
        response = answer_problem(NOT_ALLOWED, NO_METHOD)
        response["Allow"] = allowed
    response["Cache-Control"] = "no-store"
    return response


def refuse_address(request: HttpRequest) -> HttpResponseBase:
    """Answer an address that the API does not have."""
    raise Http404


def finished_patterns() -> list[URLPattern]:
    found = [one for one in api.urls[0] if isinstance(one, URLPattern)]
    patterns = [URLPattern(one.pattern, finished(one.callback), one.default_args, one.name) for one in found]
    return [*patterns, re_path("", finished(refuse_address))]


app_name = NAMESPACE
urlpatterns = finished_patterns()
