"""Where nginx listens, in the words of its version."""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.forwarded import PROXY_PROTOCOL
from wagtail_multihost.emitters.nginx.upstreams import has_certificates
from wagtail_multihost.emitters.quoting import nginx_quote
from wagtail_multihost.spec.nginx import NginxOptions

# https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake
REJECTS_HANDSHAKES = (1, 19, 4)
# https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2
HAS_HTTP2_DIRECTIVE = (1, 25, 1)


def listening(plan: Plan) -> dict[str, object]:
    """Return the arguments of ``listen`` for http and https, and what else depends on the version."""
    options = plan.nginx
    version = version_of(options.version)
    proxied = " proxy_protocol" if takes_proxy_protocol(options) else ""
    http2 = " http2" if options.http2 and version < HAS_HTTP2_DIRECTIVE else ""
    node_tls = " ssl" if plan.node and has_certificates(options) else ""
    has_tls = any(site.has_tls(host) for site in plan.sites for host in site.hosts)
    return {
        "http": [f"{nginx_quote(address)}{node_tls}{proxied}" for address in options.http],
        "https": [f"{nginx_quote(address)} ssl{http2}{proxied}" for address in options.https] if has_tls else [],
        "http2_directive": options.http2 and version >= HAS_HTTP2_DIRECTIVE,
        "rejects_handshakes": version >= REJECTS_HANDSHAKES,
    }


def takes_proxy_protocol(options: NginxOptions) -> bool:
    """Return whether all who connect must say first, with a line of the PROXY protocol, for whom they do."""
    return bool(options.proxies) and options.real_ip_header == PROXY_PROTOCOL


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
