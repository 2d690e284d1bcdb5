"""
What a front server is made of: the specs of all sites as far as they concern it, the nodes that it may ask, and the
certificates that it has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

from wagtail_multihost.emitters.nginx.front import has_certificates
from wagtail_multihost.emitters.nginx.hosts import certificate_path
from wagtail_multihost.emitters.nginx.upstreams import networks_with
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.node.reading import Known, Table
from wagtail_multihost.node.specs import Specs, bounded, read_sites, without_conflicts
from wagtail_multihost.nodeapi.node_states import ACTIVE
from wagtail_multihost.registry.base import problems_by_site
from wagtail_multihost.registry.merging import merge_node_file
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.platform_record import read_platform
from wagtail_multihost.registry.postgres import Reading
from wagtail_multihost.registry.uniqueness import compared_parts, conflict_problems
from wagtail_multihost.spec.identifiers import NODE_LENGTH, is_slug
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.platform import NODE_ADDRESS, PRODUCTION, PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

TLS, CERTIFICATE = "tls", "certificate"
#: Addresses of IPv6 with one of IPv4 in them, to which a kernel or a router may connect: compatible ones (RFC 4291),
#: translated ones (RFC 2765, RFC 6052, RFC 8215), those of Teredo (RFC 4380) and of 6to4 (RFC 3056).
WITH_IPV4 = tuple(map(ip_network, ("::/64", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")))
NOT_AN_ID = "No node has such an id."
NOT_AN_ADDRESS = "it must be an IP address and a port: nginx does not start with a name that it cannot look up"
NOT_ACCEPTED = "it is not in agent.node_networks"
OWN_MACHINE = "it is an address of programs on this machine, or of its own network alone"
IPV4_WITHIN = "it has, or could have, an IPv4 address in it: state that one"
OF_A_FRONT = "it is among the addresses of front servers"


class Nodes(NamedTuple):
    """
    The nodes that a front server may ask: the ``addresses`` of those that are ``active`` or drain, which of them hold
    ``all`` sites, and why some are ``refused``.
    """

    addresses: Mapping[str, str]
    active: frozenset[str]
    all: frozenset[str]
    refused: Mapping[str, str]

    def serving(self, placed: Iterable[str]) -> tuple[str, ...]:
        """
        Return which nodes are asked for a site that is ``placed`` on some: the active ones or, where there is none,
        those that drain.
        """
        own = {*self.all, *placed} & self.addresses.keys()
        return tuple(sorted(own & self.active or own))


def make_front_specs(
    known: Known,
    touched: Iterable[str] | None,
    before: Specs | None,
    node: NodeFile,
    environ: Mapping[str, str],
    settled: Collection[str] = (),
) -> Specs:
    """
    Return the specs of ``known``, without nodes, of which only the ``touched`` sites are read again (None: all). Of two
    sites that share something, as while one is held and the other has got its hostname, the one that has it stays: it
    is known ``before``, or one of the ``settled``. Raises ConfigurationError for a platform that cannot be read.
    """
    wanted = [*known.sites] if touched is None or before is None else [site for site in touched if site in known.sites]
    records = {site: own_record(known.sites[site]["record"], node, site) for site in wanted}
    reading = Reading(known.incarnation, known.revision, own_record(known.platform, node), records)
    record, site_records = merge_node_file(reading, node, environ, reads_secrets=False)
    record.source.needs_platform_key = False
    platform, defaults = read_platform(record)
    if platform is None or any(not problem.site for problem in record.problems):
        raise ConfigurationError([problem for problem in dict.fromkeys(record.problems) if not problem.site])
    read = read_sites(site_records, platform, defaults)
    refused = {site: str(found[0]) for site, found in problems_by_site(record.problems).items() if site}
    kept = {site: spec for site, spec in (before.sites if before else {}).items() if site in known.sites}
    former = {site: why for site, why in (before.refused if before else {}).items() if site in known.sites}
    refused = {**{site: why for site, why in former.items() if site not in wanted}, **refused}
    sites = bounded({**kept, **{site: read[site] for site in read if site not in refused}}, refused, known)
    changed = [site for site in wanted if site not in settled and (before is None or sites.get(site) != kept.get(site))]
    found = Specs(platform, sites, refused)
    if touched is not None and before is not None and not any(has_other_parts(sites, kept, site) for site in changed):
        return found
    try:
        specs = without_conflicts(found, changed, kept, conflicts_of)
    except ConfigurationError:
        # Those that are as they were share something too, as two that were refused before.
        specs = without_conflicts(found, wanted, kept, conflicts_of)
    return specs._replace(sites=bounded(specs.sites, specs.refused, known))


def has_other_parts(sites: Mapping[str, SiteSpec], before: Mapping[str, SiteSpec], site: str) -> bool:
    """Return whether a site has something that another one may have too, and that it had not ``before``."""
    if site not in sites:
        return False
    return site not in before or compared_parts(sites[site]) != compared_parts(before[site])


def conflicts_of(specs: Specs) -> Iterator[Problem]:
    """Yield a problem for whatever two sites share; accounts and folders are on nodes."""
    return conflict_problems(specs.sites.values())


def own_record(record: Mapping[str, object], node: NodeFile, site: str = "") -> dict[str, object]:
    """Return a record without certificates' states where this machine has no certificates at all."""
    stated = (node.platform.get(TLS), node.sites.get(site, {}).get(TLS))
    has_tls = any(isinstance(table, dict) and CERTIFICATE in table for table in stated)
    return {name: value for name, value in record.items() if has_tls or name != TLS}


