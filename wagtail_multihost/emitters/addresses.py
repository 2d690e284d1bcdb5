"""Where the addresses of files in buckets lead browsers, and for how long."""

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
    """Return how long the addresses of a site's files are valid; 0 where they do not expire."""
    if not site.storage.is_signed:
        return 0
    return site.storage.querystring_expire or plan.codebase.signed_seconds


def address_cautions(plan: Plan) -> Iterator[str]:
    """Yield a sentence for each kind of addresses that browsers cannot use."""
    signed = [site for site in plan.chosen if site.storage.is_signed]
    yield from unreachable(site for site in signed if site.storage.visited_endpoint)
    if plan.platform.scheme == "https":
        yield from blocked(signed)
    yield from kept_by_the_project(plan, signed)
    yield from kept_in_front(plan, signed)


def unreachable(sites: Iterable[SiteSpec]) -> Iterator[str]:
    """Yield the servers whose name nobody outside of their network knows, such as that of a container."""
    for server, own in by_server(sites):
        if is_inside(urlsplit(server).hostname or ""):
            yield (
                f"storage.endpoint: Pages of {listed(own)} lead browsers to {shown(server)} for files, and that name "
                "is known in its own network alone. State the address for browsers as public_endpoint."
            )


def blocked(sites: Iterable[SiteSpec]) -> Iterator[str]:
    """Yield the servers that browsers do not ask from a page that came over https."""
    for server, own in by_server(sites):
        if server.startswith("http://") and not is_inside(urlsplit(server).hostname or ""):
            yield (
                f"storage.endpoint: Pages of {listed(own)} come over https, and their files from {shown(server)} over "
                "http, which browsers refuse. State an address with https as public_endpoint."
            )


def by_server(sites: Iterable[SiteSpec]) -> Iterator[tuple[str, list[SiteSpec]]]:
    """Yield the servers that browsers ask for files, with the sites."""
    found: dict[str, list[SiteSpec]] = {}
    for site in sites:
        found.setdefault(site.storage.visited_endpoint, []).append(site)
    yield from found.items()


def is_inside(host: str) -> bool:
    """Return whether a name has one part only, so that no public server of names has it. Addresses have none."""
    try:
        ip_address(host)
    except ValueError:
        return "." not in host.rstrip(".") and host != LOCAL
    return False


def kept_by_the_project(plan: Plan, signed: Iterable[SiteSpec]) -> Iterator[str]:
    """Yield the sites whose pages the project keeps for longer than the addresses in them are valid."""
    kept = plan.codebase.page_seconds
    for seconds, own in by_seconds(plan, signed):
        if kept and kept + plan.request_seconds() > seconds:
            yield (
                f"The project keeps pages for {kept} seconds (UpdateCacheMiddleware), and addresses of files in pages "
                f"of {listed(own)} expire after {seconds}: later visitors see no images. State a longer "
                f"querystring_expire in the storage (at most {WEEK}), or keep pages for less time."
            )


def kept_in_front(plan: Plan, signed: Iterable[SiteSpec]) -> Iterator[str]:
    """Yield the sites with a cache in front, for which nobody has decided how long addresses are valid."""
    asked = [site for site in signed if site.frontend is not None and not site.storage.querystring_expire]
    for seconds, own in by_seconds(plan, asked):
        yield (
            f"The cache in front of {listed(own)} keeps pages for as long as it and their Cache-Control (s-maxage, "
            f"max-age) say, and addresses of files in them expire after {seconds} seconds. State querystring_expire in "
            "the storage, longer than pages are kept there, or give the storage a domain."
        )


def by_seconds(plan: Plan, sites: Iterable[SiteSpec]) -> Iterator[tuple[int, list[SiteSpec]]]:
    """Yield after how many seconds addresses expire, with the sites."""
    found: dict[int, list[SiteSpec]] = {}
    for site in sites:
        found.setdefault(signed_seconds(plan, site), []).append(site)
    yield from sorted(found.items())
