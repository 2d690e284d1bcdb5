"""
What each site of the fleet must have to itself, as rows that can be compared without reading other sites' records.

:mod:`wagtail_multihost.registry.uniqueness` compares whole registries; these are the same rules for one site against
the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.db import connection

from wagtail_multihost.control.models import HeldName
from wagtail_multihost.registry.claims import UNSHOWN, Claim, site_claims
from wagtail_multihost.registry.servers import normalize_host
from wagtail_multihost.registry.uniqueness import TEST_DATABASE
from wagtail_multihost.spec.cookies import is_bound_to_host, own_cookies, owned_domain
from wagtail_multihost.spec.site import SiteSpec

INDEX_PREFIX, KEY_RANGE, FILE_HOST = "index prefix", "key range", "file host"
HOST = "hostname"
#: The kinds of claims that a site's names are.
NAME_CLAIMS = {
    "database": "database name",
    "role": "role",
    "bucket": "bucket name",
    "key_prefix": "key prefix",
    "index_prefix": INDEX_PREFIX,
    "socket": "socket",
}
#: Sets in which no name may start with another one.
PREFIX_FREE = (INDEX_PREFIX, KEY_RANGE)
#: What a site that is retired keeps: its data may still be there.
KEPT = frozenset(
    {"uid", "bucket name", "key prefix", "socket", "database name", "role", "database", "bucket", *PREFIX_FREE}
)


class Row(NamedTuple):
    """A claim of the site with the uid ``site``."""

    what: str
    name: str
    site: UUID
    key: str


class Clash(NamedTuple):
    """A row and the uid of another site that has what it claims; ``what`` and ``name`` say what that is."""

    row: Row
    owner: UUID
    what: str
    name: str


def rows_of_site(site: SiteSpec) -> tuple[Row, ...]:
    """Return the claims of a site, each once."""
    found = {(claim.what, claim.name): claim for claim in [*reversed([*all_claims(site)])]}
    return tuple(Row(claim.what, claim.name, site.uid, claim.key) for claim in found.values())


def rows_of_names(uid: UUID, names: Mapping[str, str]) -> tuple[Row, ...]:
    """Return what a site that is retired keeps of its ``names``."""
    kept = {what: names[key] for key, what in NAME_CLAIMS.items()}
    kept |= {KEY_RANGE: f"{names['key_prefix']}.", "uid": str(uid)}
    return tuple(Row(what, name, uid, "names") for what, name in kept.items())


def all_claims(site: SiteSpec) -> Iterator[Claim]:
    yield from (claim for claim in site_claims(site) if not claim.name.startswith(UNSHOWN))
    yield Claim(INDEX_PREFIX, site.names.index_prefix, "names")
    yield Claim(KEY_RANGE, f"{site.names.key_prefix}.", "names")
    for key, name in own_cookies(site):
        for domain in () if is_bound_to_host(name) else sorted({owned_domain(host) for host in site.hosts}):
            yield Claim(f"cookie below {domain}", name, key)
    for host in file_hosts(site):
        # Many sites have their files on one server: the uid makes the row its own.
        yield Claim(FILE_HOST, f"{host} {site.uid}", "storage")


def file_hosts(site: SiteSpec) -> tuple[str, ...]:
    """Return the hosts under which a site's files may be served: as another site's hostname one gets cookies."""
    host = urlsplit(site.storage.visited_endpoint).hostname or ""
    return tuple(normalize_host(name) for name in (host, f"{site.storage.bucket}.{host}")) if host else ()


def find_clashes(rows: Sequence[Row], changed: Collection[UUID]) -> list[Clash]:
    """
    Return what the ``rows`` claim and another site has: one of the others in the database, or of the ``rows``
    themselves. Rows in the database of the ``changed`` sites do not count: the ``rows`` are in their place.
    """
    wanted = [*shadows(rows)]
    clashes = [*clashes_within(rows, wanted)]
    by_name: dict[tuple[str, str], list[tuple[Row, str, str]]] = {}
    for row, what, name, said in wanted:
        by_name.setdefault((what, name), []).append((row, said, name))
    for what, name, owner in stored_owners(by_name, changed):
        clashes += [Clash(row, owner, said, shown) for row, said, shown in by_name[what, name]]
    clashes += neighbour_clashes(rows, changed)
    clashes += served_clashes(rows, changed)
    return clashes


def shadows(rows: Iterable[Row]) -> Iterator[tuple[Row, str, str, str]]:
    """Yield what may be no other site's: each row's own claim, and what Django or a file server makes of it."""
    for row in rows:
        yield row, row.what, row.name, row.what
        if row.what == "database":
            # Django makes, and removes, a database of this name when it tests the other site.
            yield row, row.what, f"{TEST_DATABASE}{row.name}", "test database"
            if row.name.startswith(TEST_DATABASE):
                yield row, row.what, row.name.removeprefix(TEST_DATABASE), "test database"
        elif row.what == FILE_HOST:
            yield row, HOST, row.name.partition(" ")[0], HOST


def clashes_within(rows: Sequence[Row], wanted: Iterable[tuple[Row, str, str, str]]) -> Iterator[Clash]:
    """Yield the clashes of several sites that change at once."""
    owners: dict[tuple[str, str], UUID] = {}
    for row in rows:
        owners.setdefault((row.what, row.name), row.site)
    for row, what, name, said in wanted:
        owner = owners.get((what, name), row.site)
        if owner != row.site:
            yield Clash(row, owner, said, name)
    for what in PREFIX_FREE:
        ordered = sorted((row for row in rows if row.what == what), key=lambda row: row.name)
        for first, second in pairwise(ordered):
            if second.site != first.site and second.name.startswith(first.name):
                yield Clash(second, first.site, what, first.name)


def stored_owners(names: Mapping[tuple[str, str], object], changed: Collection[UUID]) -> list[tuple[str, str, UUID]]:
    """Return who has which of the ``names``, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT claim.what, claim.name, claim.site_id FROM control_claim AS claim "
            "JOIN unnest(%s::text[], %s::text[]) AS wanted (what, name) USING (what, name) "
            "WHERE claim.site_id <> ALL(%s::uuid[])",
            [[what for what, _ in names], [name for _, name in names], list(changed)],
        )
        return [*cursor.fetchall()]


