"""The main file: the http level, the default servers, which refuse requests, and the server that sites share."""

from __future__ import annotations

import re
from collections.abc import Iterable

from wagtail_multihost.emitters.nginx.balancers import answers_balancers
from wagtail_multihost.emitters.nginx.cache import cache_directives
from wagtail_multihost.emitters.nginx.forwarded import forwarded_values
from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.nginx.hosts import bucket_size, hosts_of, table_size
from wagtail_multihost.emitters.nginx.rules import limit_directives, map_keys, zone_directives
from wagtail_multihost.emitters.nginx.servers import ACCESS_LOG, include_argument
from wagtail_multihost.emitters.nginx.sizes import answer_size_values, request_size_values
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_include
from wagtail_multihost.emitters.rendering import render
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

# A visitor's connection may need one to an application and a file; the rest is for logs and sockets.
FILES_PER_CONNECTION = 3
SPARE_FILES = 512
TOKEN = re.compile(r"[A-Za-z0-9]{1,128}")
PATTERN_SPECIAL = frozenset("*?[\\")


def render_main(front: Front, shared: list[SiteSpec], content: Iterable[str]) -> str:
    """Return nginx.conf; ``shared`` are the sites without their own server, ``content`` the files to include."""
    plan, options = front.plan, front.options
    refuse_pattern(str(plan.directory))
    keys = [*hosts_of(plan.sites), *map_keys(plan)]
    temp = {name: nginx_quote(f"{options.temp}/{name}") for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi")}
    return plan.render(
        "nginx/nginx.conf",
        **front.listening,
        **proxy_values(front),
        content=content,
        upgrade=front.upgrade,
        request_id=front.request_id,
        balancers=answers_balancers(front),
        has_shared=bool(shared),
        has_shared_tls=any(site.has_tls(host) for site in shared for host in site.hosts),
        has_own=len(shared) < len(plan.sites),
        has_limits=bool(zone_directives(front)),
        directives=[*limit_directives(options), *cache_directives(front, options.cache)],
        site_include=include_argument(front, options.site_include, "platform.nginx.site_include"),
        include=include_argument(front, options.include, "platform.nginx.include"),
        user=nginx_quote(options.user),
        connections=options.connections,
        files=options.connections * FILES_PER_CONNECTION + len(plan.sites) + SPARE_FILES,
        body_size=nginx_quote(options.body_size),
        **request_size_values(front),
        **answer_size_values(),
        speaks_http=front.speaks_http,
        read_timeout=front.read_timeout(),
        bucket_size=bucket_size(keys),
        table_size=table_size(keys),
        origin_port=front.origin_port,
        https_port=front.https_port,
        pid=nginx_quote(str(options.pid)),
        mime_types=nginx_quote_include(str(options.mime_types)),
        error_log=nginx_quote(f"{options.logs}/error.log"),
        access_log=nginx_quote(f"{options.logs}/{ACCESS_LOG}"),
        temp=temp,
    )


def proxy_values(front: Front) -> dict[str, object]:
    """Return the values about proxies in front of nginx: which are trusted, and what applications are told."""
    options = front.options
    return {
        "proxies": [nginx_quote(network) for network in options.proxies],
        "real_ip_header": nginx_quote(options.real_ip_header),
        **forwarded_values(front),
    }


def refuse_pattern(directory: str) -> None:
    """Raise RenderError for a folder whose path nginx would read as a pattern when it includes files."""
    if PATTERN_SPECIAL.intersection(directory):
        raise RenderError(
            f"nginx cannot include files from {shown(directory)}: the path of the output folder must not contain "
            "*, ?, [ or \\."
        )


def render_generation(token: str) -> str:
    """Return the file that shows ``token``. Raises RenderError unless it is 1 to 128 ASCII letters and digits."""
    if not TOKEN.fullmatch(token):
        raise RenderError(f"The token {shown(token)} is not accepted: it must be 1 to 128 letters and digits.")
    return render("nginx/generation.conf", token=token)
