"""A project that is moved: visitors stay logged in, and forms that were open before can be sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.test import Client, override_settings
from django.urls import path

from tests.spec.samples import a_platform, a_site
from wagtail_multihost.resolver.hosts import host_settings

#: What the project had, as it served one site. Its SECRET_KEY stays, as the how-to says.
BEFORE: dict[str, Any] = {
    "ROOT_URLCONF": __name__,
    "ALLOWED_HOSTS": ["*"],
    "SECRET_KEY": "k" * 50,
    "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
    "SESSION_COOKIE_NAME": "sessionid",
    "CSRF_COOKIE_NAME": "csrftoken",
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
}


def visit(request: HttpRequest) -> HttpResponse:
    who = request.session.get("who", "nobody")
    if request.method == "GET":
        request.session["who"] = "editor"
    return HttpResponse(f"{who} {get_token(request)}")


urlpatterns = [path("", visit)]


def after(**kept: str) -> dict[str, Any]:
    """Return the settings of the project when it is the site aurora."""
    settings = host_settings(a_platform(), a_site(**kept), BEFORE)
    return {**BEFORE, **{setting.name: setting.value for setting in settings}}


@pytest.mark.parametrize(
    ("kept", "status", "who"),
    [({"session_cookie": "sessionid", "csrf_cookie": "csrftoken"}, 200, "editor"), ({}, 403, "")],
)
def test_an_open_form_is_sent_by_the_same_visitor(kept: dict[str, str], status: int, who: str) -> None:
    """With the names of before; with those made of the id the visitor has no cookie of this site."""
    client = Client(enforce_csrf_checks=True)
    address = {"secure": True, "headers": {"host": "aurora.example.org", "referer": "https://aurora.example.org/"}}
    with override_settings(**BEFORE):
        token = re.sub("^nobody ", "", client.get("/", **address).content.decode())
    with override_settings(**after(**kept)):
        answer = client.post("/", {"csrfmiddlewaretoken": token}, **address)
    assert answer.status_code == status
    assert who == "" or answer.content.decode().startswith(f"{who} ")
