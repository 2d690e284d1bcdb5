"""What no two sites of one registry may share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.claims import Claim, own_keys_of, shared_problem, site_claims
from wagtail_multihost.registry.servers import normalize_host
from wagtail_multihost.spec.cookies import is_bound_to_host, own_cookies, owned_domain
from wagtail_multihost.spec.keys import key_fingerprint
from wagtail_multihost.spec.site import SiteSpec

TEST_DATABASE = "test_"
#: A site with what is compared of it.
Compared: TypeAlias = "tuple[SiteSpec, Parts]"


class Parts(NamedTuple):
    """
    All of a site that is compared with other sites: its ``claims``, the hostnames that its files are visited under, its
    prefixes, and its ``cookies`` by key, name and domain. A site that changes in nothing of that shares no more than
    before.
    """

    claims: tuple[Claim, ...]
    file_hosts: tuple[str, ...]
    index_prefix: str
    key_prefix: str
    cookies: tuple[tuple[str, str, str], ...]


def compared_parts(site: SiteSpec) -> Parts:
    """Return what of a site is compared with other sites."""
    host = urlsplit(site.storage.visited_endpoint).hostname or ""
    return Parts(
        tuple(site_claims(site)),
        tuple(normalize_host(name) for name in ((host, f"{site.storage.bucket}.{host}") if host else ())),
        site.names.index_prefix,
        site.names.key_prefix,
        tuple(
            (key, name, domain)
            for key, name in own_cookies(site)
            for domain in (() if is_bound_to_host(name) else sorted({owned_domain(host) for host in site.hosts}))
        ),
    )


def conflict_problems(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield one problem for each thing that two sites share, naming both."""
    compared = [(site, compared_parts(site)) for site in sites]
    owners: dict[tuple[str, str], SiteSpec] = {}
    tests: list[tuple[SiteSpec, Claim]] = []
    for site, parts in compared:
        for claim in parts.claims:
            owner = owners.setdefault(claim[:2], site)
            if owner is not site:
                yield shared_problem(claim.what, claim.name, owner, site, claim.key)
            if claim.what == "database" and claim.name.startswith(TEST_DATABASE):
                tests.append((site, claim))
    yield from test_database_problems(tests, owners)
    yield from file_host_problems(compared, owners)
    yield from index_prefix_problems(compared)
    yield from key_prefix_problems(compared)
    yield from shared_cookie_problems(compared)


def test_database_problems(
    tests: list[tuple[SiteSpec, Claim]], owners: dict[tuple[str, str], SiteSpec]
) -> Iterator[Problem]:
    """Yield the databases that Django makes, and removes, when it tests another site."""
    for site, claim in tests:
        owner = owners.get(("database", claim.name.removeprefix(TEST_DATABASE)), site)
        if owner is not site:
            yield shared_problem("test database", claim.name, owner, site, claim.key)


def file_host_problems(compared: Iterable[Compared], owners: dict[tuple[str, str], SiteSpec]) -> Iterator[Problem]:
    """Yield hostnames of other sites under which a site's files would be served: scripts in them get those cookies."""
    for site, parts in compared:
        for name in parts.file_hosts:
            owner = owners.get(("hostname", name), site)
            if owner is not site:
                yield shared_problem("hostname", name, owner, site, "storage")


def index_prefix_problems(compared: Iterable[Compared]) -> Iterator[Problem]:
    """Yield the pairs of index prefixes of which one starts with the other: ``a_`` also matches ``a_b_x``."""
    ordered = sorted(compared, key=lambda one: one[1].index_prefix)
    for (first, parts), (second, others) in pairwise(ordered):
        if others.index_prefix.startswith(parts.index_prefix):
            yield shared_problem("index prefix", parts.index_prefix, first, second, "names")


def key_prefix_problems(compared: Iterable[Compared]) -> Iterator[Problem]:
    """Yield the pairs of key prefixes of which one is what the resolver gives a further cache alias of the other."""
    ordered = sorted(compared, key=lambda one: f"{one[1].key_prefix}.")
    for (first, parts), (second, others) in pairwise(ordered):
        if others.key_prefix.startswith(f"{parts.key_prefix}."):
            yield shared_problem("key prefix", parts.key_prefix, first, second, "names")


def shared_cookie_problems(compared: Iterable[Compared]) -> Iterator[Problem]:
    """
    Yield a problem for each cookie name that two sites below one domain state: a cookie of the whole domain, which one
    of them had before, would be the other's too. Those with ``__Host-`` never are.
    """
    owners: dict[tuple[str, str], SiteSpec] = {}
    for site, parts in compared:
        for key, name, domain in parts.cookies:
            owner = owners.setdefault((name, domain), site)
            if owner is not site:
                yield shared_problem(f"cookie below {domain}", name, owner, site, key)


def marks_of(parts: Parts) -> Iterator[str]:
    """
    Yield what stands for all of a site that is compared with others, but for its prefixes: of any two sites that one of
    the rules above finds, one has a mark of the other, or one of the other's ``rival_marks_of``.
    """
    yield from (f"{claim.what} {claim.name}" for claim in parts.claims)
    yield from (f"files at {host}" for host in parts.file_hosts)
    yield from (f"cookie {name} below {domain}" for _, name, domain in parts.cookies)


def rival_marks_of(parts: Parts) -> Iterator[str]:
    """Yield the marks that no other site may have, and that the site may not have itself."""
    yield from (f"hostname {host}" for host in parts.file_hosts)
    for claim in parts.claims:
        if claim.what == "hostname":
            yield f"files at {claim.name}"
        elif claim.what == "database":
            yield f"database {TEST_DATABASE}{claim.name}"
            yield f"database {claim.name.removeprefix(TEST_DATABASE)}"


def prefixes_of(parts: Parts) -> Iterator[str]:
    """Yield the texts of which none may start with one of another site. None of them is a mark too."""
    yield f"indexes below {parts.index_prefix}"
    yield f"keys below {parts.key_prefix}."


def shared_key_problems(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield a problem for every key of its own that two sites have, wherever each of them keeps it."""
    owners: dict[str, SiteSpec] = {}
    for site in sites:
        for name, key in own_keys_of(site):
            owner = owners.setdefault(key_fingerprint(key), site)
            if owner is not site:
                where = site.sources.get(name) or site.sources.get(f"{name}_file", f"sites.{site.id}")
                what = name.replace("_", " ")
                message = f"The sites {owner.id} and {site.id} have the same {what}; each must have its own."
                yield Problem(where, message, site.id, owner.id)
