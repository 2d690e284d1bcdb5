"""How nginx speaks to the sites' processes on its own machine: uwsgi's protocol, or HTTP to gunicorn."""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.cache import page_scheme
from wagtail_multihost.emitters.nginx.forwarded import forwarded
from wagtail_multihost.emitters.nginx.origins import origin_port
from wagtail_multihost.emitters.nginx.timeouts import read_timeout
from wagtail_multihost.emitters.nginx.upstreams import is_front, request_id
from wagtail_multihost.emitters.quoting import nginx_quote_around


def speaks_http(plan: Plan) -> bool:
    """Return whether the sites of this machine are gunicorn's."""
    return plan.platform.runner == "gunicorn" and not is_front(plan)


def address(plan: Plan) -> str:
    """Return where the site of a request listens, as ``proxy_pass`` or ``uwsgi_pass`` has it."""
    if speaks_http(plan):
        return nginx_quote_around(f"http://unix:{plan.platform.sockets}/", "multihost_socket", ":")
    return nginx_quote_around(f"unix:{plan.platform.sockets}/", "multihost_socket")


def gunicorn(plan: Plan) -> str:
    """Return what gunicorn is told of a request; blank where uWSGI or other machines are asked."""
    if not speaks_http(plan):
        return ""
    trust = forwarded(plan)
    return plan.render(
        "nginx/gunicorn.conf",
        keeps_forwarded_proto=trust["keeps_forwarded_proto"],
        # The setting has it as Django does: HTTP_X_FORWARDED_PROTO.
        scheme_header=str(trust["scheme_param"]).removeprefix("HTTP_").replace("_", "-"),
        page_scheme=page_scheme(plan),
        request_id=request_id(plan),
        origin_port=origin_port(plan.platform.origin),
        read_timeout=read_timeout(plan),
    )
