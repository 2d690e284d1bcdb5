"""What a site's process can read but must not: in production, a site's hostile code could read it too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.platform_key import FILE_NAME
from wagtail_multihost.running import Running
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PRODUCTION

HINT = (
    "Serve it from a snapshot (manage.py multihost_snapshot), under an account that cannot read any other; or state "
    "shares_registry = true in [platform] if the sites trust each other."
)


def refuse_exposed(running: Running) -> None:
    """Raise ConfigurationError when a process in production can read more than its own site's record."""
    found = list(exposures(running))
    if found:
        site = running.site.id if running.site else ""
        sentences = [*found[:-1], f"{found[-1]} {HINT}"]
        raise ConfigurationError(Problem("platform.shares_registry", sentence, site) for sentence in sentences)


def exposures(running: Running) -> Iterator[str]:
    """Yield a sentence for everything that this process can read but must not; nothing outside production."""
    platform, site, registry = running.platform, running.site, running.opened
    if platform is None or site is None or running.ephemeral or registry is None:
        return
    if platform.environment != PRODUCTION or platform.shares_registry:
        return
    if platform.keyring:
        yield "This process has read the platform's key, from which every site's keys derive."
    if runs_as_root():
        yield "This process runs as root, which can read every site's secrets."
        return
    if registry.is_for_operators:
        yield "This process can read the records of all sites: its registry is not one of snapshots."
    for file in (*registry.files, *registry.private_files(site.id), platform.data / FILE_NAME):
        if is_readable(file):
            yield f"This process can read {shown(str(file))}, which a site's process must not read."
    others = registry.neighbour_files(site.id, sites_of_groups(platform.group))
    neighbours = [file for file in others if is_readable(file)]
    if neighbours:
        more = f" and {len(neighbours) - 1} more files" if len(neighbours) > 1 else ""
        yield f"This process can read {shown(str(neighbours[0]))}{more} of other sites."
    elif platform.group and "{site}" not in platform.group:
        yield "The snapshots of all sites have the same group: platform.group does not contain {site}."


def runs_as_root() -> bool:
    """Return whether this process is root, or can become root again."""
    return 0 in os.getresuid()


def sites_of_groups(group: str) -> set[str]:
    """Return the ids of the sites whose groups, as the platform names them, this process is in."""
    import grp  # loads only in production

    start, has_site, end = group.partition("{site}")
    if not has_site:
        return set()
    gids = {*os.getresgid(), *os.getgroups()}
    # Two groups may have one id.
    names = [entry.gr_name for entry in grp.getgrall() if entry.gr_gid in gids]
    return {name[len(start) : len(name) - len(end)] for name in names if name.startswith(start) and name.endswith(end)}


def is_readable(file: Path) -> bool:
    """Return whether this process can read the file with its current account."""
    return os.access(file, os.R_OK, effective_ids=os.access in os.supports_effective_ids)
