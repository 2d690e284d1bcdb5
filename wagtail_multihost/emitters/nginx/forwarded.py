"""
What proxies and visitors state about a request, and what the application is told: one value for each fact, however it
was listed, quoted or capitalised, so that no two programs read it differently.
"""

from __future__ import annotations

from wagtail_multihost.emitters.nginx.front import FORWARDED_PROTO, Front
from wagtail_multihost.emitters.quoting import nginx_quote

#: Headers that a front server removes: the nginx of the node sets them.
REMOVED = ("X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Ssl", "X-Real-IP", "Forwarded", "Proxy")
#: The variable with the word that the application expects for https.
WORD = "$multihost_scheme_word"
#: The variable with the port of the visitor's address.
PORT = "$multihost_port"
HTTPS = "https"


def render_scheme_maps(front: Front) -> str:
    """Return forwarded.conf, which finds the visitor's scheme, and what follows from it."""
    header = front.read_header
    return front.plan.render(
        "nginx/forwarded.conf",
        proxies=[nginx_quote(network) for network in front.options.proxies],
        header=header[0].lower() if header else "",
        # Letters and digits alone, as the platform's key accepts them.
        secure=nginx_quote(header[1]).strip('"') if header else "",
        page_scheme=front.page_scheme,
        word=own_word(front),
    )


def forwarded_values(front: Front) -> dict[str, object]:
    """
    Return what applications are told of the scheme, in which header; the ``stated`` headers with their values, which
    they may read instead; and those that nodes never get.
    """
    header = front.scheme_header
    own = header_name(header[0]) if header and header[0] != FORWARDED_PROTO else ""
    proto = WORD if header and not own and own_word(front) else front.page_scheme
    port = front.origin_port.removeprefix(":") or PORT
    stated = {
        "X-Forwarded-Host": f"$host{front.origin_port}",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Port": port,
        "X-Forwarded-Ssl": "$multihost_ssl",
        "X-Real-IP": "$remote_addr",
        "Forwarded": f"proto={front.page_scheme}",
    }
    return {
        "page_scheme": proto,
        "scheme_header": own,
        "scheme_word": WORD if own_word(front) else front.page_scheme,
        "server_port": port,
        "stated": {name: value for name, value in stated.items() if name.upper() != own.upper()},
        "removed": [name for name in REMOVED if name.upper() != own.upper()],
    }


def own_word(front: Front) -> str:
    """Return the word for https that an application expects, quoted, where it is not that one; else blank."""
    header = front.scheme_header
    return nginx_quote(header[1]) if header and header[1] != HTTPS else ""


def header_name(variable: str) -> str:
    """Return the name of a header that Django calls ``HTTP_X_FORWARDED_PROTO``."""
    return variable.removeprefix("HTTP_").replace("_", "-")
