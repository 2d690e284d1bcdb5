"""Putting specs into use on this node: snapshots first, then the servers' files, by the landed transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.emitters import Emitter, emitters
from wagtail_multihost.emitters.apply import ApplyRequest, ApplyResult, apply
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.planning import refuse_foreign_templates
from wagtail_multihost.exceptions import ApplyError, ConfigurationError, EmitError, MultihostError, RenderError
from wagtail_multihost.node.former_snapshots import FormerSnapshots
from wagtail_multihost.node.halving import find_refused
from wagtail_multihost.node.on_disk import digests_of
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

UNLISTED = (
    "There are files of sites here that the registry neither lists nor says are gone: {}. Nothing is removed, and so "
    "nothing is applied. Place them, or import them into the registry; or let go of them: multihost-agent --let-go {}"
)


class UnlistedError(MultihostError):
    """There are files of ``sites`` that nothing is known of."""

    def __init__(self, sites: Collection[str]) -> None:
        self.sites = sorted(sites)
        super().__init__(UNLISTED.format(", ".join(self.sites), " ".join(self.sites)))


class Work(NamedTuple):
    """
    What is to be put into use: the files of the ``wanted`` sites of ``specs``, and the removal of those that are
    ``gone``. ``before`` are the specs of what is in use; ``on_disk`` are the sites that have files, where that was
    looked up.
    """

    specs: Specs
    wanted: frozenset[str]
    gone: frozenset[str]
    before: Mapping[str, SiteSpec]
    on_disk: frozenset[str] = frozenset()

    @property
    def leaving(self) -> frozenset[str]:
        """The sites whose files are removed, because the registry says so."""
        sites = self.specs.sites
        return self.gone | {site for site in self.wanted if site in sites and not sites[site].enabled}


class Applied(NamedTuple):
    """What is in use now: the ``sites`` by id, why the newest spec of some is ``refused``, and how much was written."""

    sites: Mapping[str, SiteSpec]
    refused: Mapping[str, str]
    files: int = 0


class Applier:
    """
    Applies the specs of one node; ``registry`` names where they came from, in snapshots and files. Once ``is_stopping``
    returns true, nothing further is begun.
    """

    def __init__(self, options: AgentOptions, registry: Registry, is_stopping: Callable[[], bool]) -> None:
        self.options = options
        self.registry = registry
        self.is_stopping = is_stopping

    @property
    def targets(self) -> tuple[Emitter, ...]:
        """What files are made for; raises EmitError."""
        return find_targets(self.options)

    def apply(self, work: Work) -> Applied:
        """
        Do the work. Where one of several sites is refused, the others are applied all the same, and it keeps what it
        had before.

        Raises ApplyError, EmitError or ConfigurationError where nothing could be applied, and UnlistedError where that
        would remove files of sites which nothing says are gone; then the old state stays.
        """
        release = read_release(self.options.release)
        specs = work.specs
        wanted = [site for site in work.wanted & specs.sites.keys() if site not in specs.refused]
        former = FormerSnapshots(find_snapshots(specs), wanted)
        try:
            applied = self.publish_and_emit(work, wanted, former, release)
        except BaseException:
            former.put_back()
            raise
        self.remove_snapshots(specs, work.leaving)
        return applied

    def publish_and_emit(
        self, work: Work, wanted: Collection[str], former: FormerSnapshots, release: Release
    ) -> Applied:
        """Write the snapshots of the ``wanted`` sites, and apply the servers' files; raises as ``apply`` does."""
        refused = self.publish(work.specs, wanted, release)
        sites = with_former(work.specs.sites, refused, work.before)
        if unlisted := work.on_disk - sites.keys() - work.gone:
            raise UnlistedError(unlisted)
        try:
            files = self.emit(work, sites, {*work.wanted, *work.gone}, release)
        except (ApplyError, RenderError) as error:
            changed = sorted(site for site in sites if sites[site] != work.before.get(site))
            # What has files, and is not known as it was before, could only be left out.
            cannot_be_told = work.on_disk & set(changed) - work.before.keys()
            if self.is_stopping() or len(changed) < 2 or cannot_be_told:
                raise
            apart = self.apply_apart(work, sites, changed, former, release, error)
            return apart._replace(refused={**refused, **apart.refused})
        return Applied(sites, refused, files)

    def publish(
        self, specs: Specs, wanted: Iterable[str], release: Release, *, replaces: bool = False
    ) -> dict[str, str]:
        """
        Write the snapshots of the enabled ones of the ``wanted`` sites; return why some were refused. ``replaces``
        overwrites what is no snapshot, in their places.
        """
        platform, folder = specs.platform, find_snapshots(specs)
        sites = {site: specs.sites[site] for site in wanted if specs.sites[site].enabled}
        refused: dict[str, str] = {}
        while sites:
            contents = Contents(platform, tuple(with_own_keys(platform, site) for site in sites.values()))
            try:
                publish(self.registry, contents, folder, removes=False, replaces=replaces, releases=[release])
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
        work: Work,
        sites: Mapping[str, SiteSpec],
        only: Collection[str],
        release: Release,
        *,
        force: bool = False,
    ) -> int:
        """
        Apply the servers' files, of sites those of ``only``; return how many changed. ``force`` replaces what was
        edited by hand.
        """
        # Never none, which would be all: files that belong to none of these sites stay.
        plan = self.make_plan(work.specs, sites, frozenset(only) or frozenset({NOBODY}), release)
        # What leaves was counted, and said to leave.
        result = apply_files(self.options, self.targets, plan, allow_mass_delete=bool(work.leaving), force=force)
        return len(result.changed) + len(result.removed)

    def make_plan(self, specs: Specs, sites: Mapping[str, SiteSpec], only: frozenset[str], release: Release) -> Plan:
        """Return what emitters are given: the enabled sites, of which those of ``only`` are rendered; all, if none."""
        platform = specs.platform
        if platform.templates:
            refuse_foreign_templates(platform.templates)
        served = tuple(sorted((site for site in sites.values() if site.enabled), key=lambda site: site.id))
        rendered = [site.id for site in served if not only or site.id in only]
        return Plan(
            platform=platform,
            sites=served,
            node=self.options.node if platform.nodes else "",
            codebase=release.codebase,
            registry=str(platform.snapshots),
            source=self.registry.url,
            directory=self.options.output,
            only=only,
            digests=digests_of(rendered, platform.snapshots),
        )

    def apply_apart(
        self,
        work: Work,
        sites: Mapping[str, SiteSpec],
        changed: list[str],
        former: FormerSnapshots,
        release: Release,
        error: MultihostError,
    ) -> Applied:
        """
        Apply the ``changed`` sites by halves, as they were refused together. Raises the error where that finds none
        that can be applied.
        """
        served = with_former(sites, dict.fromkeys(changed, ""), work.before)
        former.put_back(changed)
        files = self.emit(work, served, {*work.wanted, *work.gone}, release)

        def attempt(group: Sequence[str]) -> str:
            nonlocal served, files
            tried = {**served, **{site: sites[site] for site in group}}
            try:
                self.publish(work.specs, [site for site in group if site in former.files], release)
                files += self.emit(work, tried, group, release)
            except (ApplyError, RenderError, ConfigurationError) as failure:
                former.put_back(group)
                return str(failure)
            served = tried
            former.forget(group)
            return ""

        refused = find_refused(changed, attempt, self.is_stopping, str(error))
        if len(refused) == len(changed):
            raise error
        return Applied(served, refused, files)

    def remove_snapshots(self, specs: Specs, sites: Iterable[str]) -> None:
        """Remove the snapshots of sites that are served here no more, once their processes have been stopped."""
        folder = find_snapshots(specs)
        paths = [path for site in sites if (path := folder / f"{site}{SUFFIX}").exists()]
        if paths:
            with prepared_folder(folder):
                write_changes(SnapshotChange(path, SnapshotAction.REMOVED) for path in paths)


