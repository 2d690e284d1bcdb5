"""What a site's server answers with: static files, uploads, and its application."""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_around


def locations(plan: Plan) -> str:
    codebase = plan.codebase
    serves_static = codebase.static_root is not None and codebase.static_url is not None
    return plan.render(
        "nginx/locations.conf",
        static_url=nginx_quote(codebase.static_url or "") if serves_static else "",
        static_root=nginx_quote(f"{codebase.static_root}/") if serves_static else "",
        media_url=nginx_quote(codebase.media_url) if codebase.media_url else "",
        documents_url=nginx_quote(f"{codebase.media_url}documents/") if codebase.media_url else "",
        socket=nginx_quote_around(f"unix:{plan.platform.sockets}/", "multihost_socket"),
    )
