"""The main file: the http level, the closed default servers and the server that sites share."""

from __future__ import annotations

import re
from collections.abc import Iterable

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.cache import caches_pages, page_scheme
from wagtail_multihost.emitters.nginx.content import shared_directives
from wagtail_multihost.emitters.nginx.forwarded import forwarded
from wagtail_multihost.emitters.nginx.hosts import bucket_size, hosts_of, table_size
from wagtail_multihost.emitters.nginx.limits import limiting, zones
from wagtail_multihost.emitters.nginx.listen import listening
from wagtail_multihost.emitters.nginx.origins import origin_port
from wagtail_multihost.emitters.nginx.rules import map_keys
from wagtail_multihost.emitters.nginx.runner import speaks_http
from wagtail_multihost.emitters.nginx.servers import ACCESS_LOG, https_port, included
from wagtail_multihost.emitters.nginx.timeouts import read_timeout
from wagtail_multihost.emitters.nginx.upstreams import request_id
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_include
from wagtail_multihost.emitters.rendering import render
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

# A connection of a visitor may have one to an application and a file; the rest is for logs and sockets.
FILES_PER_CONNECTION = 3
SPARE_FILES = 512
TOKEN = re.compile(r"[A-Za-z0-9]{1,128}")
PATTERN_SPECIAL = frozenset("*?[\\")


def main(plan: Plan, shared: list[SiteSpec], content: Iterable[str]) -> str:
    """Return nginx.conf; ``shared`` are the sites without a server of their own, ``content`` files to include."""
    options = plan.nginx
    refuse_pattern(str(plan.directory))
    keys = [*hosts_of(plan.sites), *map_keys(plan)]
    temp = {name: nginx_quote(f"{options.temp}/{name}") for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi")}
    return plan.render(
        "nginx/nginx.conf",
        **listening(plan),
        **forwarded(plan),
        content=content,
        page_scheme=page_scheme(plan),
        upgrade="$multihost_upgrade" if caches_pages(plan) else "$multihost_to_https",
        request_id=request_id(plan),
        has_shared=bool(shared),
        has_shared_tls=any(site.has_tls(host) for site in shared for host in site.hosts),
        has_own=len(shared) < len(plan.sites),
        has_limits=bool(zones(plan)),
        directives=[*limiting(options), *shared_directives(plan)],
        site_include=included(plan, options.site_include, "platform.nginx.site_include"),
        include=included(plan, options.include, "platform.nginx.include"),
        user=nginx_quote(options.user),
        connections=options.connections,
        files=options.connections * FILES_PER_CONNECTION + len(plan.sites) + SPARE_FILES,
        body_size=nginx_quote(options.body_size),
        speaks_http=speaks_http(plan),
        read_timeout=read_timeout(plan),
        bucket_size=bucket_size(keys),
        table_size=table_size(keys),
        origin_port=origin_port(plan.platform.origin),
        https_port=https_port(plan),
        pid=nginx_quote(str(options.pid)),
        mime_types=nginx_quote_include(str(options.mime_types)),
        error_log=nginx_quote(f"{options.logs}/error.log"),
        access_log=nginx_quote(f"{options.logs}/{ACCESS_LOG}"),
        temp=temp,
    )


def refuse_pattern(directory: str) -> None:
    """Raise RenderError for a folder that nginx would read as a pattern, with the names of included files in it."""
    if PATTERN_SPECIAL.intersection(directory):
        raise RenderError(
            f"nginx cannot include files from {shown(directory)}: the path of the output folder must be without "
            "*, ?, [ and \\."
        )


def generation(token: str) -> str:
    """Return the file that shows ``token``. Raises RenderError unless it has 1 to 128 ASCII letters and digits."""
    if not TOKEN.fullmatch(token):
        raise RenderError(f"The token {shown(token)} is not accepted: it must be letters and digits.")
    return render("nginx/generation.conf", token=token)
