"""What is told, and refused, of a platform that is on its way to where visitors come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from django.conf import settings

from wagtail_multihost.emitters import Plan
from wagtail_multihost.exceptions import ConfigurationError, EmitError
from wagtail_multihost.management.command import codebase, transport
from wagtail_multihost.production import Finding
from wagtail_multihost.production.build_context import (
    context_findings,
    has_secret,
    own_paths,
    project_folder,
    repository_findings,
)
from wagtail_multihost.production.platform import environment_findings, is_public, key_findings, loopback_findings
from wagtail_multihost.production.settings import debug_findings, module_findings
from wagtail_multihost.production.transport import (
    hsts_findings,
    plain_findings,
    redirect_findings,
    scheme_findings,
)
from wagtail_multihost.registry import DEFAULT_FILE, open_registry
from wagtail_multihost.registry.platform_key import DEVELOPMENT
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.spec.platform import PRODUCTION
from wagtail_multihost.spec.site import SiteSpec


def refuse_development(plan: Plan) -> None:
    """Raise EmitError for settings of development on a platform in production."""
    if plan.platform.environment != PRODUCTION:
        return
    found = list(settings_findings(plan))
    if found:
        sentences = " ".join(finding.sentence for finding in found)
        raise EmitError(f"The platform's environment is production. {sentences} {found[0].hint}")


def settings_findings(plan: Plan) -> Iterator[Finding]:
    module = plan.codebase.settings_module
    yield from debug_findings(module, debug=settings.DEBUG)
    yield from module_findings(module, plan.sites)


def production_cautions(plan: Plan) -> Iterator[str]:
    """Yield what ``check --deploy`` finds of a platform that is in production, or whose names lead visitors to it."""
    platform = plan.platform
    if platform.environment != PRODUCTION and not is_public(plan.sites):
        return
    for found in (*platform_findings(plan), *transport_findings(plan), *folder_findings(plan)):
        yield f"{found.sentence} {found.hint}"


def platform_findings(plan: Plan) -> Iterator[Finding]:
    platform = plan.platform
    if platform.environment == DEVELOPMENT:  # another one was somebody's choice
        yield from environment_findings(platform)
        yield from settings_findings(plan)
    yield from key_findings(platform, plan.sites)
    yield from loopback_findings(plan.sites)
    if platform.environment == PRODUCTION and not (platform.snapshots or platform.shares_registry):
        yield Finding(
            "The sites' processes read the whole registry, and in production they refuse to serve with it.",
            "State the folder that multihost_snapshot writes as snapshots in [platform], or shares_registry = true "
            "where the sites trust each other.",
        )


def transport_findings(plan: Plan) -> Iterator[Finding]:
    if plan.platform.environment == PRODUCTION:
        yield from plain_findings(plan.platform, plan.sites)
        for find in (redirect_findings, scheme_findings, hsts_findings):
            yield from find(plan.platform, plan.sites, transport())


def folder_findings(plan: Plan) -> Iterator[Finding]:
    data = plan.platform.data
    project, paths, committed = folders_of(data, plan.sites, [Path(plan.source)] if plan.source else [])
    yield from context_findings(paths, data)
    yield from repository_findings(project, committed, data)


def folders_of(
    data: Path | None, sites: Iterable[SiteSpec], registries: Collection[Path]
) -> tuple[Path, list[Path], list[Path]]:
    """
    Return the project's folder, what there is of the platform's files, and those of them that a repository must not
    have: a registry belongs into one where it has no secret in it.
    """
    project = project_folder(codebase().directory)
    local = [path for site in sites for path in (site.database.path, site.storage.path) if path]
    outside = [path for path in local if data is None or not path.is_relative_to(data)]
    paths = own_paths(project, data, [*registries, *outside])
    safe = {path for path in (*registries, project / DEFAULT_FILE) if not holds_secret(path)}
    return project, paths, [path for path in paths if path not in safe]


def holds_secret(path: Path) -> bool:
    """Return whether the file of a registry has a secret as a value, or cannot be read."""
    try:
        registry = open_registry(path, {})
        return not isinstance(registry, TomlRegistry) or has_secret(registry.document())
    except ConfigurationError:
        return True
