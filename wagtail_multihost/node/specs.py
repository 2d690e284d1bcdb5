"""Specs of what is known: each site's is made again only when its record, or the platform's, has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem
from wagtail_multihost.node.reading import Known, Table
from wagtail_multihost.registry.accounts import account_problems
from wagtail_multihost.registry.base import problems_by_site
from wagtail_multihost.registry.merging import merge_node_file
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.places import overlap_problems
from wagtail_multihost.registry.platform_record import Defaults, read_platform
from wagtail_multihost.registry.postgres import Reading
from wagtail_multihost.registry.record import Record
from wagtail_multihost.registry.site_record import SiteReader
from wagtail_multihost.registry.uniqueness import conflict_problems
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import STATES, SiteSpec

#: Opens what is sealed to this node: the uid of the site, the field, and the table of the sealing.
Open = Callable[[str, str, Table], str]
NODES, SECRET_KEY = "nodes", "secret_key"
NO_KEY = "It has no secret key yet: none was sealed for this node. multihost-operator seals them."


class Specs(NamedTuple):
    """
    The ``platform`` and the specs of its ``sites``, and why some are ``refused``. A refused site that was good before
    keeps its former spec here, which is never newer than its files.
    """

    platform: PlatformSpec
    sites: Mapping[str, SiteSpec]
    refused: Mapping[str, str]


class Sealed(NamedTuple):
    """What was opened of a site, as a table that is laid over its record, and what could not be."""

    table: dict[str, Any]
    problem: str = ""


def make_specs(
    known: Known,
    touched: Iterable[str] | None,
    before: Specs | None,
    node: NodeFile,
    environ: Mapping[str, str],
    open_sealed: Open,
) -> Specs:
    """
    Return the specs of ``known``, of which only the ``touched`` sites are read again (None: all, as after a change of
    the platform or of the node file). Raises ConfigurationError for a platform that cannot be read.
    """
    wanted = [*known.sites] if touched is None or before is None else [site for site in touched if site in known.sites]
    opened = {site: open_site(known.sites[site], open_sealed) for site in wanted}
    record, site_records = merge_node_file(
        reading_of(known, wanted), with_sealed(node, opened), environ, reads_secrets=True
    )
    record.source.needs_platform_key = False
    platform, defaults = read_platform(record)
    if platform is None or any(not problem.site for problem in record.problems):
        raise ConfigurationError([problem for problem in dict.fromkeys(record.problems) if not problem.site])
    read = read_sites(site_records, platform, defaults)
    problems = {site: [str(one) for one in found] for site, found in problems_by_site(record.problems).items() if site}
    refused = {site: found[0] for site, found in problems.items()}
    for site in wanted:
        if opened[site].problem:
            refused[site] = opened[site].problem
        elif site in read and read[site].secret_key is None:
            refused[site] = NO_KEY
    kept = {site: spec for site, spec in (before.sites if before else {}).items() if site in known.sites}
    sites = {**kept, **{site: spec for site, spec in read.items() if site not in refused}}
    former = {site: why for site, why in (before.refused if before else {}).items() if site in known.sites}
    refused = {**{site: why for site, why in former.items() if site not in wanted}, **refused}
    return without_conflicts(Specs(platform, bounded(sites, refused, known), refused))


def read_sites(records: Iterable[Record], platform: PlatformSpec, defaults: Defaults) -> dict[str, SiteSpec]:
    read = (SiteReader(one, platform, defaults).read() for one in records)
    return {site.id: site for site in read if site is not None}


def reading_of(known: Known, sites: Iterable[str]) -> Reading:
    """Return the records as a registry of all nodes has them: this node's are those that are placed on it."""
    address = known.node["address"]
    own = [known.node["id"]] if address else []
    platform = {**known.platform, NODES: {known.node["id"]: address}} if address else without_nodes(known.platform)
    records = {site: {**without_nodes(known.sites[site]["record"]), **({NODES: own} if own else {})} for site in sites}
    return Reading(known.incarnation, known.revision, platform, records)


def without_nodes(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != NODES}


def open_site(site: Table, open_sealed: Open) -> Sealed:
    """Open everything that is sealed of a site."""
    table: dict[str, Any] = {}
    for field, sealing in sorted(site["sealed"].items()):
        try:
            text = open_sealed(str(site["uid"]), field, sealing)
        except MultihostError as error:
            return Sealed({}, f"{field}: {error}")
        *path, name = field.split(".")
        place = table
        for part in path:
            place = place.setdefault(part, {})
        place[name] = text
    return Sealed(table)


def with_sealed(node: NodeFile, opened: Mapping[str, Sealed]) -> NodeFile:
    """Return the node file with what was opened, as if it stood there: no record may state it too."""
    sites = {**node.sites}
    for site, sealed in opened.items():
        if sealed.table:
            sites[site] = laid_over(sites.get(site, {}), sealed.table)
    return node._replace(sites=sites)


def laid_over(table: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(table)
    for name, value in other.items():
        below = found.get(name)
        found[name] = laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def bounded(sites: Mapping[str, SiteSpec], refused: Mapping[str, str], known: Known) -> dict[str, SiteSpec]:
    """
    Return the specs, those of refused sites within what their records say now, as far as that can be read: a site that
    was disabled is not served again by its former spec, nor is a hostname that it has no more.
    """
    found = dict(sites)
    for site in refused.keys() & sites.keys():
        record, spec = known.sites[site]["record"], sites[site]
        stated = {name for key in ("hostnames", "aliases") for name in names_in(record.get(key))}
        hostnames = tuple(name for name in spec.hostnames if name in stated)
        aliases = tuple(name for name in spec.aliases if name in stated)
        state, enabled = record.get("state", STATES[0]), record.get("enabled", True)
        if enabled is not True or state not in STATES or not hostnames:
            found[site] = replace(spec, enabled=False)
        else:
            found[site] = replace(spec, hostnames=hostnames, aliases=aliases, state=state)
    return found


def names_in(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def without_conflicts(specs: Specs) -> Specs:
    """
    Refuse the sites that share something with another one on this node, those that were read last too: it is not said
    which of them had it first.
    """
    sites = tuple(specs.sites.values())
    problems: list[Problem] = [
        *conflict_problems(sites),
        *account_problems(specs.platform, sites),
        *overlap_problems(specs.platform, sites, ()),
    ]
    if not problems:
        return specs
    found = problems_by_site(problems)
    if "" in found:
        raise ConfigurationError(found[""])
    refused = {**specs.refused, **{site: str(why[0]) for site, why in found.items()}}
    return specs._replace(
        sites={site: spec for site, spec in specs.sites.items() if site not in found}, refused=refused
    )
