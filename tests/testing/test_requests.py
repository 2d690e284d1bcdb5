"""Requests of canaries in a project whose middleware answers all of them itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

from wagtail_multihost.testing.canaries.concurrency import run_in_request
from wagtail_multihost.testing.canaries.pages import request_page
from wagtail_multihost.testing.canaries.requests import UnreachedViewError


class Closed:
    """Middleware that lets nobody in, as a notice of maintenance does."""

    def __init__(self, get_response: object) -> None: ...

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("closed", status=418)


@pytest.mark.parametrize(
    "ask", [lambda: request_page("token", "content"), lambda: run_in_request(str)], ids=["pages", "concurrency"]
)
def test_middleware_that_answers_itself_is_told_with_its_status(ask: Callable[[], object], settings: Any) -> None:
    """The report has one sentence, which ends with the status of that answer."""
    settings.MIDDLEWARE = [f"{__name__}.Closed"]
    with pytest.raises(UnreachedViewError) as found:
        ask()
    assert str(found.value) == "The project's middleware answered the canary's request itself, with 418."
