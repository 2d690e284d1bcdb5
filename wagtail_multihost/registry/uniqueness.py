"""What no two sites of one registry may share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from urllib.parse import urlsplit

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.claims import Claim, shared_problem, site_claims
from wagtail_multihost.registry.servers import normalize_host
from wagtail_multihost.spec.cookies import is_bound_to_host, own_cookies, owned_domain
from wagtail_multihost.spec.keys import key_fingerprint
from wagtail_multihost.spec.site import SiteSpec

TEST_DATABASE = "test_"


def conflict_problems(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield one problem for each thing that two sites share, naming both."""
    sites = tuple(sites)
    owners: dict[tuple[str, str], SiteSpec] = {}
    tests: list[tuple[SiteSpec, Claim]] = []
    for site in sites:
        for claim in site_claims(site):
            owner = owners.setdefault(claim[:2], site)
            if owner is not site:
                yield shared_problem(claim.what, claim.name, owner, site, claim.key)
            if claim.what == "database" and claim.name.startswith(TEST_DATABASE):
                tests.append((site, claim))
    yield from test_database_problems(tests, owners)
    yield from file_host_problems(sites, owners)
    yield from index_prefix_problems(sites)
    yield from key_prefix_problems(sites)
    yield from shared_cookie_problems(sites)


def test_database_problems(
    tests: list[tuple[SiteSpec, Claim]], owners: dict[tuple[str, str], SiteSpec]
) -> Iterator[Problem]:
    """Yield the databases that Django makes, and removes, when it tests another site."""
    for site, claim in tests:
        owner = owners.get(("database", claim.name.removeprefix(TEST_DATABASE)), site)
        if owner is not site:
            yield shared_problem("test database", claim.name, owner, site, claim.key)


def file_host_problems(sites: Iterable[SiteSpec], owners: dict[tuple[str, str], SiteSpec]) -> Iterator[Problem]:
    """Yield hostnames of other sites under which a site's files would be served: scripts in them get those cookies."""
    for site in sites:
        host = urlsplit(site.storage.visited_endpoint).hostname or ""
        for name in (host, f"{site.storage.bucket}.{host}") if host else ():
            owner = owners.get(("hostname", normalize_host(name)), site)
            if owner is not site:
                yield shared_problem("hostname", normalize_host(name), owner, site, "storage")


def index_prefix_problems(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield the pairs of index prefixes of which one starts with the other: ``a_`` also matches ``a_b_x``."""
    ordered = sorted(sites, key=lambda site: site.names.index_prefix)
    for first, second in pairwise(ordered):
        if second.names.index_prefix.startswith(first.names.index_prefix):
            yield shared_problem("index prefix", first.names.index_prefix, first, second, "names")


def key_prefix_problems(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield the pairs of key prefixes of which one is what the resolver gives a further cache alias of the other."""
    ordered = sorted(sites, key=lambda site: f"{site.names.key_prefix}.")
    for first, second in pairwise(ordered):
        if second.names.key_prefix.startswith(f"{first.names.key_prefix}."):
            yield shared_problem("key prefix", first.names.key_prefix, first, second, "names")


def shared_cookie_problems(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """
    Yield a problem for each cookie name that two sites below one domain state: a cookie of the whole domain, which one
    of them had before, would be the other's too. Those with ``__Host-`` never are.
    """
    owners: dict[tuple[str, str], SiteSpec] = {}
    for site in sites:
        for key, name in own_cookies(site):
            for domain in () if is_bound_to_host(name) else sorted({owned_domain(host) for host in site.hosts}):
                owner = owners.setdefault((name, domain), site)
                if owner is not site:
                    yield shared_problem(f"cookie below {domain}", name, owner, site, key)


def shared_key_problems(sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield a problem for every secret key that two sites have, wherever each of them keeps it."""
    owners: dict[str, SiteSpec] = {}
    for site in sites:
        for key in (site.secret_key, *site.secret_key_fallbacks):
            owner = owners.setdefault(key_fingerprint(key), site) if key else site
            if owner is not site:
                where = site.sources.get("secret_key") or site.sources.get("secret_key_file", f"sites.{site.id}")
                message = f"The sites {owner.id} and {site.id} have the same secret key; each must have its own."
                yield Problem(where, message, site.id, owner.id)
