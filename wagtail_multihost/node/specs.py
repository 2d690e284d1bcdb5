"""Specs of what is known: each site's is made again only when its record, or the platform's, has changed."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem
from wagtail_multihost.node.opening import is_secret, sealed_paths, value_of, without_references
from wagtail_multihost.node.reading import Known, Table
from wagtail_multihost.nodeapi.operator_v1 import OWN_KEYS
from wagtail_multihost.registry.accounts import NOT_ROOT, SITE, account_problems, platform_label
from wagtail_multihost.registry.base import problems_by_site
from wagtail_multihost.registry.merging import merge_node_file
from wagtail_multihost.registry.neighbours import Neighbours
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.node_keys import SITES
from wagtail_multihost.registry.places import overlap_problems
from wagtail_multihost.registry.platform_key import DEVELOPMENT
from wagtail_multihost.registry.platform_record import Defaults, read_platform
from wagtail_multihost.registry.postgres import Reading
from wagtail_multihost.registry.record import Record
from wagtail_multihost.registry.site_record import SiteReader
from wagtail_multihost.registry.typed import dotted
from wagtail_multihost.registry.uniqueness import conflict_problems
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.site import STATES, SiteSpec

#: Opens what is sealed to this node: the uid of the site, the field, and the table of the sealing.
Open = Callable[[str, str, Table], str]
NODES, ORIGIN = "nodes", "origin"
NOT_SEALABLE = "It is no secret, so it cannot be sealed."
NO_KEY = "It has no secret key yet: none was sealed for this node. multihost-operator seals them."


class Development(NamedTuple):
    """
    What is only for a machine on which all sites run as one account, in development: they may have keys of the
    platform's, and their ``origin`` takes the place of the platform's unless it is blank.
    """

    origin: str = ""
    is_here: bool = True


NOT_DEVELOPMENT = Development(is_here=False)


class Specs(NamedTuple):
    """
    The ``platform`` and the specs of its ``sites``, and why some are ``refused``. A refused site that was good before
    keeps its former spec here, which is never newer than its files.
    """

    platform: PlatformSpec
    sites: Mapping[str, SiteSpec]
    refused: Mapping[str, str]


FindProblems = Callable[[Specs], Iterable[Problem]]


class Sealed(NamedTuple):
    """What was opened of a site, as a table that is laid over its record, and what could not be."""

    table: dict[str, Any]
    problem: str = ""


def make_specs(
    known: Known,
    touched: Iterable[str] | None,
    former: Mapping[str, SiteSpec],
    why: Mapping[str, str],
    node: NodeFile,
    environ: Mapping[str, str],
    open_sealed: Open,
    development: Development = NOT_DEVELOPMENT,
    neighbours: Neighbours | None = None,
) -> Specs:
    """
    Return the specs of ``known``, of which only the ``touched`` sites are read again (None: all, as after a change of
    the platform or of the node file). The others keep their ``former`` specs, and the reasons ``why`` they were
    refused. With ``neighbours``, these were compared with one another before, under the same platform, and the touched
    ones are compared with those that they could share something with. Raises ConfigurationError for a platform that
    cannot be read.
    """
    if development.origin:
        known = known._replace(platform={**known.platform, ORIGIN: development.origin})
    wanted = [*known.sites] if touched is None else [site for site in touched if site in known.sites]
    opened = {site: open_site(known.sites[site], open_sealed) for site in wanted}
    record, site_records = merge_node_file(
        reading_of(known, wanted), with_sealed(node, opened), environ, reads_secrets=True
    )
    record.source.needs_platform_key = False
    platform, defaults = read_platform(record)
    if platform is None or any(not problem.site for problem in record.problems):
        raise ConfigurationError([problem for problem in dict.fromkeys(record.problems) if not problem.site])
    read = read_sites(site_records, platform, defaults)
    roots = list(root_problems(platform, read.values()))
    if any(not problem.site for problem in roots):
        raise ConfigurationError(roots)
    found = problems_by_site([*record.problems, *roots])
    refused = {
        site: str(with_true_source(problems[0], site, opened.get(site), node))
        for site, problems in found.items()
        if site
    }
    for site in wanted:
        if opened[site].problem:
            refused[site] = opened[site].problem
        elif site in read and read[site].secret_key is None and not has_platform_key(platform, development):
            refused[site] = NO_KEY
    kept = {site: spec for site, spec in former.items() if site in known.sites}
    sites = {**kept, **{site: spec for site, spec in read.items() if site not in refused}}
    read_now = set(wanted)
    refused = {**{site: why[site] for site in why if site in known.sites and site not in read_now}, **refused}
    specs = Specs(platform, bounded(sites, refused, known), refused)
    specs = without_conflicts(specs, wanted, kept, lambda found: shared_problems(near(found, wanted, neighbours)))
    return specs._replace(sites=bounded(specs.sites, specs.refused, known))


def make_standing(standing: Known, node: NodeFile, environ: Mapping[str, str]) -> dict[str, SiteSpec]:
    """
    Return the specs of what is in use, as far as they can be read, without secrets: servers' files need none. So a site
    that is refused goes on as it was, after a start of the agent too.
    """
    record, site_records = merge_node_file(reading_of(standing, standing.sites), node, environ, reads_secrets=False)
    record.source.needs_platform_key = False
    platform, defaults = read_platform(record)
    if platform is None:
        return {}
    read = read_sites(site_records, platform, defaults)
    found = problems_by_site(record.problems)
    return {site: spec for site, spec in read.items() if site not in found}


def has_platform_key(platform: PlatformSpec, development: Development) -> bool:
    """Return whether sites' keys may be derived here: no node of a fleet may have the key that opens all sites."""
    return development.is_here and platform.environment == DEVELOPMENT and bool(platform.keyring)


