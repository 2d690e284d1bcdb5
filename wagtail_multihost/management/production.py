"""Cautions and refusals for a platform that is in production, or that visitors can reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from wagtail_multihost.emitters import Plan
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.production import ProductionFinding
from wagtail_multihost.production.build_context import context_findings, repository_findings
from wagtail_multihost.production.folders import find_platform_files
from wagtail_multihost.production.platform import environment_findings, is_public, key_findings, loopback_findings
from wagtail_multihost.production.settings import debug_findings, module_findings, unresolved_findings
from wagtail_multihost.production.transport import (
    hsts_findings,
    plain_findings,
    redirect_findings,
    scheme_findings,
)
from wagtail_multihost.project import own_codebase, own_transport
from wagtail_multihost.registry.platform_key import DEVELOPMENT
from wagtail_multihost.running import current
from wagtail_multihost.spec.platform import PRODUCTION


def refuse_development(plan: Plan) -> None:
    """Raise EmitError for development settings on a platform in production."""
    if plan.platform.environment != PRODUCTION:
        return
    found = list(settings_findings(plan))
    if found:
        sentences = " ".join(finding.sentence for finding in found)
        raise EmitError(f"The platform's environment is production. {sentences} {found[0].hint}")


def settings_findings(plan: Plan) -> Iterator[ProductionFinding]:
    module = plan.codebase.settings_module
    # With --codebase the files name another module than the one that this process runs with.
    if module == own_codebase().settings_module:
        yield from debug_findings(module, debug=settings.DEBUG)
        yield from unresolved_findings(module, resolves=current() is not None)
    yield from module_findings(module, plan.sites)


def production_cautions(plan: Plan) -> Iterator[str]:
    """Yield what ``check --deploy`` finds, for a platform in production or with hostnames that visitors can use."""
    platform = plan.platform
    if platform.environment != PRODUCTION and not is_public(plan.sites):
        return
    for found in (*platform_findings(plan), *transport_findings(plan), *folder_findings(plan)):
        yield f"{found.sentence} {found.hint}"


def platform_findings(plan: Plan) -> Iterator[ProductionFinding]:
    platform = plan.platform
    if platform.environment == DEVELOPMENT:  # any other value was chosen by someone
        yield from environment_findings(platform)
        yield from settings_findings(plan)
    yield from key_findings(platform, plan.sites)
    yield from loopback_findings(plan.sites)
    if platform.environment == PRODUCTION and not (platform.snapshots or platform.shares_registry):
        yield ProductionFinding(
            "Each site's process reads the whole registry, and in production refuses to serve that way.",
            "Set snapshots in [platform] to the folder that multihost_snapshot writes, or shares_registry = true if "
            "the sites trust each other.",
        )


def transport_findings(plan: Plan) -> Iterator[ProductionFinding]:
    if plan.platform.environment == PRODUCTION:
        yield from plain_findings(plan.platform, plan.sites)
        for find in (redirect_findings, scheme_findings, hsts_findings):
            yield from find(plan.platform, plan.sites, own_transport())


def folder_findings(plan: Plan) -> Iterator[ProductionFinding]:
    data, files = plan.platform.data, [Path(plan.source)] if plan.source else []
    project, paths, committed = find_platform_files(own_codebase().directory, data, plan.sites, files)
    yield from context_findings(paths, data)
    yield from repository_findings(project, committed, data)
