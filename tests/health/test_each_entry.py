"""Each header by which a proxy tells that it speaks for somebody, and each path that no URL of a project may have."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path

from wagtail_multihost.checks.health import check_health_urls
from wagtail_multihost.health.access import Access, Gate
from wagtail_multihost.health.middleware import request_from_django

HEADERS = [
    "CDN-Loop",
    "CF-Connecting-IP",
    "Client-IP",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "Forwarded",
    "True-Client-IP",
    "Via",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Envoy-External-Address",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Original-Forwarded-For",
    "X-Real-IP",
    "X-Request-Id",
]


@pytest.mark.parametrize("header", HEADERS)
def test_request_of_a_proxy_is_not_near(rf: RequestFactory, header: str) -> None:
    """One of them is enough, whatever its value is, for an address of a network to see no details."""
    gate = Gate(lambda: (), ["127.0.0.1/32"])
    near = request_from_django(rf.get("/-/health", REMOTE_ADDR="127.0.0.1"))
    assert gate.access(near) is Access.DETAILS
    told = request_from_django(rf.get("/-/health", REMOTE_ADDR="127.0.0.1", headers={header: ""}))
    assert gate.access(told) is Access.STATUS


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@pytest.mark.parametrize("name", ["live", "ready", "startup", "drain", "health", "health.json", "metrics", "site/x"])
def test_url_at_each_path_of_the_endpoint_is_told(settings: Any, name: str) -> None:
    """A project's URL that the endpoint hides is an error, with and without a slash at its end."""
    for end in ("", "/"):
        settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [path(f"-/{name}{end}", view)]})
        assert [message.id for message in check_health_urls(None)] == ["wagtail_multihost.E019"]
    settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [path(f"pages/{name}", view)]})
    assert check_health_urls(None) == []
