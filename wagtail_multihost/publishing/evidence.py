"""Evidence that a site is in use, on the machine that has the registry: its snapshot, its files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshot_changes import read_existing
from wagtail_multihost.registry.snapshot import SUFFIX
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


class Evidence(NamedTuple):
    """
    ``what`` was found, as a phrase such as ``the folder /srv/sites/aurora``, and the ``uid`` in it, if there is one.
    ``is_forgeable`` marks what the site itself can write: a hostile one would state another's uid, and get its key.
    """

    what: str
    uid: UUID | None = None
    is_forgeable: bool = False


def find_local_evidence(platform: PlatformSpec, site: SiteSpec) -> Iterator[Evidence]:
    """Yield the evidence of a site on this machine."""
    if platform.snapshots is not None and (
        snapshot := read_snapshot_evidence(platform.snapshots / f"{site.id}{SUFFIX}")
    ):
        yield snapshot
    for what, path in local_places(platform, site):
        if is_filled(path):
            yield Evidence(f"{what} {path}")


def local_places(platform: PlatformSpec, site: SiteSpec) -> Iterator[tuple[str, Path]]:
    """Yield the local files and folders that the site has, the outermost first."""
    home = platform.data / "sites" / site.id
    yield "the folder", home
    for what, path in (("the database", site.database.path), ("the files", site.storage.path)):
        if path is not None and not path.is_relative_to(home):
            yield what, path


def is_filled(path: Path) -> bool:
    """Return whether there is anything at ``path``; an empty folder, made for a new site, does not count."""
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            return True
        with os.scandir(path) as entries:
            return any(True for _ in entries)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def read_snapshot_evidence(path: Path) -> Evidence | None:
    """Return what a snapshot shows; None if there is no file, or it is not a snapshot."""
    try:
        document, _ = read_existing(path)
    except ConfigurationError:
        return Evidence(f"the snapshot {path}, which cannot be read,")
    if document is None:
        return None
    try:
        uid = UUID(document["site"].get("uid"))
    except (ValueError, TypeError, AttributeError):
        uid = None
    return Evidence(f"the snapshot {path}", uid)
