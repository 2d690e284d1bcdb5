"""
What applies in every site's server before its content: challenges, redirects, closed sites and closed paths, how many
requests one client may make to one site, and who may ask for the health of sites.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.quoting import nginx_quote
from wagtail_multihost.spec.codebase import CHALLENGES, OWN_PATH, Codebase
from wagtail_multihost.spec.nginx import NginxOptions

ACTIVE = "active"
MAINTENANCE, SUSPENDED = "maintenance", "suspended"
# Files that nginx sends itself are not counted: a page has many. The keys include the site, so no site uses up
# another's limit.
REQUESTS_KEY = "$multihost_counted"
CONNECTIONS_KEY = "$multihost_site$binary_remote_addr"
# A state takes 128 bytes (https://nginx.org/en/docs/http/ngx_http_limit_req_module.html). A full zone of connections
# rejects every client, so that one has room for more than a machine's workers can have.
STATE_BYTES = 128
MOST_WORKERS = 64
SMALLEST_ZONE = 10 << 20


def render_rules(front: Front) -> str:
    options = front.options
    states = {state for _, state in closed_keys(front.plan)}
    return front.plan.render(
        "nginx/rules.conf",
        acme=nginx_quote(str(options.acme)) if options.acme else "",
        pages=nginx_quote(str(options.pages)) if options.pages else "",
        maintenance=MAINTENANCE in states,
        suspended=SUSPENDED in states,
        closed_urls=closed_urls(front.plan.codebase),
        probers=bool(options.health_from),
        sizes=not front.plan.node,
    )


def closed_urls(codebase: Codebase) -> list[tuple[str, str]]:
    """
    Return the URL paths that are closed to visitors, quoted, without and with the final slash. The last pair is that of
    the health endpoint.
    """
    urls = dict.fromkeys([OWN_PATH, codebase.health_prefix])
    return [(nginx_quote(url.removesuffix("/")), nginx_quote(url)) for url in urls]


def file_urls(front: Front) -> list[str]:
    """Return the URL paths with their own locations, for which no application answers."""
    codebase = front.plan.codebase
    urls = [codebase.static_url] if codebase.static_root else []
    return [*filter(None, [*urls, codebase.media_url]), *([CHALLENGES] if front.options.acme else [])]


def url_pattern(url: str) -> str:
    """Return the key of a map that matches URL paths that start with ``url``."""
    return f"~^{re.escape(url)}"


def closed_keys(plan: Plan) -> Iterator[tuple[str, str]]:
    """
    Yield map keys and states of closed sites: for their requests and, if suspended, those for their files. A site that
    no node serves now is closed as a whole.
    """
    for site in plan.sites:
        is_unserved = plan.serving is not None and not plan.nodes_of(site)
        state = MAINTENANCE if is_unserved and site.state == ACTIVE else site.state
        if state != ACTIVE:
            yield site.id, state
        if state == SUSPENDED or is_unserved:
            yield f"file:{site.id}", state


def map_keys(plan: Plan) -> list[str]:
    """Return the keys of maps that are not hostnames."""
    return [key for key, _ in closed_keys(plan)]


def zone_name(kind: str, key: str) -> str:
    """
    Return the name of the zone for ``key``. The key is part of it: if a zone of the same name has another key, nginx
    keeps its old configuration on reload, although its own test has passed.
    """
    return f"multihost_{kind}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def requests_zone(rate: int) -> str:
    return f"{zone_name('requests', REQUESTS_KEY)}_{rate}"


def connections_zone() -> str:
    return zone_name("connections", CONNECTIONS_KEY)


def limit_directives(options: NginxOptions) -> list[str]:
    """Return the directives of a server that limit its clients."""
    directives = []
    if options.rate:
        burst = f" burst={options.burst} nodelay" if options.burst else ""
        directives.append(f"limit_req zone={requests_zone(options.rate)}{burst}")
    if options.client_connections:
        directives.append(f"limit_conn {connections_zone()} {options.client_connections}")
    return directives


def zone_directives(front: Front) -> list[str]:
    """Return the directives of the zones that servers use."""
    every = [front.options, *(front.options_of(site) for site in front.plan.sites if site.options)]
    directives = [
        f"limit_req_zone {REQUESTS_KEY} zone={requests_zone(rate)}:{SMALLEST_ZONE >> 20}m rate={rate}r/s"
        for rate in sorted({options.rate for options in every} - {0})
    ]
    if any(options.client_connections for options in every):
        size = max(SMALLEST_ZONE, front.options.connections * MOST_WORKERS * STATE_BYTES) >> 20
        directives.append(f"limit_conn_zone {CONNECTIONS_KEY} zone={connections_zone()}:{size}m")
    return directives


def render_limits(front: Front) -> str:
    """Return limits.conf; blank if nothing is limited."""
    directives = zone_directives(front)
    # Only named clients get below the prefix, and a probe that is rejected looks like a failure.
    probed = [front.plan.codebase.health_prefix] if front.options.health_from else []
    files = [nginx_quote(url_pattern(url)) for url in [*file_urls(front), *probed]]
    counts = any(directive.startswith("limit_req_zone") for directive in directives)
    return front.plan.render("nginx/limits.conf", zones=directives, counts=counts, files=files) if directives else ""


def render_health(front: Front) -> str:
    """Return health.conf, which says who may ask for the health of sites; blank if nobody may."""
    options = front.options
    if not options.health_from:
        return ""
    return front.plan.render(
        "nginx/health.conf",
        probers=[nginx_quote(network) for network in options.health_from],
        proxies=[nginx_quote(network) for network in options.proxies],
        # A dot is the only character of such a path with a meaning in a pattern.
        prefix=nginx_quote(front.plan.codebase.health_prefix.replace(".", "[.]")).strip('"'),
    )
