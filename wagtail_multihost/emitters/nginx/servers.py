"""Separate servers for sites with options for which nginx accepts no variables."""

from __future__ import annotations

from pathlib import Path

from wagtail_multihost.emitters.nginx.cache import cache_directives, has_own_duration
from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.nginx.rules import limit_directives
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_include
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

ACCESS_LOG = "access.log"


def needs_own_server(front: Front, site: SiteSpec) -> bool:
    """Return whether the site has options that the shared server cannot express."""
    if not site.options:
        return False
    options = front.options_of(site)
    return (
        options.access_log
        or bool(request_directives(front, site))
        or limit_directives(options) != limit_directives(front.options)
        or options.site_include != front.options.site_include
        or has_own_duration(front, site)
    )


def render_server(front: Front, site: SiteSpec) -> dict[str, object]:
    """Return what the file of a site's own server is made of, quoted."""
    options = front.options_of(site)
    return {
        **front.listening,
        "http_hosts": [nginx_quote(host) for host in site.hosts],
        "https_hosts": [nginx_quote(host) for host in site.hosts if site.has_tls(host)],
        "https_port": front.https_port,
        "upgrade": front.upgrade,
        "directives": [
            *request_directives(front, site),
            *limit_directives(options),
            *log_directives(front, site),
            *cache_directives(front, options.cache),
        ],
        "site_include": include_argument(front, options.site_include, f"sites.{site.id}.nginx.site_include"),
    }


def request_directives(front: Front, site: SiteSpec) -> list[str]:
    """Return the directives for the size and time of requests, if they differ from the platform's."""
    options, timeout = front.options_of(site), front.read_timeout(site)
    directives = []
    if options.body_size != front.options.body_size:
        directives.append(f"client_max_body_size {nginx_quote(options.body_size)}")
    if timeout != front.read_timeout():
        directives += [f"uwsgi_read_timeout {timeout}s", f"proxy_read_timeout {front.http_timeout(site)}s"]
    return directives


def log_directives(front: Front, site: SiteSpec) -> list[str]:
    """Return the directives for a site's own log and, repeated, the log that all sites share."""
    if not front.options_of(site).access_log:
        return []
    paths = [f"{front.options.logs}/{name}" for name in (ACCESS_LOG, f"{site.id}.{ACCESS_LOG}")]
    return [f"access_log {nginx_quote(path)} multihost" for path in paths]


def include_argument(front: Front, path: Path | None, key: str) -> str:
    """
    Return the argument of ``include`` for the integrator's file that is stated under ``key``; blank for none.

    Raises RenderError for a file that sites could write: they could change nginx's configuration.
    """
    if path is None:
        return ""
    if front.is_written_by_sites(path):
        raise RenderError(f"{key}: nginx must not include {shown(str(path))}: sites can write to that folder.")
    return nginx_quote_include(str(path))