def read_nodes(rows: Iterable[Table], platform: PlatformSpec, networks: Collection[str]) -> Nodes:
    """Return which of the registered nodes this front server may ask. ``networks`` are those of nodes; none: any."""
    options = platform.options_of(NginxOptions) or NginxOptions()
    distinguishes = platform.environment != PRODUCTION or has_certificates(options)
    fronts = () if distinguishes else options.fronts
    addresses, refused, known = {}, {}, {}
    for row in rows:
        name, address = str(row["id"]), str(row["address"])
        if not is_slug(name) or len(name) > NODE_LENGTH:
            refused[name] = NOT_AN_ID
        elif problem := address_problem(address, networks, fronts):
            refused[name] = f"{address}: {problem}."
        else:
            addresses[name], known[name] = address, row
    return Nodes(
        addresses,
        frozenset(name for name, row in known.items() if row["state"] == ACTIVE),
        frozenset(name for name, row in known.items() if row["holds_all"]),
        refused,
    )


def address_problem(address: str, networks: Collection[str], fronts: Collection[str]) -> str:
    """
    Return why an address that a node states of itself is not asked; blank if it is. nginx would not start with some,
    and others would open what listens on this machine alone to visitors.
    """
    host, _, _ = address.rpartition(":")
    try:
        stated = ip_address(host.strip("[]"))
    except ValueError:
        return NOT_AN_ADDRESS
    # ::ffff:7f00:1 is 127.0.0.1.
    place = (stated.ipv4_mapped if isinstance(stated, IPv6Address) else None) or stated
    if not re.fullmatch(NODE_ADDRESS, address):
        return NOT_AN_ADDRESS
    if networks:
        within = any(place in ip_network(network) for network in networks)
        problem = "" if within else NOT_ACCEPTED
    else:
        is_near = place.is_loopback or place.is_link_local or place.is_unspecified or place.is_multicast
        problem = OWN_MACHINE if is_near else IPV4_WITHIN if any(place in network for network in WITH_IPV4) else ""
    return problem or (OF_A_FRONT if any(networks_with(fronts, {"": str(place)})) else "")


def missing_certificates(sites: Iterable[SiteSpec]) -> dict[str, tuple[str, ...]]:
    """Return the hostnames, by their site, whose certificate or key is not on this machine although it should be."""
    seen: dict[str, bool] = {}
    found = {}
    for site in sites:
        if site.tls is None or not site.enabled:
            continue
        missing = tuple(host for host in site.hosts if site.tls.is_on(host) and not has_files(site, host, seen))
        if missing:
            found[site.id] = missing
    return found


def has_files(site: SiteSpec, host: str, seen: dict[str, bool]) -> bool:
    """Return whether the certificate of a hostname and its key are there; what was looked at is kept in ``seen``."""
    if site.tls is None:
        return False
    paths = [certificate_path(path, host, site.id) for path in (site.tls.certificate, site.tls.key)]
    for path in paths:
        if path not in seen:
            seen[path] = is_filled(path)
    return all(seen[path] for path in paths)


def is_filled(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def without_certificates(site: SiteSpec, missing: Collection[str]) -> SiteSpec:
    """Return the site as if the certificates of these hostnames were still to be issued."""
    if not missing or site.tls is None:
        return site
    return replace(site, tls=replace(site.tls, pending=(*site.tls.pending, *missing)))
