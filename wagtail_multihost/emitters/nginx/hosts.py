"""The maps that lead from a host to its site, its certificate and its files, and what their hashes need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_around, nginx_quote_key
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.tls import TlsSpec

# nginx's defaults (http://nginx.org/en/docs/http/ngx_http_map_module.html, …/ngx_http_core_module.html).
SMALLEST_BUCKET = 64
SMALLEST_TABLE = 2048


class Pair(NamedTuple):
    """A line of a map."""

    key: str
    value: str


def maps(plan: Plan, tls_hosts: list[tuple[str, TlsSpec, str]]) -> str:
    sites = plan.sites
    certificates = [Pair(host, certificate_path(tls.certificate, host, site)) for host, tls, site in tls_hosts]
    keys = [Pair(host, certificate_path(tls.key, host, site)) for host, tls, site in tls_hosts]
    return plan.render(
        "nginx/maps.conf",
        sites=quoted(Pair(host, site.id) for site in sites for host in site.hosts),
        canonical=quoted(redirect for site in sites for redirect in redirects(plan, site)),
        sockets=quoted(Pair(site.id, site.names.socket) for site in sites if site.names.socket != f"{site.id}.sock"),
        media=quoted(pair for site in sites for pair in media_exceptions(plan, site)),
        media_default=nginx_quote_around(f"{plan.platform.data}/sites/", "multihost_site", "/media"),
        tls_hosts=quoted(Pair(host, "on") for host, _, _ in tls_hosts),
        certificates=quoted(certificates),
        keys=quoted(keys),
    )


def certificate_path(path: str, host: str, site: str) -> str:
    return path.format(hostname=host, site=site)


def redirects(plan: Plan, site: SiteSpec) -> Iterator[Pair]:
    origin = plan.platform.origin_of(site.canonical, has_tls=site.has_tls(site.canonical))
    for host in site.hostnames[1:]:
        yield Pair(host, origin)


def media_exceptions(plan: Plan, site: SiteSpec) -> Iterator[Pair]:
    """Yield the site's media folder where it is not the usual one; blank for a bucket."""
    if site.storage.path != plan.platform.local_path(site.id, "media"):
        yield Pair(site.id, str(site.storage.path or ""))


def names(plan: Plan, hosts: Iterable[str]) -> str:
    return plan.render("nginx/names.conf", hosts=[nginx_quote(host) for host in hosts])


def quoted(pairs: Iterable[Pair]) -> list[Pair]:
    return [Pair(nginx_quote_key(key), nginx_quote(value)) for key, value in pairs]


def bucket_size(hosts: Iterable[str]) -> int:
    """
    Return the hash bucket size, in bytes, that the longest of ``hosts`` needs.

    An element takes a pointer, a length and the name, aligned to 8 bytes, and the bucket an end mark
    (ngx_hash.c, NGX_HASH_ELT_SIZE); a cache line is 64 bytes.
    """
    longest = max((len(host) for host in hosts), default=0)
    return power_of_two(16 + -(-(longest + 2) // 8) * 8, at_least=SMALLEST_BUCKET)


def table_size(hosts: Iterable[str]) -> int:
    """Return the largest number of buckets that nginx may try: a power of two over the bytes of all names."""
    return power_of_two(sum(len(host) for host in hosts), at_least=SMALLEST_TABLE)


def power_of_two(value: int, *, at_least: int) -> int:
    return max(at_least, 1 << max(0, value - 1).bit_length())
