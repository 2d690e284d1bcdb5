"""A snapshot for one run, so that the site's process need read neither the registry nor variables with secrets."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.launch.account import Account
from wagtail_multihost.publishing.snapshot_changes import SnapshotAction, SnapshotChange, seal_document
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.publishing.snapshot_writer import write_changes
from wagtail_multihost.registry import Contents, Registry
from wagtail_multihost.registry.snapshot_formats import FORMATS, newest_format
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

#: In memory and owned by root. Without it, the folder for temporary files is used.
MEMORY = Path("/run")
PASSABLE = 0o711


@contextmanager
def private_folder() -> Iterator[Path]:
    """
    Make a folder that no other account can list, and in it one with an unguessable name for the account, so that other
    members of the account's group (a front server) cannot find what is in it. Both are removed at the end.
    """
    place = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="multihost-run-", dir=place, ignore_cleanup_errors=True) as name:
        Path(name).chmod(PASSABLE)
        inner = Path(name, secrets.token_hex(16))
        inner.mkdir()
        inner.chmod(PASSABLE)
        yield inner


def choose_format(site: SiteSpec) -> int:
    """
    Return the newest format, or the oldest for a site with a virtual environment of its own: which version is in that
    is not known here, and what the newest adds is for serving.
    """
    is_own = str(dict(site.code).get("virtualenv", sys.prefix)) != sys.prefix
    return min(FORMATS) if is_own else newest_format()


def write_snapshot(folder: Path, registry: Registry, platform: PlatformSpec, site: SiteSpec, account: Account) -> None:
    """Write the snapshot of ``site`` for ``account``. Raises ConfigurationError for a secret without a value."""
    contents = Contents(platform, (with_own_keys(platform, site),))
    [snapshot] = draft_snapshots(folder, registry, contents, datetime.now(UTC), {site.id: choose_format(site)})
    snapshot = snapshot._replace(document=seal_document(snapshot.document, None))
    write_changes([SnapshotChange(snapshot.path, SnapshotAction.CREATED, snapshot, account.gid)])
    if snapshot.path.stat().st_uid != ROOT:
        raise ConfigurationError.because(
            "The snapshot for this run does not belong to root.", where=str(folder), site=site.id
        )
