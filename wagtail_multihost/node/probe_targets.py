"""What the monitor beside the agent asks: each hostname of each site that this node serves, with its public key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wagtail_multihost.node.site_commands import codebase_of
from wagtail_multihost.nodeapi.probe_files import MOST_HOSTNAMES, SCHEMES, Target
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

READY = "ready"


def list_targets(platform: PlatformSpec, sites: Iterable[SiteSpec], codebase: Codebase) -> list[Target]:
    """Return what to ask of the enabled ones of the sites, of each its canonical hostname first."""
    found: list[Target] = []
    for site in sorted(sites, key=lambda site: site.id):
        if site.enabled:
            found += targets_of(platform, site, codebase)
    return found[:MOST_HOSTNAMES]


def targets_of(platform: PlatformSpec, site: SiteSpec, codebase: Codebase) -> Iterator[Target]:
    canonical, *others = site.hostnames
    key, path = public_key_of(site), f"{codebase_of(site, codebase).health_prefix}{READY}"
    for name, leads_to in (
        (canonical, ""),
        *((other, canonical) for other in others),
        *((x, "") for x in site.aliases),
    ):
        is_https = site.has_tls(name) if site.tls is not None else platform.scheme == SCHEMES[0]
        scheme = SCHEMES[0] if is_https else SCHEMES[1]
        yield Target(name, site.id, site.uid, key, site.state, leads_to, scheme, path)


def public_key_of(site: SiteSpec) -> bytes:
    """Return the public part of a site's probe key; nothing where it has none."""
    private = getattr(site, "probe_key", None)
    if private is None:
        return b""
    from wagtail_multihost.spec.proofs import public_probe_key

    return public_probe_key(private)
