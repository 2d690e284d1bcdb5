"""What a site's server answers with: static files, uploads, and its application."""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.buckets import buckets, redirects_files
from wagtail_multihost.emitters.nginx.cache import (
    cache,
    cache_key,
    caches_pages,
    durations,
    keeps_files,
    module,
    own_duration,
)
from wagtail_multihost.emitters.nginx.health import health
from wagtail_multihost.emitters.nginx.runner import address, gunicorn, speaks_http
from wagtail_multihost.emitters.nginx.upstreams import has_certificates, is_front, upstreams
from wagtail_multihost.emitters.quoting import nginx_quote
from wagtail_multihost.spec.site import SiteSpec


def locations(plan: Plan) -> str:
    codebase, front = plan.codebase, is_front(plan)
    static_url = codebase.static_url if codebase.static_root else None
    return plan.render(
        "nginx/locations.conf",
        front=front,
        node_scheme="https" if has_certificates(plan.nginx) else "http",
        hears_fronts=bool(plan.node and plan.nginx.fronts),
        static_url=nginx_quote(static_url) if static_url else "",
        static_root=nginx_quote(f"{codebase.static_root}/") if static_url else "",
        gzip_static=plan.nginx.gzip_static,
        media_url=nginx_quote(codebase.media_url) if codebase.media_url else "",
        documents_url=nginx_quote(f"{codebase.media_url}documents/") if codebase.media_url else "",
        # Folders of sites are their own, those above are not. Of a path elsewhere every folder is checked.
        links_from=nginx_quote(f"from={plan.platform.data}/sites"),
        redirects_files=redirects_files(plan),
        fetches_files=keeps_files(plan),
        caches_pages=caches_pages(plan),
        module=module(plan),
        cache_key=cache_key(plan),
        speaks_http=speaks_http(plan),
        address=address(plan),
        probers=bool(plan.nginx.health_from),
    )


def has_own_content(plan: Plan, site: SiteSpec) -> bool:
    """Return whether what the site answers with takes a server of its own."""
    return own_duration(plan, site)


def own_directives(plan: Plan, site: SiteSpec) -> list[str]:
    """Return the directives of the site's own server, quoted."""
    return durations(plan, plan.nginx_of(site).cache)


def shared_directives(plan: Plan) -> list[str]:
    """Return the directives of the server that sites share, quoted."""
    return durations(plan, plan.nginx.cache)


def http_files(plan: Plan) -> dict[str, str]:
    """Return the texts, by their names, of what the http level includes for the content."""
    texts = {
        "content.conf": ""
        if is_front(plan) or plan.codebase.static_root is None
        else plan.render("nginx/content.conf"),
        "cache.conf": cache(plan),
        "buckets.conf": buckets(plan),
        "upstreams.conf": upstreams(plan),
        "health.conf": health(plan),
        "gunicorn.conf": gunicorn(plan),
    }
    return {name: text for name, text in texts.items() if text}
