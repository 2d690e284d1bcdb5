"""What no two sites of one registry may share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

HOME = "folder"
CLAIMED = {"database", "storage"}


def conflicts(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield one problem for each thing that two sites share, naming both."""
    sites = tuple(sites)
    owners: dict[tuple[str, Hashable], SiteSpec] = {}
    for site in sites:
        for what, value in claims(site):
            owner = owners.setdefault((what, value), site)
            if owner is not site:
                yield shared(what, value, owner, site)
    yield from overlapping_prefixes(sites)
    yield from overlapping_key_prefixes(sites)


def claims(site: SiteSpec) -> Iterator[tuple[str, Hashable]]:
    names, database, storage = site.names, site.database, site.storage
    yield "uid", str(site.uid)
    yield from (("hostname", hostname) for hostname in site.hosts)
    yield from (("bucket name", names.bucket), ("key prefix", names.key_prefix), ("socket", names.socket))
    yield from (("database name", names.database), ("role", names.role))
    if database.engine == "sqlite":
        yield "file", str(database.path)
    else:
        server = f"{database.host.lower().rstrip('/')}:{database.port}"
        yield "database", f"{database.name} on {server}"
        yield "database user", f"{database.user} on {server}"
    if storage.backend == "files":
        yield "file", str(storage.path)
    else:
        yield "bucket", f"{storage.bucket} at {storage.endpoint.lower().rstrip('/') or 'S3'}"
        if storage.domain:
            yield "hostname", storage.domain


def overlapping_prefixes(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield the pairs of index prefixes of which one starts with the other: ``a_`` also matches ``a_b_x``."""
    ordered = sorted(sites, key=lambda site: site.names.index_prefix)
    for first, second in pairwise(ordered):
        if second.names.index_prefix.startswith(first.names.index_prefix):
            yield shared("index prefix", first.names.index_prefix, first, second)


def overlapping_key_prefixes(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield the pairs of key prefixes of which one is what the resolver gives a further cache alias of the other."""
    ordered = sorted(sites, key=lambda site: f"{site.names.key_prefix}.")
    for first, second in pairwise(ordered):
        if second.names.key_prefix.startswith(f"{first.names.key_prefix}."):
            yield shared("key prefix", first.names.key_prefix, first, second)


class Place(NamedTuple):
    """A path, with a slash at its end, that belongs to a site, or to the platform; a ``home`` may hold its own."""

    path: str
    what: str
    site: SiteSpec | None


def overlapping_folders(platform: PlatformSpec, sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """
    Yield a problem for every local file or folder that lies in a folder which is not its own site's: what is
    in a folder of uploads is served to everyone, and a site may do what it likes in a folder of its own.
    """
    above: list[Place] = []
    for place in sorted(places(platform, sites), key=lambda place: place.path):
        while above and not place.path.startswith(above[-1].path):
            above.pop()
        outer = next((outer for outer in above if outer.what != HOME or outer.site is not place.site), None)
        # One path for two sites' files is found among the claims.
        if outer is not None and not (outer.path == place.path and {outer.what, place.what} <= CLAIMED):
            yield inside(place, outer)
        above.append(place)


def places(platform: PlatformSpec, sites: Iterable[SiteSpec]) -> Iterator[Place]:
    yield Place(f"{platform.data}/platform.key/", "platform's key", None)
    homes = platform.data / "sites"
    for site in sites:
        yield Place(f"{homes}/{site.id}/", HOME, site)
        if site.database.path is not None:
            yield Place(f"{site.database.path}/", "database", site)
        if site.storage.path is not None:
            yield Place(f"{site.storage.path}/", "storage", site)


def inside(place: Place, outer: Place) -> Problem:
    site = place.site or outer.site
    owners = [owner.id if owner else "the platform" for owner in (place.site, outer.site)]
    name = site.id if site else ""
    return Problem(
        f"sites.{name}",
        f"The {place.what} {shown(place.path[:-1])} of {owners[0]} lies in the {outer.what} of {owners[1]}, "
        f"{shown(outer.path[:-1])}; each must have a place of its own.",
        name,
    )


def shared(what: str, value: Hashable, first: SiteSpec, second: SiteSpec) -> Problem:
    return Problem(
        second.sources.get("hostnames" if what == "hostname" else "", f"sites.{second.id}"),
        f"The {what} {shown(value)} belongs to the sites {first.id} and {second.id}; each must have its own.",
        second.id,
    )
