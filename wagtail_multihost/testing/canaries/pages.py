"""Pages that the project keeps, to give them to other visitors."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings

from wagtail_multihost.testing.canaries.base import Canary, Crossing
from wagtail_multihost.testing.canaries.cache import cache_setting
from wagtail_multihost.testing.canaries.requests import PATH, UnreachedViewError, own_host, urls_before

#: The middleware of page caches, and the setting that has the alias of CACHES in which each keeps pages.
PAGE_CACHES = (("django.middleware.cache.", "CACHE_MIDDLEWARE_ALIAS"), ("wagtailcache.", "WAGTAIL_CACHE_BACKEND"))
REQUESTS = 2


class PagesCanary(Canary):
    """A page that a page cache may keep. The other site requests the same path, at its own host."""

    name = "pages"
    setting = "MIDDLEWARE"

    def plant(self, token: str) -> None:
        for _ in range(REQUESTS):  # some caches keep a page that is asked for again
            request_page(token, token)

    def crossed(self, token: str, planted: None) -> Iterator[Crossing]:
        if token in request_page(token, "of the other site"):
            yield Crossing(page_cache_setting(), "A visitor is given a page that the other site has kept.")


def request_page(token: str, content: str) -> str:
    """Request the page of ``token``, which has ``content`` unless a cache answers; return what the visitor gets."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(content, headers={"Cache-Control": "public, max-age=60"})

    # Without the token: pages may show their own address.
    path = f"{PATH}{sha256(token.encode()).hexdigest()}/"
    with override_settings(ROOT_URLCONF=urls_before(path, view)):
        response = Client().get(f"/{path}", secure=True, headers={"host": own_host()})
    text = response.content.decode(errors="replace")
    if content not in text and token not in text:
        raise UnreachedViewError(response.status_code)
    return text


def page_cache_setting() -> str:
    """Return the alias of CACHES in which the project's page cache keeps pages, or MIDDLEWARE."""
    for prefix, setting in PAGE_CACHES:
        if any(name.startswith(prefix) for name in settings.MIDDLEWARE):
            return cache_setting(getattr(settings, setting, "default"))
    return "MIDDLEWARE"
