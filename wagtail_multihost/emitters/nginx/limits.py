"""How much one client may ask of one site. The zones' keys have the site in them: no site uses up another's."""

from __future__ import annotations

import hashlib

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.rules import file_urls, url_pattern
from wagtail_multihost.emitters.quoting import nginx_quote
from wagtail_multihost.spec.nginx import NginxOptions

# Files that nginx sends itself are not counted: a page has many.
REQUESTS_KEY = "$multihost_counted"
CONNECTIONS_KEY = "$multihost_site$binary_remote_addr"
# A state takes 128 bytes (https://nginx.org/en/docs/http/ngx_http_limit_req_module.html). A full zone of connections
# turns every client away, so that one has room for more than a machine's workers can have.
STATE_BYTES = 128
MOST_WORKERS = 64
SMALLEST_ZONE = 10 << 20


def zone(kind: str, key: str) -> str:
    """
    Return the name of the zone for ``key``. The key is part of it: nginx keeps its old configuration, though its
    own test has passed, where a zone of the same name has another key.
    """
    return f"multihost_{kind}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def requests_zone(rate: int) -> str:
    return f"{zone('requests', REQUESTS_KEY)}_{rate}"


def connections_zone() -> str:
    return zone("connections", CONNECTIONS_KEY)


def limiting(options: NginxOptions) -> list[str]:
    """Return the directives of a server that limit its clients."""
    directives = []
    if options.rate:
        burst = f" burst={options.burst} nodelay" if options.burst else ""
        directives.append(f"limit_req zone={requests_zone(options.rate)}{burst}")
    if options.client_connections:
        directives.append(f"limit_conn {connections_zone()} {options.client_connections}")
    return directives


def zones(plan: Plan) -> list[str]:
    """Return the directives of the zones that servers use."""
    every = [plan.nginx, *(plan.nginx_of(site) for site in plan.sites if site.nginx)]
    directives = [
        f"limit_req_zone {REQUESTS_KEY} zone={requests_zone(rate)}:{SMALLEST_ZONE >> 20}m rate={rate}r/s"
        for rate in sorted({options.rate for options in every} - {0})
    ]
    if any(options.client_connections for options in every):
        size = max(SMALLEST_ZONE, plan.nginx.connections * MOST_WORKERS * STATE_BYTES) >> 20
        directives.append(f"limit_conn_zone {CONNECTIONS_KEY} zone={connections_zone()}:{size}m")
    return directives


def limits(plan: Plan) -> str:
    """Return limits.conf; blank where nothing is limited."""
    directives = zones(plan)
    # Nobody but who is named gets below the prefix, and a probe that is turned away looks like a failure.
    probed = [plan.codebase.health_prefix] if plan.nginx.health_from else []
    files = [nginx_quote(url_pattern(url)) for url in [*file_urls(plan), *probed]]
    counts = any(directive.startswith("limit_req_zone") for directive in directives)
    return plan.render("nginx/limits.conf", zones=directives, counts=counts, files=files) if directives else ""