def neighbour_clashes(rows: Iterable[Row], changed: Collection[UUID]) -> list[Clash]:
    """
    Return the clashes of prefixes. What is stored is free of them, so that the nearest before and after each say all;
    rows of the ``changed`` sites do not count, and are no neighbours.
    """
    prefixes = [row for row in rows if row.what in PREFIX_FREE]
    if not prefixes:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wanted.at, near.name, near.site_id "
            "FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS wanted (what, name, at) CROSS JOIN LATERAL ("
            "(SELECT name, site_id FROM control_claim WHERE what = wanted.what AND site_id <> ALL(%s::uuid[]) "
            'AND name <= wanted.name COLLATE "C" ORDER BY name DESC LIMIT 1) UNION ALL '
            "(SELECT name, site_id FROM control_claim WHERE what = wanted.what AND site_id <> ALL(%s::uuid[]) "
            'AND name > wanted.name COLLATE "C" ORDER BY name LIMIT 1)) AS near '
            "WHERE near.name <> wanted.name "
            "AND (starts_with(near.name, wanted.name) OR starts_with(wanted.name, near.name))",
            [[row.what for row in prefixes], [row.name for row in prefixes], list(changed), list(changed)],
        )
        found = cursor.fetchall()
    return [Clash(prefixes[at - 1], owner, prefixes[at - 1].what, name) for at, name, owner in found]


def served_clashes(rows: Iterable[Row], changed: Collection[UUID]) -> list[Clash]:
    """Return the hostnames under which another site's files are served."""
    hosts = [row for row in rows if row.what == HOST]
    if not hosts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wanted.at, claim.site_id FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, at) "
            "JOIN control_claim AS claim ON claim.what = %s "
            "AND claim.name >= wanted.name || ' ' AND claim.name < wanted.name || '!' "
            "WHERE claim.site_id <> ALL(%s::uuid[])",
            [[row.name for row in hosts], FILE_HOST, list(changed)],
        )
        return [Clash(hosts[at - 1], owner, HOST, hosts[at - 1].name) for at, owner in cursor.fetchall()]


def store_rows(rows: Sequence[Row], sites: Collection[UUID]) -> None:
    """Make the ``rows`` all that the ``sites`` have."""
    HeldName.objects.filter(site__in=sites).delete()
    if not rows:
        return
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy("COPY control_claim (what, name, site_id, key) FROM STDIN") as copy,
    ):
        # An import writes a hundred thousand.
        for row in rows:
            copy.write_row(row)
