"""Putting specs into use on this node: snapshots first, then the servers' files, by the landed transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.emitters import emitters
from wagtail_multihost.emitters.apply import ApplyRequest, apply
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.planning import refuse_foreign_templates
from wagtail_multihost.exceptions import ApplyError, ConfigurationError, EmitError
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.specs import Specs
from wagtail_multihost.publishing.snapshot_changes import SnapshotAction, SnapshotChange
from wagtail_multihost.publishing.snapshot_writer import prepared_folder, write_changes
from wagtail_multihost.publishing.snapshots import publish
from wagtail_multihost.registry.base import Contents, Registry
from wagtail_multihost.registry.release import Release, read_release
from wagtail_multihost.registry.snapshot import SUFFIX
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.spec.site import SiteSpec

#: Alone, one of so many sites can be found that the others' servers refuse.
MOST_TRIED = 20


class Applied(NamedTuple):
    """What is in use now: the ``sites`` by id, and why the newest spec of some is ``refused``."""

    sites: Mapping[str, SiteSpec]
    refused: Mapping[str, str]
    files: int = 0


class Applier:
    """Applies the specs of one node; ``registry`` names where they came from, in snapshots and files."""

    def __init__(self, options: AgentOptions, registry: Registry) -> None:
        self.options = options
        self.registry = registry

    def apply(
        self, specs: Specs, touched: Collection[str] | None, gone: Collection[str], before: Mapping[str, SiteSpec]
    ) -> Applied:
        """
        Put the ``touched`` sites of ``specs`` into use (None: all of them), and remove those that are ``gone``. Where
        one of several sites is refused, the others are applied all the same, and it keeps what it had ``before``.

        Raises ApplyError, EmitError or ConfigurationError where nothing could be applied; then the old state stays.
        """
        release = read_release(self.options.release)
        wanted = specs.sites.keys() if touched is None else touched & specs.sites.keys()
        refused = self.publish(specs, [site for site in wanted if site not in specs.refused], release)
        sites = with_former(specs.sites, refused, before)
        whole = touched is None
        try:
            files = self.emit(specs, sites, () if whole else {*wanted, *gone}, release, allow_removal=bool(gone))
        except ApplyError as error:
            if whole or len(wanted) > MOST_TRIED:
                raise
            sites, found, files = self.apply_apart(specs, sites, wanted, gone, before, release, error)
            refused |= found
        self.remove_snapshots(specs, [*gone, *(one.id for one in specs.sites.values() if not one.enabled)])
        return Applied(sites, refused, files)

    def publish(self, specs: Specs, wanted: Iterable[str], release: Release) -> dict[str, str]:
        """Write the snapshots of the enabled ones of the ``wanted`` sites; return why some were refused."""
        platform = specs.platform
        if platform.snapshots is None:
            raise EmitError(
                "platform.snapshots: It is missing. State the folder that sites' processes read in the node file."
            )
        sites = {site: specs.sites[site] for site in wanted if specs.sites[site].enabled}
        refused: dict[str, str] = {}
        while sites:
            contents = Contents(platform, tuple(with_own_keys(platform, site) for site in sites.values()))
            try:
                publish(self.registry, contents, platform.snapshots, removes=False, releases=[release])
            except ConfigurationError as error:
                found = {problem.site: str(problem) for problem in error.problems if problem.site in sites}
                if not found:
                    raise
                refused |= found
                sites = {site: spec for site, spec in sites.items() if site not in found}
            else:
                break
        return refused

    def emit(
        self,
        specs: Specs,
        sites: Mapping[str, SiteSpec],
        only: Collection[str],
        release: Release,
        *,
        allow_removal: bool,
    ) -> int:
        """Apply the servers' files; return how many changed."""
        options, platform = self.options, specs.platform
        if platform.templates:
            refuse_foreign_templates(platform.templates)
        served = tuple(sorted((site for site in sites.values() if site.enabled), key=lambda site: site.id))
        plan = Plan(
            platform=platform,
            sites=served,
            node=options.node if platform.nodes else "",
            codebase=release.codebase,
            registry=str(platform.snapshots),
            source=self.registry.url,
            directory=options.output,
            only=frozenset(only),
        )
        result = apply(
            ApplyRequest(
                emitters=tuple(emitters()[name] for name in options.targets),
                directory=options.output,
                load=lambda: plan,
                sites=plan.only,
                reload=options.reload,
                reload_timeout=options.reload_timeout,
                verify=options.verify,
                verify_timeout=options.verify_timeout,
                # What is gone was counted, and said to be gone.
                allow_mass_delete=allow_removal,
            )
        )
        return len(result.changed) + len(result.removed)

    def apply_apart(
        self,
        specs: Specs,
        sites: Mapping[str, SiteSpec],
        wanted: Collection[str],
        gone: Collection[str],
        before: Mapping[str, SiteSpec],
        release: Release,
        error: ApplyError,
    ) -> tuple[dict[str, SiteSpec], dict[str, str], int]:
        """Apply one site after the other, as they were refused together; raises the error where none can be applied."""
        served = with_former(sites, dict.fromkeys(wanted, ""), before)
        refused: dict[str, str] = {}
        files = 0
        for site in sorted(wanted):
            tried = {**served, site: sites[site]} if site in sites else served
            try:
                files += self.emit(specs, tried, {site, *gone}, release, allow_removal=bool(gone))
            except ApplyError as failure:
                refused[site] = str(failure)
            else:
                served = tried
        if len(refused) == len(wanted):
            raise error
        return served, refused, files

    def remove_snapshots(self, specs: Specs, sites: Iterable[str]) -> None:
        """Remove the snapshots of sites that are served here no more, once their processes have been stopped."""
        folder = specs.platform.snapshots
        paths = [path for site in sites if folder and (path := folder / f"{site}{SUFFIX}").exists()]
        if folder and paths:
            with prepared_folder(Path(folder)):
                write_changes(SnapshotChange(path, SnapshotAction.REMOVED) for path in paths)


def with_former(
    sites: Mapping[str, SiteSpec], refused: Mapping[str, str], before: Mapping[str, SiteSpec]
) -> dict[str, SiteSpec]:
    """Return the sites, each refused one as it was before, or left out if it was not."""
    found = {site: spec for site, spec in sites.items() if site not in refused}
    return {**found, **{site: before[site] for site in refused if site in before}}
