"""What holds in every site's server before its content: challenges, redirects, closed sites and closed paths."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.quoting import nginx_quote
from wagtail_multihost.spec.codebase import CHALLENGES, OWN_PATH, Codebase

ACTIVE = "active"
MAINTENANCE, SUSPENDED = "maintenance", "suspended"


def rules(plan: Plan) -> str:
    options = plan.nginx
    states = {site.state for site in plan.sites}
    return plan.render(
        "nginx/rules.conf",
        acme=nginx_quote(str(options.acme)) if options.acme else "",
        pages=nginx_quote(str(options.pages)) if options.pages else "",
        maintenance=MAINTENANCE in states,
        suspended=SUSPENDED in states,
        closed_urls=closed_urls(plan.codebase),
        probers=bool(options.health_from),
    )


def closed_urls(codebase: Codebase) -> list[tuple[str, str]]:
    """
    Return the URL paths that are closed to visitors, without the final slash and with it, quoted. The last are of the
    health endpoint.
    """
    urls = dict.fromkeys([OWN_PATH, codebase.health_prefix])
    return [(nginx_quote(url.removesuffix("/")), nginx_quote(url)) for url in urls]


def file_urls(plan: Plan) -> list[str]:
    """Return the URL paths, each with a location of its own, that no application answers for."""
    codebase = plan.codebase
    urls = [codebase.static_url] if codebase.static_root else []
    return [*filter(None, [*urls, codebase.media_url]), *([CHALLENGES] if plan.nginx.acme else [])]


def url_pattern(url: str) -> str:
    """Return the pattern of a map's key that matches URL paths that start with ``url``."""
    return f"~^{re.escape(url)}"


def closed(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what a closed site answers to its own requests, and, suspended, to those for its files."""
    for site in plan.sites:
        if site.state != ACTIVE:
            yield site.id, site.state
        if site.state == SUSPENDED:
            yield f"file:{site.id}", site.state


def map_keys(plan: Plan) -> list[str]:
    """Return the keys of maps that are no hostnames."""
    return [key for key, _ in closed(plan)]
