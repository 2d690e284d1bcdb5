"""Hosts, origins and cookies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host
from django.middleware.csrf import CsrfViewMiddleware

from wagtail_multihost.running import own_site
from wagtail_multihost.testing.canaries.base import Canary, Crossing

COOKIES = ("SESSION_COOKIE", "CSRF_COOKIE", "LANGUAGE_COOKIE")


class HostsCanary(Canary):
    """The hostnames of a site, which no other site may answer to, trust or link to."""

    name = "hosts"

    def plant(self, token: str) -> dict[str, Any]:
        return {"hosts": own_hosts(), "base_url": getattr(settings, "WAGTAILADMIN_BASE_URL", None)}

    def crossed(self, token: str, planted: dict[str, Any]) -> Iterator[Crossing]:
        for host in planted["hosts"]:
            if validate_host(host, settings.ALLOWED_HOSTS):
                yield Crossing("ALLOWED_HOSTS", f"Requests for {host} are answered.")
            if is_trusted(f"https://{host}") or is_trusted(f"http://{host}"):
                yield Crossing("CSRF_TRUSTED_ORIGINS", f"Forms of {host} are accepted.")
        own = getattr(settings, "WAGTAILADMIN_BASE_URL", None)
        if own and own == planted["base_url"]:
            yield Crossing("WAGTAILADMIN_BASE_URL", f"Links in mails lead to {own}.")


class CookiesCanary(Canary):
    """Cookies that browsers send to other hosts."""

    name = "cookies"

    def plant(self, token: str) -> dict[str, str]:
        return {name: domain for name in COOKIES if (domain := getattr(settings, f"{name}_DOMAIN"))}

    def crossed(self, token: str, planted: dict[str, str]) -> Iterator[Crossing]:
        for name, domain in planted.items():
            # Neither site knows all hosts of a parent domain: a cookie for more than one host may reach another site.
            if any(host.endswith(f".{domain.lstrip('.')}") for host in own_hosts()) or domain.startswith("."):
                yield Crossing(f"{name}_DOMAIN", f"Browsers send the cookie to every host below {domain}.")


def own_hosts() -> list[str]:
    """Return the site's hostnames, or else those in ALLOWED_HOSTS."""
    if site := own_site():
        return list(site.hosts)
    return [host for host in settings.ALLOWED_HOSTS if "*" not in host and not host.startswith(".")]


def is_trusted(origin: str) -> bool:
    """Return whether Django's CSRF middleware trusts an origin, by its own rule."""
    middleware = CsrfViewMiddleware(lambda request: None)  # type: ignore[arg-type]
    if origin in middleware.allowed_origins_exact:
        return True
    parsed = urlsplit(origin)
    subdomains = middleware.allowed_origin_subdomains.get(parsed.scheme, ())
    return any(validate_host(parsed.netloc, [host]) for host in subdomains)
