"""The maps from a host to its site, certificate and files, and the sizes of their hashes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.nginx.linked_folders import folder_of_uploads
from wagtail_multihost.emitters.nginx.rules import closed_keys, file_urls, url_pattern
from wagtail_multihost.emitters.nginx.sizes import size_pattern_values
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_around, nginx_quote_key
from wagtail_multihost.spec.codebase import CHALLENGES
from wagtail_multihost.spec.site import SiteSpec

# nginx's defaults (http://nginx.org/en/docs/http/ngx_http_map_module.html, …/ngx_http_core_module.html).
SMALLEST_BUCKET = 64
SMALLEST_TABLE = 2048
#: A line of a map: its key and its value.
Pair: TypeAlias = tuple[str, str]


def render_maps(front: Front) -> str:
    plan, sites = front.plan, front.plan.sites
    secure = [(host, site.tls, site.id) for site in sites if site.tls for host in site.hosts if site.tls.is_on(host)]
    return plan.render(
        "nginx/maps.conf",
        sites=quote_pairs((host, site.id) for site in sites for host in site.hosts),
        canonical=quote_pairs(redirect for site in sites for redirect in redirect_pairs(plan, site)),
        sockets=quote_pairs((site.id, site.names.socket) for site in sites if site.names.socket != f"{site.id}.sock"),
        media=quote_pairs(pair for site in sites for pair in media_exceptions(plan, site)),
        media_default=nginx_quote_around(media_folder_prefix(plan), "multihost_site", "/media"),
        tls_hosts=quote_pairs((host, "on") for host, _, _ in secure),
        certificates=quote_pairs((host, certificate_path(tls.certificate, host, site)) for host, tls, site in secure),
        keys=quote_pairs((host, certificate_path(tls.key, host, site)) for host, tls, site in secure),
        **scheme_values(front),
        **size_pattern_values(front),
        **rule_values(front),
    )


def scheme_values(front: Front) -> dict[str, str]:
    """Return the variable with the scheme that a proxy in front states, if any."""
    return {"told_scheme": front.visitor_scheme if front.read_header else ""}


def rule_values(front: Front) -> dict[str, object]:
    """Return the values for the maps that the rules of servers use."""
    closed_sites = [(nginx_quote(key), nginx_quote(state)) for key, state in closed_keys(front.plan)]
    return {
        "acme": bool(front.options.acme),
        "challenge": nginx_quote(url_pattern(CHALLENGES)),
        "closed": closed_sites,
        "files": [nginx_quote(url_pattern(url)) for url in file_urls(front) if url != CHALLENGES],
    }


def certificate_path(path: str, host: str, site: str) -> str:
    return path.format(hostname=host, site=site)


def redirect_pairs(plan: Plan, site: SiteSpec) -> Iterator[Pair]:
    origin = plan.platform.origin_of(site.canonical, has_tls=site.has_tls(site.canonical))
    if site.tls and not site.tls.is_on(site.canonical) and plan.platform.scheme == "https":
        origin = f"http://{site.canonical}"
    for host in site.hostnames[1:]:
        yield host, origin


def media_exceptions(plan: Plan, site: SiteSpec) -> Iterator[Pair]:
    """Yield the site's media folder if it is not the usual one; blank for a bucket."""
    if str(site.storage.path or "") != f"{media_folder_prefix(plan)}{site.id}/media":
        yield site.id, folder_of_uploads(plan, site)


def media_folder_prefix(plan: Plan) -> str:
    """Return the start of the usual media folders, as text: Path objects would take most of a run's time."""
    return f"{plan.platform.data}/sites/"


def render_names(plan: Plan, hosts: Iterable[str]) -> str:
    return plan.render("nginx/names.conf", hosts=[nginx_quote(host) for host in hosts])


def hosts_of(sites: Iterable[SiteSpec]) -> list[str]:
    return [host for site in sites for host in site.hosts]


def quote_pairs(pairs: Iterable[Pair]) -> list[Pair]:
    return [(nginx_quote_key(key), nginx_quote(value)) for key, value in pairs]


def bucket_size(hosts: Iterable[str]) -> int:
    """
    Return the hash bucket size, in bytes, that the longest of ``hosts`` needs.

    An element takes a pointer, a length and the name, aligned to 8 bytes, and the bucket has an end mark
    (ngx_hash.c, NGX_HASH_ELT_SIZE); a cache line is 64 bytes.
    """
    longest = max((len(host) for host in hosts), default=0)
    return power_of_two(16 + -(-(longest + 2) // 8) * 8, at_least=SMALLEST_BUCKET)


def table_size(hosts: Iterable[str]) -> int:
    """Return the largest number of buckets that nginx may try: a power of two, at least the bytes of all names."""
    return power_of_two(sum(len(host) for host in hosts), at_least=SMALLEST_TABLE)


def power_of_two(value: int, *, at_least: int) -> int:
    return max(at_least, 1 << max(0, value - 1).bit_length())
