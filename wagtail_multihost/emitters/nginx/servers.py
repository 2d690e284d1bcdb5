"""Servers of their own, for sites with options that nginx takes no variable for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.cache import caches_pages
from wagtail_multihost.emitters.nginx.content import has_own_content, own_directives
from wagtail_multihost.emitters.nginx.limits import limiting
from wagtail_multihost.emitters.nginx.listen import listening
from wagtail_multihost.emitters.nginx.origins import origin_port
from wagtail_multihost.emitters.nginx.timeouts import http_timeout, read_timeout
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_include
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

ACCESS_LOG = "access.log"


def needs_own_server(plan: Plan, site: SiteSpec) -> bool:
    """Return whether the site has what the server that sites share cannot say."""
    if not (site.nginx or site.uwsgi or site.systemd):
        return False
    options = plan.nginx_of(site)
    return (
        options.access_log
        or bool(fixed(plan, site))
        or limiting(options) != limiting(plan.nginx)
        or options.site_include != plan.nginx.site_include
        or has_own_content(plan, site)
    )


def server(plan: Plan, site: SiteSpec) -> str:
    """Return the file of a site's own server."""
    options = plan.nginx_of(site)
    return plan.render(
        "nginx/site.conf",
        **listening(plan),
        http_hosts=[nginx_quote(host) for host in site.hosts],
        https_hosts=[nginx_quote(host) for host in site.hosts if site.has_tls(host)],
        https_port=https_port(plan),
        upgrade="$multihost_upgrade" if caches_pages(plan) else "$multihost_to_https",
        directives=[
            *fixed(plan, site),
            *limiting(options),
            *logs(plan, site),
            *own_directives(plan, site),
        ],
        site_include=included(plan, options.site_include, f"sites.{site.id}.nginx.site_include"),
    )


def fixed(plan: Plan, site: SiteSpec) -> list[str]:
    """Return the directives of the size of requests and of their time, where they are not everybody's."""
    options, timeout = plan.nginx_of(site), read_timeout(plan, site)
    directives = []
    if options.body_size != plan.nginx.body_size:
        directives.append(f"client_max_body_size {nginx_quote(options.body_size)}")
    if timeout != read_timeout(plan):
        directives += [f"uwsgi_read_timeout {timeout}s", f"proxy_read_timeout {http_timeout(plan, site)}s"]
    return directives


def logs(plan: Plan, site: SiteSpec) -> list[str]:
    """Return the log of a site that has its own, and again the one that all sites share, which goes on."""
    if not plan.nginx_of(site).access_log:
        return []
    paths = [f"{plan.nginx.logs}/{name}" for name in (ACCESS_LOG, f"{site.id}.{ACCESS_LOG}")]
    return [f"access_log {nginx_quote(path)} multihost" for path in paths]


def included(plan: Plan, path: Path | None, key: str) -> str:
    """
    Return the argument of ``include`` for a file of the integrator's, stated under ``key``; blank for none.

    Raises RenderError for a file where sites write: what it says would be nginx's configuration.
    """
    if path is None:
        return ""
    if not written_folders(plan).isdisjoint([path, *path.parents]):
        raise RenderError(f"{key}: nginx cannot include {shown(str(path))}: sites write to that folder.")
    return nginx_quote_include(str(path))


@lru_cache(maxsize=2)
def written_folders(plan: Plan) -> frozenset[Path]:
    """Return the folders that sites write to, or may."""
    stores = [site.storage.path for site in plan.sites if site.storage.path]
    shared = [plan.platform.data, plan.platform.sockets, plan.nginx.temp, plan.nginx.cache_path]
    return frozenset([*shared, *stores, *own_code(plan)])


def own_code(plan: Plan) -> Iterator[Path]:
    """Yield the folders of code that sites bring themselves."""
    for site in plan.sites:
        options = dict(site.code)
        stated = (options.get("directory"), options.get("virtualenv"), *(options.get("pythonpath") or ()))  # type: ignore[misc]
        yield from (Path(str(path)) for path in stated if path)


def https_port(plan: Plan) -> str:
    return origin_port(plan.platform.origin) if plan.platform.scheme == "https" else ""
