"""Whether visitors use https, and who ensures it: the front server that the registry describes, or Django."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from wagtail_multihost.production import ProductionFinding
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

MOST_SHOWN = 3


class Transport(NamedTuple):
    """
    What Django does: ``redirects`` to https (SECURE_SSL_REDIRECT), states HSTS for ``hsts`` seconds
    (SECURE_HSTS_SECONDS), and learns from a header which scheme the visitor uses (SECURE_PROXY_SSL_HEADER).
    """

    redirects: bool
    hsts: int
    has_header: bool


def plain_findings(platform: PlatformSpec, sites: Iterable[SiteSpec]) -> Iterator[ProductionFinding]:
    """Yield the hostnames that are served over http."""
    found = [host for site in sites for host in site.hosts if is_plain_http(platform, site, host)]
    if found:
        yield ProductionFinding(
            f"Visitors use http at {list_hosts(found)}: others on the network can read passwords and session cookies.",
            "Set tls for the site or the platform, or https in platform.origin if something in front terminates TLS.",
        )


def redirect_findings(
    platform: PlatformSpec, sites: Iterable[SiteSpec], django: Transport
) -> Iterator[ProductionFinding]:
    """Yield the hostnames on https to which nothing redirects visitors; where the registry has ``tls``, nginx does."""
    found = [site.canonical for site in sites if has_tls_elsewhere(platform, site)]
    if found and not django.redirects:
        yield ProductionFinding(
            f"Nothing in this platform redirects http to https at {list_hosts(found)}: the registry has no tls there, "
            "and SECURE_SSL_REDIRECT is false.",
            "Set tls and let the emitted front server redirect, or set SECURE_SSL_REDIRECT = True. If your own proxy "
            "redirects, silence this check.",
        )


def scheme_findings(
    platform: PlatformSpec, sites: Iterable[SiteSpec], django: Transport
) -> Iterator[ProductionFinding]:
    """Yield the hostnames on https for which Django believes that visitors use http."""
    found = [site.canonical for site in sites if has_tls_elsewhere(platform, site)]
    if found and not (django.has_header or platform.secure_proxy_ssl_header):
        yield ProductionFinding(
            f"Something in front of this platform terminates TLS at {list_hosts(found)}, and nothing tells Django that "
            "visitors use https: it sends no HSTS, and with SECURE_SSL_REDIRECT it redirects in a loop.",
            "Set secure_proxy_ssl_header in [platform], and have the proxy set that header whatever visitors send.",
        )


def hsts_findings(platform: PlatformSpec, sites: Iterable[SiteSpec], django: Transport) -> Iterator[ProductionFinding]:
    """Yield the hostnames on https that browsers may still ask over http; the emitted front server adds no HSTS."""
    found = [site.canonical for site in sites if not is_plain_http(platform, site, site.canonical)]
    if found and not django.hsts:
        yield ProductionFinding(
            f"SECURE_HSTS_SECONDS is 0, and the front server adds no HSTS: at {list_hosts(found)} the first request of "
            "each visit may go over http.",
            "Set SECURE_HSTS_SECONDS = 3600 in the settings for production, and 31536000 once everything works over "
            "https.",
        )


def is_plain_http(platform: PlatformSpec, site: SiteSpec, host: str) -> bool:
    """Return whether visitors of ``host`` use http; a name in ``tls.pending`` has no certificate yet."""
    is_pending = site.tls is not None and host in site.tls.pending
    return is_pending or platform.origin_of(host, has_tls=site.has_tls(host)).startswith("http:")


def has_tls_elsewhere(platform: PlatformSpec, site: SiteSpec) -> bool:
    """Return whether a site uses https that the front server of the registry does not provide."""
    return not site.has_tls(site.canonical) and not is_plain_http(platform, site, site.canonical)


def list_hosts(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - MOST_SHOWN} more" if len(hosts) > MOST_SHOWN else ""
    return f"{', '.join(hosts[:MOST_SHOWN])}{more}"
