"""What no two sites of one registry may share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import pairwise

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec


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


def claims(site: SiteSpec) -> Iterator[tuple[str, Hashable]]:
    names, database, storage = site.names, site.database, site.storage
    yield "uid", str(site.uid)
    yield from (("hostname", hostname) for hostname in site.hosts)
    yield from (("bucket name", names.bucket), ("key prefix", names.key_prefix), ("socket", names.socket))
    yield from (("database name", names.database), ("role", names.role))
    if database.engine == "sqlite":
        yield "file", str(database.path)
    else:
        yield "database", f"{database.name} on {database.host}:{database.port}"
        yield "database user", f"{database.user} on {database.host}:{database.port}"
    if storage.backend == "files":
        yield "file", str(storage.path)
    else:
        yield "bucket", f"{storage.bucket} at {storage.endpoint.rstrip('/') or 'S3'}"


def overlapping_prefixes(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield the pairs of index prefixes of which one starts with the other: ``a_`` also matches ``a_b_x``."""
    ordered = sorted(sites, key=lambda site: site.names.index_prefix)
    for first, second in pairwise(ordered):
        if second.names.index_prefix.startswith(first.names.index_prefix):
            yield shared("index prefix", first.names.index_prefix, first, second)


def shared(what: str, value: Hashable, first: SiteSpec, second: SiteSpec) -> Problem:
    return Problem(
        second.sources.get("hostnames" if what == "hostname" else "", f"sites.{second.id}"),
        f"The {what} {shown(value)} belongs to the sites {first.id} and {second.id}; each must have its own.",
        second.id,
    )
