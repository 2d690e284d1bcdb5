"""Facts about all sites that nginx's files depend on, each derived once from a plan."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.quoting import nginx_quote
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec

# https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake
REJECTS_HANDSHAKES = (1, 19, 4)
# https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2
HAS_HTTP2_DIRECTIVE = (1, 25, 1)
READ_MARGIN = 5  # seconds
PROXY_PROTOCOL = "proxy_protocol"
FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"
#: How a front server tells its nodes the scheme.
FRONT_SERVERS_WORD = (FORWARDED_PROTO, "https")
#: The options for certificates at both ends; all or none of them must be stated.
CERTIFICATES = (
    "node_certificate",
    "node_key",
    "node_authority",
    "front_certificate",
    "front_key",
    "front_authority",
)


@dataclass(frozen=True, slots=True)
class Front:
    """
    A plan as nginx sees it: its ``options``, and whether, for any site, nginx ``caches_pages``, ``fetches_files`` from
    buckets, ``redirects_files`` to them, or ``has_tls``. ``written_folders`` are those that sites can write to.
    """

    plan: Plan
    options: NginxOptions
    caches_pages: bool
    fetches_files: bool
    redirects_files: bool
    has_tls: bool
    written_folders: frozenset[Path]

    def options_of(self, site: SiteSpec) -> NginxOptions:
        return self.plan.options(NginxOptions, site)

    @property
    def asks_nodes(self) -> bool:
        """Whether the plan is for the machine in front of others."""
        return asks_nodes(self.plan)

    @property
    def has_certificates(self) -> bool:
        return has_certificates(self.options)

    @property
    def speaks_http(self) -> bool:
        """Whether the sites on this machine are asked over HTTP, and not in uwsgi's protocol."""
        return self.plan.runner.protocol == "http" and not self.asks_nodes

    @property
    def module(self) -> str:
        """The module of nginx that asks applications: proxy for HTTP, and for nodes."""
        return "proxy" if self.asks_nodes or self.speaks_http else "uwsgi"

    @property
    def request_id(self) -> str:
        """The variable with the request's id: on a node, the id that the front server gave it."""
        return "$multihost_request_id" if self.plan.node else "$request_id"

    @property
    def scheme_header(self) -> tuple[str, str] | None:
        """The header in which applications read the scheme, and its word for https; None where there is none."""
        return self.plan.platform.secure_proxy_ssl_header

    @property
    def read_header(self) -> tuple[str, str] | None:
        """The same of the header that nginx itself reads: on a node what the front server says, whoever told that."""
        return FRONT_SERVERS_WORD if self.plan.node else self.scheme_header

    @property
    def visitor_scheme(self) -> str:
        """The variable of the scheme that the visitor uses, `http` or `https`, as far as nginx knows it."""
        return "$multihost_scheme" if self.read_header else "$scheme"

    @property
    def page_scheme(self) -> str:
        """The variable with the scheme that applications are told: the visitor's, also when Wagtail purges."""
        return "$multihost_page_scheme" if self.caches_pages else self.visitor_scheme

    @property
    def upgrade(self) -> str:
        """The variable that is set for requests that are redirected to https."""
        return "$multihost_upgrade" if self.caches_pages else "$multihost_to_https"

    @property
    def origin_port(self) -> str:
        """The port in visitors' URLs, with its colon; blank for the default port."""
        port = urlsplit(self.plan.platform.origin.replace("{hostname}", "host")).port
        return f":{port}" if port else ""

    @property
    def https_port(self) -> str:
        return self.origin_port if self.plan.platform.scheme == "https" else ""

    def is_written_by_sites(self, path: Path) -> bool:
        """Return whether ``path`` is in a folder that sites can write to, or leads there by a link."""
        real = Path(os.path.realpath(path))
        return not self.written_folders.isdisjoint([path, *path.parents, real, *real.parents])

    def read_timeout(self, site: SiteSpec | None = None) -> int:
        """
        Return after how many silent seconds nginx gives up: when a request may take no longer, or earlier where that is
        stated. Whoever runs the site ends the request after that: else the visitor would get no answer, and a 502.
        """
        options, most = self.options_of(site) if site else self.options, self.plan.request_seconds(site)
        return min(options.timeout or most, most)

    def http_timeout(self, site: SiteSpec | None = None) -> int:
        """Return the same for HTTP: the front server gives up a little after the node's nginx."""
        return self.read_timeout(site) + (READ_MARGIN if self.asks_nodes else 0)

    def is_fetched(self, site: SiteSpec) -> bool:
        """Return whether nginx fetches the site's files, which are public at the storage's domain anyway."""
        return has_bucket(self.plan, site, "proxy")

    def is_redirected(self, site: SiteSpec) -> bool:
        """Return whether the site's files are reached by a redirect."""
        return has_bucket(self.plan, site, "redirect")

    @property
    def listening(self) -> dict[str, object]:
        """The arguments of ``listen`` for http and https, and other values that depend on nginx's version."""
        options, version = self.options, version_of(self.options.version)
        proxied = " proxy_protocol" if takes_proxy_protocol(options) else ""
        http2 = " http2" if options.http2 and version < HAS_HTTP2_DIRECTIVE else ""
        node_tls = " ssl" if self.plan.node and self.has_certificates else ""
        https = options.https if self.has_tls else ()
        return {
            "http": [f"{nginx_quote(address)}{node_tls}{proxied}" for address in options.http],
            "https": [f"{nginx_quote(address)} ssl{http2}{proxied}" for address in https],
            "http2_directive": options.http2 and version >= HAS_HTTP2_DIRECTIVE,
            "rejects_handshakes": version >= REJECTS_HANDSHAKES,
        }


def front_of(plan: Plan) -> Front:
    """Return the facts about a plan that nginx's files depend on."""
    options, sites = plan.options(NginxOptions), plan.sites
    return Front(
        plan=plan,
        options=options,
        # Behind a front server a node keeps none.
        caches_pages=not plan.node and any(plan.options(NginxOptions, site).cache for site in sites),
        fetches_files=any(has_bucket(plan, site, "proxy") for site in sites),
        redirects_files=any(has_bucket(plan, site, "redirect") for site in sites),
        has_tls=any(site.has_tls(host) for site in sites for host in site.hosts),
        written_folders=frozenset(written_folders(plan, options)),
    )


def asks_nodes(plan: Plan) -> bool:
    return bool(plan.platform.nodes) and not plan.node


def has_certificates(options: NginxOptions) -> bool:
    return all(getattr(options, name) for name in CERTIFICATES)


def has_bucket(plan: Plan, site: SiteSpec, media: str) -> bool:
    """Return whether this nginx, and not that of a node behind it, answers for a site's bucket by ``media``."""
    is_asked = plan.codebase.media_url is not None and not asks_nodes(plan)
    return is_asked and bool(site.storage.domain) and plan.options(NginxOptions, site).bucket_media == media


def written_folders(plan: Plan, options: NginxOptions) -> Iterator[Path]:
    """Yield the folders that sites can write to, including those of their own code."""
    yield from (plan.platform.data, plan.platform.sockets, options.temp, options.cache_path)
    for site in plan.sites:
        if site.storage.path:
            yield site.storage.path
        code = dict(site.code)
        stated = (code.get("directory"), code.get("virtualenv"), *(code.get("pythonpath") or ()))  # type: ignore[misc]
        yield from (Path(str(path)) for path in stated if path)


def takes_proxy_protocol(options: NginxOptions) -> bool:
    """Return whether every connection must begin with a line of the PROXY protocol."""
    return bool(options.proxies) and options.real_ip_header == PROXY_PROTOCOL


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
