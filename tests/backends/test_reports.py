"""Error reports: Django's debug page, and the mail to ADMINS."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.views import debug

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.backends.markers import check_mark
from wagtail_multihost.backends.reports import SiteExceptionReporterFilter
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.running import Running
from wagtail_multihost.spec.secret import Secret

PASSWORD = "hunter2-Password"
# What a settings module may have, each with a password of its own kind of place.
SETTINGS: dict[str, Any] = {
    "DATABASE_URL": f"postgres://user:{PASSWORD}@db.internal/name",
    "CACHE_URL": f"redis://:{PASSWORD}@cache.internal/0",
    "DSN_OF_A_DATABASE": f"host=db.internal password={PASSWORD}",
    "CONNECTION": f"host=db.internal password={PASSWORD}",
    "SENTRY_DSN": f"https://{PASSWORD}@errors.example/1",
    "SEARCH_URLS": [f"https://elastic:{PASSWORD}@search.internal:9200"],
    "SEARCH_TUPLE": (urlparse(f"https://elastic:{PASSWORD}@search.internal:9200"),),
    "NESTED": {"a": [{"URLS": {f"https://elastic:{PASSWORD}@search.internal"}}]},
    "BYTES": f"redis://:{PASSWORD}@cache.internal/0".encode(),
    "OWN": {"value": Secret(PASSWORD)},
    "WAGTAILSEARCH_BACKENDS": {
        "default": {
            "BACKEND": "wagtail.search.backends.elasticsearch8",
            "URLS": [f"https://elastic:{PASSWORD}@search.internal"],
            "OPTIONS": {"basic_auth": ("elastic", PASSWORD)},
        }
    },
    "MAILERS_OF_A_PROJECT": {"default": {"OPTIONS": {"username": "mail", "password": PASSWORD}}},
    "CACHES": {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://:{PASSWORD}@cache.internal/0",
            "OPTIONS": {"password": PASSWORD},
        }
    },
    "DATABASES_OF_A_PROJECT": {"default": {"PASSWORD": PASSWORD, "OPTIONS": {"sslpassword": PASSWORD}}},
    "STORAGES_OF_A_PROJECT": {"default": {"OPTIONS": {"secret_key": PASSWORD}}},
}


def fails(request: HttpRequest) -> HttpResponse:
    password = PASSWORD
    conn_params = {"user": "aurora", "passfile": "", "options": {"password": password}}
    address = f"redis://:{password}@cache.internal/0"
    kept = {"shown": ["a harmless text", address], "empty": conn_params["passfile"]}
    check_mark(b"{", {"uid": password}, "the bucket a")
    return HttpResponse(str(kept))


urlpatterns = [path("fails", fails)]


@pytest.fixture(autouse=True)
def filter_of_settings() -> Iterator[None]:
    """Django keeps the filter that it made first."""
    debug.get_default_exception_reporter_filter.cache_clear()
    yield
    debug.get_default_exception_reporter_filter.cache_clear()


def page_with(**changes: Any) -> str:
    """Return the debug page of a view that fails inside this package."""
    client = Client(raise_request_exception=False)
    settings = {"ROOT_URLCONF": __name__, "DEBUG": True, "MIDDLEWARE": [], **SETTINGS, **changes}
    with override_settings(**settings):
        response = client.get("/fails", headers={"accept": "text/html"}, DATABASE_URL=SETTINGS["DATABASE_URL"])
    return str(response.content.decode())


def test_debug_page_shows_no_password() -> None:
    """Wherever settings, the request and the variables of frames have a password, the page shows what is beside it."""
    page = page_with()
    assert [name for name in SETTINGS if f"<td>{name}</td>" not in page] == []
    assert PASSWORD not in page
    assert all(text in page for text in ("search.internal", "db.internal", "cache.internal", "a harmless text"))


def test_debug_page_shows_no_variable_of_this_package() -> None:
    """Frames of this package hold records and keys, and show names alone."""
    page = page_with()
    tables = [part.partition("</table>")[0] for part in page.split('<table class="vars"')[1:]]
    (variables,) = [table for table in tables if "<td>found</td>" in table]
    assert "<td>own</td>" in variables
    assert "the bucket a" not in variables


def test_debug_page_shows_no_declared_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that the platform declares secret is one, however harmless its name is."""
    site = a_site(project_settings=(("MAPS", Secret("hunter9")), ("CITY", "Rotterdam")))
    monkeypatch.setattr(running, "_current", Running(platform=a_platform(), site=site))
    page = page_with(MAPS="hunter9", CITY="Rotterdam")
    assert "Rotterdam" in page
    assert "hunter9" not in page


def test_stock_filter_shows_passwords() -> None:
    """Django's own filter goes by names alone, so that addresses, lists and variables show theirs."""
    page = page_with(DEFAULT_EXCEPTION_REPORTER_FILTER="django.views.debug.SafeExceptionReporterFilter")
    assert PASSWORD in page
    stock = debug.SafeExceptionReporterFilter()
    leaks = {name for name, value in SETTINGS.items() if PASSWORD in str(stock.cleanse_setting(name, value))}
    assert leaks >= {"DATABASE_URL", "CACHE_URL", "SENTRY_DSN", "SEARCH_URLS", "CACHES"}


def test_report_by_mail_shows_no_password() -> None:
    """What ADMINS get of a failed request in production is masked alike."""
    request = RequestFactory().get("/fails", DATABASE_URL=SETTINGS["DATABASE_URL"])
    with override_settings(**SETTINGS):
        try:
            fails(request)
        except IdentityError:
            reporter = debug.ExceptionReporter(request, *sys.exc_info(), is_email=True)
            text, html = reporter.get_traceback_text(), reporter.get_traceback_html()
    assert PASSWORD not in text + html
    assert "search.internal" in text


@pytest.mark.parametrize("name", ["author", "keys", "api", "page_path", "csrf", "authenticated"])
def test_variables_with_harmless_names_are_shown(name: str) -> None:
    """Only names that leave little doubt hide a variable: a page that hides everything helps nobody."""
    assert SiteExceptionReporterFilter().variable(name, ["a value"]) == ["a value"]


@pytest.mark.parametrize("name", ["AUTH_USER_MODEL", "PASSWORD_HASHERS", "CACHE_MIDDLEWARE_KEY_PREFIX"])
def test_settings_that_only_look_telling_are_shown(name: str) -> None:
    """A few settings have a telling name and nothing to hide."""
    assert SiteExceptionReporterFilter().cleanse_setting(name, ["a.value"]) == ["a.value"]
