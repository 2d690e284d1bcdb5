"""Cookies that were set without the resolver, or after it."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.running import own_site

DOMAINS = ("CSRF_COOKIE_DOMAIN", "LANGUAGE_COOKIE_DOMAIN", "SESSION_COOKIE_DOMAIN")


@register(TAG)
def check_cookies(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E012: a cookie that other hosts get."""
    if own_site() is None:
        return []
    return [
        Error(
            f"{name} is set, so browsers send the cookie to the other sites of the domain too.",
            hint="Leave it out: without a domain, a cookie goes back to the host that set it, and to no other.",
            id="wagtail_multihost.E012",
        )
        for name in DOMAINS
        if getattr(settings, name, None)
    ]
