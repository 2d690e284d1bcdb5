"""What a site's server answers: static files, uploads, and its application."""

from __future__ import annotations

from wagtail_multihost.emitters.nginx.cache import PAGE_KEY, render_buckets, render_cache
from wagtail_multihost.emitters.nginx.forwarded import forwarded_values, render_scheme_maps
from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.nginx.rules import render_health
from wagtail_multihost.emitters.nginx.sizes import answer_size_values
from wagtail_multihost.emitters.nginx.upstreams import render_upstreams
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_around


def render_locations(front: Front) -> str:
    plan, options = front.plan, front.options
    codebase = plan.codebase
    static_url = codebase.static_url if codebase.static_root else None
    return plan.render(
        "nginx/locations.conf",
        front=front.asks_nodes,
        node_scheme="https" if front.has_certificates else "http",
        hears_fronts=bool(plan.node and options.fronts),
        static_url=nginx_quote(static_url) if static_url else "",
        static_root=nginx_quote(f"{codebase.static_root}/") if static_url else "",
        gzip_static=options.gzip_static,
        media_url=nginx_quote(codebase.media_url) if codebase.media_url else "",
        documents_url=nginx_quote(f"{codebase.media_url}documents/") if codebase.media_url else "",
        # Sites own their folders, but not those above. In a path elsewhere every folder is checked.
        links_from=nginx_quote(f"from={plan.platform.data}/sites"),
        redirects_files=front.redirects_files,
        fetches_files=front.fetches_files,
        caches_pages=front.caches_pages,
        module=front.module,
        cache_key=PAGE_KEY,
        speaks_http=front.speaks_http,
        address=site_address(front),
        probers=bool(options.health_from),
    )


def site_address(front: Front) -> str:
    """Return where the site of a request listens, as an argument of ``proxy_pass`` or ``uwsgi_pass``."""
    sockets = front.plan.platform.sockets
    if front.speaks_http:
        return nginx_quote_around(f"http://unix:{sockets}/", "multihost_socket", ":")
    return nginx_quote_around(f"unix:{sockets}/", "multihost_socket")


def render_http_files(front: Front) -> dict[str, str]:
    """Return the files, by name, that the http level includes for the content."""
    plan = front.plan
    has_files = plan.codebase.static_root is not None and not front.asks_nodes
    texts = {
        "forwarded.conf": render_scheme_maps(front),
        "content.conf": plan.render("nginx/content.conf") if has_files else "",
        "cache.conf": render_cache(front),
        "buckets.conf": render_buckets(front),
        "upstreams.conf": render_upstreams(front),
        "health.conf": render_health(front),
        "gunicorn.conf": render_http_requests(front),
    }
    return {name: text for name, text in texts.items() if text}


def render_http_requests(front: Front) -> str:
    """Return gunicorn.conf, for a runner that speaks HTTP; blank for other runners, and where nodes are asked."""
    if not front.speaks_http:
        return ""
    return front.plan.render(
        "nginx/gunicorn.conf",
        **forwarded_values(front),
        **answer_size_values(),
        request_id=front.request_id,
        origin_port=front.origin_port,
        read_timeout=front.read_timeout(),
    )