def read_sites(records: Iterable[Record], platform: PlatformSpec, defaults: Defaults) -> dict[str, SiteSpec]:
    read = (SiteReader(one, platform, defaults).read() for one in records)
    return {site.id: site for site in read if site is not None}


def reading_of(known: Known, sites: Iterable[str]) -> Reading:
    """Return the records as a registry of all nodes has them: this node's are those that are placed on it."""
    address = known.node["address"]
    own = [known.node["id"]] if address else []
    platform = {**known.platform, NODES: {known.node["id"]: address}} if address else without_nodes(known.platform)
    records = {
        site: {**without_references(without_nodes(record_of(known.sites[site]))), **({NODES: own} if own else {})}
        for site in sites
    }
    return Reading(known.incarnation, known.revision, platform, records)


def record_of(table: Table) -> Mapping[str, Any]:
    """Return the record of a site; a blank one, which is refused, for something else than a table."""
    record = table["record"]
    return record if isinstance(record, dict) else {}


def without_nodes(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != NODES}


def open_site(site: Table, open_sealed: Open) -> Sealed:
    """Open what is sealed of a site and takes effect: its keys, and what its record refers to."""
    table: dict[str, Any] = {}
    wanted = set(sealed_paths(record_of(site)))
    if missing := sorted(wanted - site["sealed"].keys()):
        return Sealed(
            {}, f"{one_line(missing[0])}: It refers to what is sealed, and nothing was sealed for this node yet."
        )
    for field, sealing in sorted(site["sealed"].items()):
        if not is_secret(field):
            return Sealed({}, f"{one_line(field)}: {NOT_SEALABLE}")
        if field not in wanted and field not in OWN_KEYS:
            continue
        try:
            value = value_of(field, open_sealed(str(site["uid"]), field, sealing))
        except MultihostError as error:
            return Sealed({}, f"{one_line(field)}: {error}")
        *path, name = field.split(".")
        place = table
        for part in path:
            place = place.setdefault(part, {})
        place[name] = value
    return Sealed(table)


def with_true_source(problem: Problem, site: str, sealed: Sealed | None, node: NodeFile) -> Problem:
    """Return a problem of a sealed secret as one of that, not of the node file that it is laid over."""
    for field in paths_in(sealed.table) if sealed else ():
        if problem.where == f"{node.label}: {SITES}.{dotted((site,))}.{field}":
            return problem._replace(where=f"Site {site}: {field}, as it is sealed", file="", line=0)
    return problem


def paths_in(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from paths_in(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


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
        record, spec = record_of(known.sites[site]), sites[site]
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


def without_conflicts(
    specs: Specs, wanted: Collection[str], former: Mapping[str, SiteSpec], find_problems: FindProblems
) -> Specs:
    """
    Refuse those of the ``wanted`` sites, which were read just now, that share something with another one on this node,
    as ``find_problems`` finds it: it is not said which of them had it first. They keep their ``former`` specs, which
    shared nothing. Raises ConfigurationError where that is not enough, as after a change of the platform.
    """
    left = {site for site in wanted if site in specs.sites and site not in specs.refused}
    while problems := list(find_problems(specs)):
        found = problems_by_site(problems)
        shared = left & found.keys()
        if "" in found or not shared:
            raise ConfigurationError(found.get("", problems))
        left -= shared
        sites = {site: spec for site, spec in specs.sites.items() if site not in shared}
        sites |= {site: former[site] for site in shared if site in former}
        specs = specs._replace(sites=sites, refused={**specs.refused, **{site: str(found[site][0]) for site in shared}})
    return specs


def near(specs: Specs, wanted: Collection[str], neighbours: Neighbours | None) -> Specs:
    """Return the ``wanted`` sites and those that could share something with them: all, where there is no telling."""
    if neighbours is None:
        return specs
    neighbours.follow(specs.platform, specs.sites)
    found = neighbours.near(wanted)
    return specs._replace(sites={site: spec for site, spec in specs.sites.items() if site in found})


def shared_problems(specs: Specs) -> Iterator[Problem]:
    """Yield a problem for whatever two sites share, and for each name of an account that a site must not have."""
    sites = tuple(specs.sites.values())
    yield from conflict_problems(sites)
    yield from account_problems(specs.platform, sites)
    yield from overlap_problems(specs.platform, sites, ())


def root_problems(platform: PlatformSpec, sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield a problem for each site whose account or group is root's by its number, whatever it is called."""
    for key, user_of in (("user", platform.user_of), ("group", platform.group_of)):
        for site in sites if SITE in getattr(platform, key) else ():
            name = user_of(site.id)
            if ROOT in (uid_of(name), gid_of(name)):
                message = f"The {key} {shown(name)} of the site {site.id} is root by its number. {NOT_ROOT}"
                yield Problem(platform_label(platform, key), message, site.id)
    if platform.user and SITE not in platform.user and uid_of(platform.user) == ROOT:
        message = f"The user {shown(platform.user)} is root by its number. {NOT_ROOT}"
        yield Problem(platform_label(platform, "user"), message)


def uid_of(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def gid_of(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
