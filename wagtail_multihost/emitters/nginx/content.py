"""What a site's server answers with: static files, uploads, and its application."""

from __future__ import annotations

from wagtail_multihost.emitters.nginx.cache import PAGE_KEY, buckets, cache
from wagtail_multihost.emitters.nginx.forwarded import forwarded, scheme_maps
from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.nginx.rules import health
from wagtail_multihost.emitters.nginx.sizes import answer_sizes
from wagtail_multihost.emitters.nginx.upstreams import upstreams
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_around


def locations(front: Front) -> str:
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
        # Folders of sites are their own, those above are not. Of a path elsewhere every folder is checked.
        links_from=nginx_quote(f"from={plan.platform.data}/sites"),
        redirects_files=front.redirects_files,
        fetches_files=front.fetches_files,
        caches_pages=front.caches_pages,
        module=front.module,
        cache_key=PAGE_KEY,
        speaks_http=front.speaks_http,
        address=address(front),
        probers=bool(options.health_from),
    )


def address(front: Front) -> str:
    """Return where the site of a request listens, as ``proxy_pass`` or ``uwsgi_pass`` has it."""
    sockets = front.plan.platform.sockets
    if front.speaks_http:
        return nginx_quote_around(f"http://unix:{sockets}/", "multihost_socket", ":")
    return nginx_quote_around(f"unix:{sockets}/", "multihost_socket")


def http_files(front: Front) -> dict[str, str]:
    """Return the texts, by their names, of what the http level includes for the content."""
    plan = front.plan
    has_files = plan.codebase.static_root is not None and not front.asks_nodes
    texts = {
        "forwarded.conf": scheme_maps(front),
        "content.conf": plan.render("nginx/content.conf") if has_files else "",
        "cache.conf": cache(front),
        "buckets.conf": buckets(front),
        "upstreams.conf": upstreams(front),
        "health.conf": health(front),
        "gunicorn.conf": requests_by_http(front),
    }
    return {name: text for name, text in texts.items() if text}


def requests_by_http(front: Front) -> str:
    """Return what a runner that speaks HTTP is told of a request; blank where another or other machines are asked."""
    if not front.speaks_http:
        return ""
    return front.plan.render(
        "nginx/gunicorn.conf",
        **forwarded(front),
        **answer_sizes(),
        request_id=front.request_id,
        origin_port=front.origin_port,
        read_timeout=front.read_timeout(),
    )
