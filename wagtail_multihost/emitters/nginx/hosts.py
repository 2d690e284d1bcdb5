"""The maps that lead from a host to its site, its certificate and its files, and what their hashes need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.nginx.rules import closed, file_urls, url_pattern
from wagtail_multihost.emitters.nginx.sizes import size_patterns
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_around, nginx_quote_key
from wagtail_multihost.spec.codebase import CHALLENGES
from wagtail_multihost.spec.site import SiteSpec

# nginx's defaults (http://nginx.org/en/docs/http/ngx_http_map_module.html, …/ngx_http_core_module.html).
SMALLEST_BUCKET = 64
SMALLEST_TABLE = 2048
#: A line of a map: its key and its value.
Pair: TypeAlias = tuple[str, str]


def maps(front: Front) -> str:
    plan, sites = front.plan, front.plan.sites
    secure = [(host, site.tls, site.id) for site in sites if site.tls for host in site.hosts if site.tls.is_on(host)]
    return plan.render(
        "nginx/maps.conf",
        sites=quoted((host, site.id) for site in sites for host in site.hosts),
        canonical=quoted(redirect for site in sites for redirect in redirects(plan, site)),
        sockets=quoted((site.id, site.names.socket) for site in sites if site.names.socket != f"{site.id}.sock"),
        media=quoted(pair for site in sites for pair in media_exceptions(plan, site)),
        media_default=nginx_quote_around(media_folder(plan), "multihost_site", "/media"),
        tls_hosts=quoted((host, "on") for host, _, _ in secure),
        certificates=quoted((host, certificate_path(tls.certificate, host, site)) for host, tls, site in secure),
        keys=quoted((host, certificate_path(tls.key, host, site)) for host, tls, site in secure),
        **told(front),
        **size_patterns(front),
        **rule_maps(front),
    )


def told(front: Front) -> dict[str, str]:
    """Return the variable of a scheme that a proxy in front may tell, where one does."""
    return {"told_scheme": front.visitor_scheme if front.read_header else ""}


def rule_maps(front: Front) -> dict[str, object]:
    """Return what the maps need that the rules of servers ask."""
    closed_sites = [(nginx_quote(key), nginx_quote(state)) for key, state in closed(front.plan)]
    return {
        "acme": bool(front.options.acme),
        "challenge": nginx_quote(url_pattern(CHALLENGES)),
        "closed": closed_sites,
        "files": [nginx_quote(url_pattern(url)) for url in file_urls(front) if url != CHALLENGES],
    }


def certificate_path(path: str, host: str, site: str) -> str:
    return path.format(hostname=host, site=site)


def redirects(plan: Plan, site: SiteSpec) -> Iterator[Pair]:
    origin = plan.platform.origin_of(site.canonical, has_tls=site.has_tls(site.canonical))
    if site.tls and not site.tls.is_on(site.canonical) and plan.platform.scheme == "https":
        origin = f"http://{site.canonical}"
    for host in site.hostnames[1:]:
        yield host, origin


def media_exceptions(plan: Plan, site: SiteSpec) -> Iterator[Pair]:
    """Yield the site's media folder where it is not the usual one; blank for a bucket."""
    path = str(site.storage.path or "")
    if path != f"{media_folder(plan)}{site.id}/media":
        yield site.id, path


def media_folder(plan: Plan) -> str:
    """Return the start of the usual media folders. As text: to make and compare paths takes most of a run's time."""
    return f"{plan.platform.data}/sites/"


def names(plan: Plan, hosts: Iterable[str]) -> str:
    return plan.render("nginx/names.conf", hosts=[nginx_quote(host) for host in hosts])


def hosts_of(sites: Iterable[SiteSpec]) -> list[str]:
    return [host for site in sites for host in site.hosts]


def quoted(pairs: Iterable[Pair]) -> list[Pair]:
    return [(nginx_quote_key(key), nginx_quote(value)) for key, value in pairs]


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
