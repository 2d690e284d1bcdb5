"""The main file: the http level, the closed default servers and the servers of all sites."""

from __future__ import annotations

from urllib.parse import urlsplit

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.hosts import bucket_size, table_size
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_include

READ_MARGIN = 5  # seconds
FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"


def main(plan: Plan, hosts: list[str], *, folder: str, has_tls: bool) -> str:
    options = plan.nginx
    temp = {name: nginx_quote(f"{options.temp}/{name}") for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi")}
    return plan.render(
        "nginx/nginx.conf",
        include={
            name: nginx_quote_include(f"{folder}/{name}.conf")
            for name in ("maps", "locations", "http-names", "https-names")
        },
        http=[nginx_quote(address) for address in options.http],
        https=[nginx_quote(address) for address in options.https] if has_tls else [],
        has_sites=bool(hosts),
        user=nginx_quote(options.user),
        body_size=nginx_quote(options.body_size),
        read_timeout=plan.uwsgi.harakiri + READ_MARGIN,
        bucket_size=bucket_size(hosts),
        table_size=table_size(hosts),
        origin_port=origin_port(plan.platform.origin),
        https_port=origin_port(plan.platform.origin) if plan.platform.scheme == "https" else "",
        keeps_forwarded_proto=(plan.platform.secure_proxy_ssl_header or ("",))[0] == FORWARDED_PROTO,
        pid=nginx_quote(str(options.pid)),
        mime_types=nginx_quote_include(str(options.mime_types)),
        error_log=nginx_quote(f"{options.logs}/error.log"),
        access_log=nginx_quote(f"{options.logs}/access.log"),
        temp=temp,
    )


def origin_port(origin: str) -> str:
    port = urlsplit(origin.replace("{hostname}", "host")).port
    return f":{port}" if port else ""