#: The id of no site.
NOBODY = "-"


def find_targets(options: AgentOptions) -> tuple[Emitter, ...]:
    """Return what the agent makes files for; raises EmitError for a target that there is not."""
    known = emitters()
    for name in options.targets:
        if name not in known:
            raise EmitError(f"agent.targets: There is no target {name}. Accepted: {', '.join(known)}.")
    return tuple(known[name] for name in options.targets)


def apply_files(
    options: AgentOptions, targets: tuple[Emitter, ...], plan: Plan, *, allow_mass_delete: bool, force: bool
) -> ApplyResult:
    """Apply the servers' files of a plan as the options say; ``force`` replaces what was edited by hand."""
    return apply(
        ApplyRequest(
            emitters=targets,
            directory=options.output,
            load=lambda: plan,
            sites=plan.only,
            reload=options.reload,
            reload_timeout=options.reload_timeout,
            verify=options.verify,
            verify_timeout=options.verify_timeout,
            allow_mass_delete=allow_mass_delete,
            force=force,
        )
    )


def find_snapshots(specs: Specs) -> Path:
    """Return the folder of snapshots; raises EmitError where the node file states none."""
    if specs.platform.snapshots is None:
        raise EmitError(
            "platform.snapshots: It is missing. State the folder that sites' processes read in the node file."
        )
    return Path(specs.platform.snapshots)


def with_former(
    sites: Mapping[str, SiteSpec], refused: Mapping[str, str], before: Mapping[str, SiteSpec]
) -> dict[str, SiteSpec]:
    """Return the sites, each refused one as it was before, or left out if it was not."""
    found = {site: spec for site, spec in sites.items() if site not in refused}
    return {**found, **{site: before[site] for site in refused if site in before}}
