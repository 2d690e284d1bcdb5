"""How nginx is configured: options of its emitter, with the defaults of Debian."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wagtail_multihost.spec.kinds import SWITCH, choice, integer
from wagtail_multihost.spec.options import (
    NETWORKS,
    OPTIONAL_PATH,
    PATH,
    SIZE,
    USER,
    VERSION,
    Options,
    option,
    text,
    texts,
)

PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
LISTEN = re.compile(
    rf"(?:(?:[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}|\[[0-9A-Fa-f:]+\]|\*):)?{PORT}|unix:/[A-Za-z0-9._/@+-]+"
)
LISTEN_WANTED = "be a port, an address and a port such as 127.0.0.1:80 or [::]:80, or unix:/path"
RESOLVER = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
# nginx reads lists of addresses, and not the pairs of RFC 7239 (ngx_http_realip_module.c).
HEADER_FORM = re.compile(r"(?!(?i:forwarded)\Z)[A-Za-z][A-Za-z0-9-]{0,63}|proxy_protocol")


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxOptions(Options):
    """The options of nginx."""

    target: ClassVar[str] = "nginx"
    front: ClassVar[bool] = True

    http: tuple[str, ...] = option(
        ("80", "[::]:80"),
        texts("list of addresses", LISTEN, wanted=LISTEN_WANTED, optional=False),
        "Where nginx listens for HTTP, in its own form.",
        who="node",
    )
    https: tuple[str, ...] = option(
        ("443", "[::]:443"),
        texts("list of addresses", LISTEN, wanted=LISTEN_WANTED),
        "Where it listens for HTTPS, if any site has `tls`.",
        who="node",
    )
    version: str = option("1.22", VERSION, "The version in use: newer ones have directives that older ones refuse.")
    user: str = option("www-data", USER, "The account of the workers, if root starts nginx.")
    pid: Path = option(Path("/run/nginx.pid"), PATH, "The file of the process id.")
    logs: Path = option(Path("/var/log/nginx"), PATH, "The folder of `access.log` and `error.log`.")
    temp: Path = option(Path("/var/lib/nginx"), PATH, "The folder for request bodies while they are received.")
    mime_types: Path = option(Path("/etc/nginx/mime.types"), PATH, "The list of file types.")
    http2: bool = option(True, SWITCH, "Whether browsers may use HTTP/2 over HTTPS.")
    connections: int = option(1024, integer(16, 1_000_000), "How many connections each worker process may have.")
    proxies: tuple[str, ...] = option((), NETWORKS, "Proxies in front that are trusted for the client's address.")
    real_ip_header: str = option(
        "X-Forwarded-For",
        text(
            "header, or `proxy_protocol`",
            HEADER_FORM,
            wanted="be a header of addresses such as X-Forwarded-For, or proxy_protocol",
        ),
        "Where those proxies write the client's address.",
    )
    acme: Path | None = option(
        None, OPTIONAL_PATH, "The folder that an ACME client writes its challenges to (`webroot`)."
    )
    pages: Path | None = option(
        None,
        OPTIONAL_PATH,
        "The folder of `maintenance.html` and `suspended.html`, shown instead of a site in that state.",
    )
    include: Path | None = option(None, OPTIONAL_PATH, "A file of your own, included in `http`.")
    site_include: Path | None = option(
        None, OPTIONAL_PATH, "A file of your own, included in the server of the site.", per_site=True
    )
    body_size: str = option(
        "20m", SIZE, "The largest request body: bytes, or a number with `k`, `m` or `g`.", per_site=True
    )
    timeout: int = option(
        0,
        integer(0, 86_400),
        "How long, in seconds, the site may be silent; 0: as long as a request may take there, which is also the most.",
        per_site=True,
    )
    rate: int = option(
        0, integer(0, 100_000), "Requests a second that one client may send to the site; 0: any number.", per_site=True
    )
    burst: int = option(20, integer(0, 100_000), "How many requests above the `rate` are let through.", per_site=True)
    # nginx refuses to start with more (ngx_http_limit_conn_module.c).
    client_connections: int = option(
        0, integer(0, 65_535), "Connections that one client may have to the site; 0: any number.", per_site=True
    )
    access_log: bool = option(
        False,
        SWITCH,
        "Whether the site's requests are also logged in a file of their own, `SITE.access.log`.",
        per_site=True,
    )
    cache: int = option(
        0,
        integer(0, 86_400),
        "How long, in seconds, pages are kept for visitors without a session; 0: not at all.",
        per_site=True,
    )
    cache_path: Path = option(
        Path("/var/cache/multihost"),
        PATH,
        "Where kept pages and files of buckets are: folders of this name with `-pages` and `-files` appended.",
    )
    cache_size: str = option("1g", SIZE, "How much each of these folders may hold, of all sites together.")
    purgers: tuple[str, ...] = option(
        ("127.0.0.1", "::1"), NETWORKS, "Who may renew kept pages, by the method PURGE as Wagtail sends it."
    )
    gzip_static: bool = option(False, SWITCH, "Whether `FILE.gz` beside a static file is sent instead of it.")
    bucket_media: str = option(
        "off",
        choice("off", "proxy", "redirect"),
        "How files in buckets are reached below the site's media URL: not at all, fetched and kept by nginx, "
        "or by a redirect to the storage's `domain`.",
        per_site=True,
    )
    resolvers: tuple[str, ...] = option(
        (),
        texts(
            "list of IP addresses", RESOLVER, wanted="be an IP address, in brackets for IPv6, with or without a port"
        ),
        'The DNS servers that nginx asks for the domains of buckets, for `bucket_media = "proxy"`.',
    )
    authorities: Path = option(
        Path("/etc/ssl/certs/ca-certificates.crt"),
        PATH,
        "The certificate authorities that are accepted for those domains.",
    )
    health_from: tuple[str, ...] = option(
        (),
        NETWORKS,
        "Who may ask for the health of a site through nginx, by the visitor's address, and for nginx's own health "
        "under any other host; nobody may drain a site.",
    )
    drain: Path = option(
        Path("/run/multihost-drain"),
        PATH,
        "While this file exists, nginx tells load balancers in `health_from` that it is not ready.",
    )
    unhealthy: Path = option(
        Path("/run/multihost-unhealthy"),
        PATH,
        "While this file exists, nginx tells them the same. The agent makes it when its node is to be replaced.",
        who="node",
    )
    fronts: tuple[str, ...] = option(
        (), NETWORKS, "The addresses of the front server; nodes answer nobody else. Needs nodes."
    )
    node_certificate: Path | None = option(
        None, OPTIONAL_PATH, "A node's own certificate, in the name `multihost-node`, for HTTPS from the front server."
    )
    node_key: Path | None = option(None, OPTIONAL_PATH, "The key of that certificate.")
    node_authority: Path | None = option(
        None, OPTIONAL_PATH, "The authority of the nodes' certificates, by which the front server knows a node."
    )
    front_certificate: Path | None = option(None, OPTIONAL_PATH, "The front server's certificate for the nodes.")
    front_key: Path | None = option(None, OPTIONAL_PATH, "The key of that certificate.")
    front_authority: Path | None = option(
        None,
        OPTIONAL_PATH,
        "The authority of that certificate, and of nothing else: nodes accept every certificate that it issued.",
    )
