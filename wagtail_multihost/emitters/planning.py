"""Plans: what emitters are given, of a registry or of specs that are at hand. Nothing here needs the project."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.registry.base import Contents, Registry, chosen_ids
from wagtail_multihost.registry.watch import Watch, watch_nothing
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import path_problem


def loaded(
    registry: Registry, codebase: Codebase, *, keep_going: bool = False, watch: Watch = watch_nothing
) -> Contents:
    """
    Return all of a registry for a plan; raises EmitError for one that servers cannot be set up by, and what
    ``Registry.load`` raises. With ``keep_going`` sites that have problems are left out.
    """
    if not registry.has_servers:
        raise EmitError(
            f"{registry.name} is a folder of snapshots, which have what sites need and not what their servers need. "
            "Name the registry itself."
        )
    return registry.load(protected=codebase.protected, keep_going=keep_going, watch=watch)


def refuse_foreign_templates(templates: Path) -> None:
    """Raise EmitError for templates that another account can change: a template is a program, which root would run."""
    for folder, _, names in os.walk(templates, followlinks=True):
        for name in ("", *names):
            if problem := path_problem(Path(folder, name)):
                raise EmitError(f"platform.templates: {problem}")


def plan(
    registry: Registry,
    contents: Contents,
    codebase: Codebase,
    directory: Path,
    *,
    only: Collection[str] = (),
    node: str = "",
) -> Plan:
    """
    Return the plan of ``contents``, which are those of ``registry``, for files below ``directory``: the files of the
    sites ``only`` (none: of all), for ``node`` (blank: the front server, or all on one machine).

    Raises ConfigurationError for sites that are unknown or disabled, EmitError for an unknown node, a missing folder of
    templates, templates that another account can change, or a registry that sites' processes do not read.
    """
    platform = contents.platform
    chosen_ids(contents, only)
    known = dict(platform.nodes)
    if node and node not in known:
        accepted = f"accepted: {', '.join(known)}" if known else "the platform has none"
        raise EmitError(f"The node {shown(node)} is not known; {accepted}.")
    if registry.is_for_operators and platform.snapshots is None:
        raise EmitError(
            "platform.snapshots: It is missing, and sites' processes do not read this registry. State the folder that "
            "multihost_snapshot writes to."
        )
    if platform.templates and not platform.templates.is_dir():
        raise EmitError(f"platform.templates: This machine has no folder {shown(str(platform.templates))}.")
    if platform.templates:
        refuse_foreign_templates(platform.templates)
    return Plan(
        platform=platform,
        sites=tuple(site for site in contents.enabled if not node or not site.nodes or node in site.nodes),
        node=node,
        codebase=codebase,
        registry=str(platform.snapshots or registry.url),
        source=registry.url,
        directory=directory,
        only=frozenset(only),
    )
