"""The pages by which the public sees how sites are: small, without scripts and cookies, and kept by caches."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.status_pages import (
    MOST_SITES,
    is_platform_public,
    public_sites,
    status_of_all,
    status_of_site,
)

TEMPLATES = "multihost_control/status"
PLATFORM, SITE = "multihost_control_status", "multihost_control_site_status"
#: Seconds for which caches, and this process, keep a page: however many ask, the database is asked so often.
SECONDS = 60
STYLE = files("wagtail_multihost.control").joinpath("templates", TEMPLATES, "style.css").read_text(encoding="utf-8")
STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
#: Nothing is loaded, and no other page shows this one in a frame.
POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; "
POLICY += "frame-ancestors 'none'"

_kept: dict[str, tuple[float, str]] = {}


def open_to_all(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Say of a view that it asks nobody who they are."""
    view.login_required = False  # type: ignore[attr-defined]
    return view


@open_to_all
@require_safe
def show_platform(request: HttpRequest) -> HttpResponseBase:
    """Show how all sites are that show it."""
    if not is_platform_public():
        raise Http404
    return answer(request, "", platform_page)


@open_to_all
@require_safe
def show_site(request: HttpRequest, site: str) -> HttpResponseBase:
    """Show how a site is and was. One that does not show it is answered as one that there is not."""
    found = public_sites().filter(identifier=site).first()
    if found is None:
        raise Http404
    zone = timezone.get_default_timezone()

    def site_page() -> str:
        shown = status_of_site(found, zone, database_time())
        return render("site", status=shown, zone=str(zone), platform=platform_address())

    return answer(request, str(found.uid), site_page)


def platform_page() -> str:
    sites = [*public_sites()[:MOST_SITES]]
    addresses = {site.identifier: reverse(SITE, args=[site.identifier]) for site in sites}
    return render("platform", statuses=status_of_all(sites, database_time(), addresses))


def platform_address() -> str:
    return reverse(PLATFORM) if is_platform_public() else ""


def render(name: str, **context: Any) -> str:
    # Without the request: what processors add may depend on who asks.
    style = mark_safe(STYLE)  # noqa: S308  # our own
    return render_to_string(f"{TEMPLATES}/{name}.html", {"style": style, **context})


def answer(request: HttpRequest, key: str, make: Callable[[], str]) -> HttpResponseBase:
    """Answer with the page that is kept under a key, or a new one; with 304 to who has it."""
    now = time.monotonic()
    until, text = _kept.get(key, (0.0, ""))
    if until <= now:
        text = make()
        # Those that are not shown any more go.
        for old in [one for one, (end, _) in [*_kept.items()] if end <= now]:
            _kept.pop(old, None)
        _kept[key] = (now + SECONDS / 2, text)
    data = text.encode()
    etag = quote_etag(hashlib.sha256(data).hexdigest()[:32])
    response = HttpResponse(data)
    found = get_conditional_response(request, etag=etag, response=response) or response
    found["ETag"] = etag
    found["Cache-Control"] = f"public, max-age={SECONDS}"
    found["Content-Security-Policy"] = POLICY
    found["X-Content-Type-Options"] = "nosniff"
    return found
