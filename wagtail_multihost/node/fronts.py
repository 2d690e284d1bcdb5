"""
The agent on a front server: it applies the files of nginx for all sites, which are asked at the nodes that serve them
now, and publishes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from wagtail_multihost.emitters import Emitter
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.planning import refuse_foreign_templates
from wagtail_multihost.exceptions import ApplyError, ConfigurationError, EmitError, RenderError
from wagtail_multihost.node.applying import apply_files, find_targets, with_former
from wagtail_multihost.node.former_workers import find_workers, wait_until_left
from wagtail_multihost.node.front_specs import (
    Nodes,
    make_front_specs,
    missing_certificates,
    read_nodes,
    without_certificates,
)
from wagtail_multihost.node.halving import find_refused
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.reading import Known, Merged
from wagtail_multihost.node.specs import Specs, bounded
from wagtail_multihost.nodeapi.node_states import CERTIFICATE_MISSING, NODE_REFUSED
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.release import read_release
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec

logger = logging.getLogger(__name__)

MOST_NAMED = 20
NODES = "nodes"
FORMER_WORKERS = "Former workers of nginx may still ask nodes that it is to ask no more: they have not begun to leave."
NO_NODE = "No node is active and can be asked: the front server stays as it is until there is one."
NOT_TRIED = "It was refused with other sites, and there was no time to try it alone. It is tried again."
UNSERVED = "No node serves it now: visitors are told to come back."
RUNS_SITES = "agent.targets: {name} is for machines that sites run on, and this node is a front server."


class FrontApplied(NamedTuple):
    """
    What is in use now: why the newest record of some sites is ``refused``, or nobody can be asked for them, what the
    node says of itself by kinds of ``conditions`` (blank: it is not so), and how many ``files`` changed.
    """

    refused: Mapping[str, str]
    conditions: Mapping[str, str]
    files: int = 0


class Wish(NamedTuple):
    """
    What nginx is to be: the ``specs`` of what is ``known``, the ``nodes`` that serve each site, and certificates that
    are missing.
    """

    known: Known
    specs: Specs
    nodes: Nodes
    serving: Mapping[str, tuple[str, ...]]
    missing: Mapping[str, Collection[str]]
    codebase: Codebase

    def with_former(self, refused: Collection[str], before: Mapping[str, SiteSpec]) -> dict[str, SiteSpec]:
        """Return the sites, each refused one as it was before, within what its record says now, or left out."""
        sites = with_former(self.specs.sites, dict.fromkeys(refused, ""), before)
        return bounded(sites, dict.fromkeys(refused, ""), self.known)

    def plan(self, sites: Mapping[str, SiteSpec], options: AgentOptions, url: str) -> Plan:
        """Return the plan of this front server for some sites."""
        asked = {name for site in sites for name in self.serving[site]} | self.nodes.active
        addresses = tuple((name, self.nodes.addresses[name]) for name in sorted(asked))
        nginx = self.specs.platform.options_of(NginxOptions) or NginxOptions()
        # A site purges its kept pages from the node that it is on.
        hosts = (address.rpartition(":")[0].strip("[]") for _, address in addresses)
        nginx = replace(nginx, purgers=tuple(dict.fromkeys((*nginx.purgers, *hosts))))
        enabled = [sites[site] for site in sorted(sites) if sites[site].enabled]
        return Plan(
            platform=replace(self.specs.platform.with_options(nginx), nodes=addresses),
            sites=tuple(without_certificates(site, self.missing.get(site.id, ())) for site in enabled),
            codebase=self.codebase,
            registry=url,
            source=url,
            directory=options.output,
            serving=self.serving,
        )


class FrontServer:
    """
    Applies what a front server reads; ``url`` names the registry in its files. Once ``is_stopping`` returns true,
    nothing further is begun.
    """

    def __init__(
        self,
        options: AgentOptions,
        url: str,
        environ: Mapping[str, str],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.options, self.is_stopping = options, is_stopping
        self.url = url
        self.environ = environ
        self.platform: Mapping[str, object] | None = None
        self.node: NodeFile | None = None
        self.specs: Specs | None = None
        self.missing: Mapping[str, Collection[str]] = {}
        self.rows: object = None
        self.applied: FrontApplied | None = None
        #: What the files in use were made of.
        self.plan: Plan | None = None

    @property
    def targets(self) -> tuple[Emitter, ...]:
        """What files are made for; raises EmitError for what is of no use on a front server."""
        found = find_targets(self.options)
        for target in found:
            if target.runs_sites:
                raise EmitError(RUNS_SITES.format(name=target.name))
        return found

    def is_due(self, merged: Merged, node: NodeFile) -> bool:
        """Return whether anything has changed since it was last applied; certificates come and go without a word."""
        known = merged.known
        has_changed = (known.platform, known.node[NODES], node) != (self.platform, self.rows, self.node)
        if self.specs is None or has_changed or merged.touched or merged.gone or self.specs.refused:
            return True
        return self.has_new_certificates

    @property
    def has_new_certificates(self) -> bool:
        """Whether files of certificates have come or gone since it was last applied."""
        return self.specs is not None and missing_certificates(self.specs.sites.values()) != self.missing

    def apply(self, merged: Merged, node: NodeFile, settled: Collection[str] = ()) -> FrontApplied:
        """
        Put what was read into use, if anything has changed. Where one of several sites is refused, the others are
        applied all the same, and it keeps what it had. At a start, the ``settled`` sites are as they were in use.

        Raises MultihostError where nothing could be applied; then the old state stays.
        """
        known = merged.known
        if self.applied is not None and not self.is_due(merged, node):
            return self.applied._replace(files=0)
        wish = self.make_wish(merged, node, settled)
        sites, found, files = self.apply_wish(wish)
        refused = {**wish.specs.refused, **found}
        self.specs = Specs(wish.specs.platform, sites, refused)
        self.platform, self.node, self.missing, self.rows = known.platform, node, wish.missing, known.node[NODES]
        unserved = {site: UNSERVED for site, spec in sites.items() if spec.enabled and not wish.serving[site]}
        self.applied = FrontApplied({**unserved, **refused}, conditions_of(wish.nodes, wish.missing), files)
        return self.applied

    def make_wish(self, merged: Merged, node: NodeFile, settled: Collection[str] = ()) -> Wish:
        """Return what nginx is to be of what was read; raises MultihostError."""
        known = merged.known
        is_whole = self.specs is None or known.platform != self.platform or node != self.node
        again = {*merged.touched, *(self.specs.refused if self.specs else ())}
        specs = make_front_specs(known, None if is_whole else again, self.specs, node, self.environ, settled)
        nodes = read_nodes(known.node[NODES], specs.platform, self.options.node_networks)
        if not nodes.addresses:
            raise ConfigurationError.because(NO_NODE, where="Nodes")
        serving = {site: nodes.serving(known.sites[site][NODES]) for site in specs.sites}
        missing = missing_certificates(specs.sites.values())
        return Wish(known, specs, nodes, serving, missing, read_release(self.options.release).codebase)

    def apply_wish(self, wish: Wish) -> tuple[dict[str, SiteSpec], dict[str, str], int]:
        """Apply; return the sites that are in use, why some are refused, and how many files changed."""
        sites = dict(wish.specs.sites)
        before = self.specs.sites if self.specs else {}
        changed = sorted(site for site in sites if before.get(site) != sites[site])
        try:
            return sites, {}, self.apply_plan(wish.plan(sites, self.options, self.url))
        except ApplyError:
            if self.is_stopping() or not before or not changed:
                raise
            return self.apply_apart(wish, changed, before)
        except (EmitError, RenderError):
            refused = {site: why for site in changed if (why := self.rendering_problem(wish, site))}
            if not refused or len(refused) == len(sites):
                raise
            served = wish.with_former(refused, before)
            return served, refused, self.apply_plan(wish.plan(served, self.options, self.url))

    def rendering_problem(self, wish: Wish, site: str) -> str:
        """Return why the files of a site alone cannot be made; blank if they can."""
        try:
            for target in self.targets:
                tuple(target.emit(wish.plan({site: wish.specs.sites[site]}, self.options, self.url)))
        except (EmitError, RenderError) as error:
            return str(error)
        return ""

    def apply_apart(
        self, wish: Wish, changed: Sequence[str], before: Mapping[str, SiteSpec]
    ) -> tuple[dict[str, SiteSpec], dict[str, str], int]:
        """
        Apply everything but the ``changed`` sites, and then these by halves: whichever is refused, nodes that come and
        go are followed.
        """
        served = wish.with_former(changed, before)
        files = self.apply_plan(wish.plan(served, self.options, self.url))

        def attempt(group: Sequence[str]) -> str:
            nonlocal served, files
            tried = {**served, **{site: wish.specs.sites[site] for site in group}}
            try:
                files += self.apply_plan(wish.plan(tried, self.options, self.url))
            except ApplyError as error:
                return str(error)
            served = tried
            return ""

        refused = find_refused(changed, attempt, self.is_stopping, NOT_TRIED)
        return served, refused, files

    def apply_plan(self, plan: Plan, *, force: bool = False) -> int:
        """Apply the files of a plan; return how many changed. ``force`` replaces what was edited by hand."""
        if plan.platform.templates:
            refuse_foreign_templates(plan.platform.templates)
        workers = find_workers((plan.platform.options_of(NginxOptions) or NginxOptions()).pid)
        # What there must be was counted, and few sites have files of their own here.
        result = apply_files(self.options, self.targets, plan, allow_mass_delete=True, force=force)
        self.plan = plan
        if result.reloaded and not wait_until_left(workers, self.is_stopping):
            logger.warning(FORMER_WORKERS)
        return len(result.changed) + len(result.removed)


def conditions_of(nodes: Nodes, missing: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Return what the front server says of itself."""
    hosts = [host for site in sorted(missing) for host in missing[site]]
    certificates = f"On http alone until their certificates are on this machine: {listed(hosts)}." if hosts else ""
    refused = "; ".join(f"{name}: {nodes.refused[name]}" for name in sorted(nodes.refused)[:MOST_NAMED])
    return {CERTIFICATE_MISSING: certificates, NODE_REFUSED: refused}


def listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
