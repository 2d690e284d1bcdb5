"""Publishing: from a registry to a folder of snapshots. Nothing here needs the project."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.publishing.snapshot_changes import SnapshotChange, find_changes, find_groups, find_stale
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.publishing.snapshot_writer import prepared_folder, write_changes
from wagtail_multihost.registry.base import Contents, Registry, chosen_ids
from wagtail_multihost.registry.release import Release
from wagtail_multihost.registry.snapshot_formats import FORMATS
from wagtail_multihost.registry.uniqueness import shared_key_problems
from wagtail_multihost.registry.watch import Watch, watch_nothing
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PRODUCTION

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def to_publish(
    registry: Registry,
    only: Collection[str] = (),
    protected: Iterable[tuple[str, Path]] = (),
    watch: Watch = watch_nothing,
) -> Contents:
    """
    Return the enabled sites, or those of ``only``, with keys of their own, after checking the whole registry.
    ``protected`` is as for ``Registry.load``. Raises ConfigurationError.
    """
    chosen = chosen_ids(registry.load(protected=protected, watch=watch), only)
    contents = registry.read_sites(chosen, watch=watch)
    watched = watch(len(contents.sites), "keys")(contents.sites)
    sites = tuple(with_own_keys(contents.platform, site) for site in watched)
    # Two files may hold the same key, which shows only once keys are read.
    if problems := list(shared_key_problems(sites)):
        raise ConfigurationError(registry.locate(problems))
    return Contents(contents.platform, sites)


def publish(
    registry: Registry,
    contents: Contents,
    folder: Path,
    *,
    key: Ed25519PrivateKey | None = None,
    removes: bool = True,
    writes: bool = True,
    replaces: bool = False,
    releases: Iterable[Release] = (),
    watch: Watch = watch_nothing,
) -> list[SnapshotChange]:
    """
    Write the snapshots of ``contents``, which ``to_publish`` returned of ``registry``, into ``folder``, and return what
    differed; ``writes=False`` only compares. They are signed with ``key``, if it is given. ``removes`` also removes the
    snapshots of sites that are not in ``contents``; ``replaces`` overwrites what is no snapshot in the place of one.
    ``releases`` say which formats sites with their own code read.

    Raises ConfigurationError, and then changes nothing.
    """
    formats = choose_formats(contents, releases)
    is_rooted = contents.platform.environment == PRODUCTION and os.geteuid() == ROOT
    with prepared_folder(folder, is_production=is_rooted) if writes else nullcontext():
        snapshots = list(draft_snapshots(folder, registry, contents, datetime.now(UTC), formats))
        groups = find_groups(contents.platform, contents.sites)
        changes = list(find_changes(watch(len(snapshots), "snapshots")(snapshots), groups, key, replaces=replaces))
        if removes:
            changes.extend(find_stale(folder, (snapshot.path for snapshot in snapshots), contents.platform))
        if writes:
            write_changes(changes)
    return changes


def choose_formats(contents: Contents, releases: Iterable[Release]) -> dict[str, int]:
    """
    Return the format in which each site's snapshot is written, where a release says that: the newest that both this
    version and the one in the site's virtual environment read. Raises ConfigurationError where there is none.
    """
    by_place = {release.codebase.virtualenv: release for release in releases}
    found, problems = {}, []
    for site in contents.sites:
        place = Path(str(dict(site.code).get("virtualenv", sys.prefix)))
        if place not in by_place:
            continue
        known = FORMATS.keys() & by_place[place].snapshots
        if known:
            found[site.id] = max(known)
        else:
            problems.append(Problem(str(place), unreadable_message(by_place[place]), site.id))
    if problems:
        raise ConfigurationError(problems)
    return found


def unreadable_message(release: Release) -> str:
    reads, writes = (", ".join(map(str, sorted(numbers))) or "none" for numbers in (release.snapshots, FORMATS))
    return (
        f"The wagtail-multihost {release.version} there reads the snapshot formats {reads}, but this one writes "
        f"{writes}. Upgrade one of the two."
    )
