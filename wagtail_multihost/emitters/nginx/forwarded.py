"""Whose word is taken on the client's address and on the scheme that a visitor uses."""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.quoting import nginx_quote

PROXY_PROTOCOL = "proxy_protocol"
FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"


def forwarded(plan: Plan) -> dict[str, object]:
    """Return what the main file says about proxies in front of nginx."""
    options = plan.nginx
    header, secure = plan.platform.secure_proxy_ssl_header or ("", "")
    return {
        "proxies": [nginx_quote(network) for network in options.proxies],
        "real_ip_header": nginx_quote(options.real_ip_header),
        # Without proxies named, whoever connects is taken for one, as the setting of Django has it.
        "keeps_forwarded_proto": header == FORWARDED_PROTO and not options.proxies,
        "scheme_param": header if options.proxies else "",
        "scheme_variable": header.lower(),
        "secure_value": nginx_quote(secure),
    }


def scheme_variable(plan: Plan) -> str:
    """Return the variable of the scheme that the visitor uses, as far as nginx knows it or a trusted proxy says it."""
    return "$multihost_scheme" if trusted_header(plan) else "$scheme"


def trusted_header(plan: Plan) -> tuple[str, str] | None:
    """Return the header in which a trusted proxy says the scheme, and its word for https; None where none does."""
    return plan.platform.secure_proxy_ssl_header if plan.nginx.proxies else None


def told_header(plan: Plan) -> tuple[str, str] | None:
    """Return the same of any proxy: where none is named, whoever connects is taken for one that says it as most do."""
    header = plan.platform.secure_proxy_ssl_header
    is_usual = header is not None and header[0] == FORWARDED_PROTO
    return header if is_usual else trusted_header(plan)
