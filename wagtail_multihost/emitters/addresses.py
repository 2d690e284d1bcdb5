"""Where the URLs of files in buckets lead browsers, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from wagtail_multihost.emitters.files import Plan, listed
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import WEEK

LOCAL = "localhost"


def signed_seconds(plan: Plan, site: SiteSpec) -> int:
    """Return how long the URLs of a site's files are valid; 0 if they do not expire."""
    if not site.storage.is_signed:
        return 0
    return site.storage.querystring_expire or plan.codebase.signed_seconds


def address_cautions(plan: Plan) -> Iterator[str]:
    """Yield a sentence for each kind of URL that browsers cannot use."""
    signed = [site for site in plan.chosen if site.storage.is_signed]
    yield from unreachable_servers(site for site in signed if site.storage.visited_endpoint)
    if plan.platform.scheme == "https":
        yield from blocked_servers(signed)
    yield from pages_of_the_project(plan, signed)
    yield from pages_in_front(plan, signed)


def unreachable_servers(sites: Iterable[SiteSpec]) -> Iterator[str]:
    """Yield the servers with a name that only their own network knows, such as a container's."""
    for server, own in by_server(sites):
        if is_inside(urlsplit(server).hostname or ""):
            yield (
                f"storage.endpoint: Pages of {listed(own)} refer browsers to {shown(server)} for files, but that name "
                "is only known in its own network. State the address for browsers as public_endpoint."
            )


def blocked_servers(sites: Iterable[SiteSpec]) -> Iterator[str]:
    """Yield the servers from which browsers load nothing into a page that came over https."""
    for server, own in by_server(sites):
        if server.startswith("http://") and not is_inside(urlsplit(server).hostname or ""):
            yield (
                f"storage.endpoint: Pages of {listed(own)} come over https, but their files from {shown(server)} over "
                "http, which browsers block. State an https address as public_endpoint."
            )


def by_server(sites: Iterable[SiteSpec]) -> Iterator[tuple[str, list[SiteSpec]]]:
    """Yield the servers that browsers ask for files, each with its sites."""
    found: dict[str, list[SiteSpec]] = {}
    for site in sites:
        found.setdefault(site.storage.visited_endpoint, []).append(site)
    yield from found.items()


def is_inside(host: str) -> bool:
    """Return whether a name has only one part, so that public DNS does not know it; an IP address is no such name."""
    try:
        ip_address(host)
    except ValueError:
        return "." not in host.rstrip(".") and host != LOCAL
    return False


def pages_of_the_project(plan: Plan, signed: Iterable[SiteSpec]) -> Iterator[str]:
    """Yield the sites whose pages the project keeps for longer than the URLs in them are valid."""
    kept = plan.codebase.page_seconds
    for seconds, own in by_seconds(plan, signed):
        if kept and kept + plan.request_seconds() > seconds:
            yield (
                f"The project keeps pages for {kept} seconds (UpdateCacheMiddleware), but the URLs of files in pages "
                f"of {listed(own)} expire after {seconds} seconds: visitors see broken images. State a longer "
                f"querystring_expire in the storage (at most {WEEK}), or keep pages for a shorter time."
            )


def pages_in_front(plan: Plan, signed: Iterable[SiteSpec]) -> Iterator[str]:
    """Yield the sites with a cache in front for which nobody has decided how long URLs are valid."""
    asked = [site for site in signed if site.frontend is not None and not site.storage.querystring_expire]
    for seconds, own in by_seconds(plan, asked):
        yield (
            f"The cache in front of {listed(own)} keeps pages for as long as its own settings and their Cache-Control "
            f"(s-maxage, max-age) say, but the URLs of files in them expire after {seconds} seconds. State a "
            "querystring_expire in the storage that is longer than pages are kept there, or give the storage a domain."
        )


def by_seconds(plan: Plan, sites: Iterable[SiteSpec]) -> Iterator[tuple[int, list[SiteSpec]]]:
    """Yield after how many seconds URLs expire, each with its sites."""
    found: dict[int, list[SiteSpec]] = {}
    for site in sites:
        found.setdefault(signed_seconds(plan, site), []).append(site)
    yield from sorted(found.items())
