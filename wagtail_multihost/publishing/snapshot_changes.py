"""Finding the files in a folder of snapshots that have to change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.files.reading import has_mode_and_owner, read_no_follow
from wagtail_multihost.publishing.signing import sign_content
from wagtail_multihost.registry.signature import is_valid_signature
from wagtail_multihost.registry.snapshot import SUFFIX, Snapshot, digest_of, signed_content
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE_MODE = 0o440
#: An unchanged snapshot is written again after this time, so that an old one shows that runs are missing.
RENEWED_AFTER = timedelta(days=15)


class SnapshotAction(Enum):
    """What happens to a file."""

    CREATED = "created"
    UPDATED = "updated"
    RENEWED = "renewed"
    REMOVED = "removed"


class SnapshotChange(NamedTuple):
    """What has to happen to the file at ``path``, with the new ``snapshot`` for the group ``gid``."""

    path: Path
    state: SnapshotAction
    snapshot: Snapshot | None = None
    gid: int = ROOT


def find_groups(platform: PlatformSpec, sites: Iterable[SiteSpec]) -> dict[str, int]:
    """
    Return the id of each site's group; raises ConfigurationError for groups that this machine does not have.

    Only root gives files away: for everyone else, and without ``platform.group``, it is the process's own.
    """
    if not platform.group or os.geteuid() != ROOT:
        return {site.id: os.getegid() for site in sites}
    import grp  # loads only for root

    found, problems = {}, []
    for site in sites:
        name = platform.group_of(site.id)
        try:
            found[site.id] = grp.getgrnam(name).gr_gid
        except KeyError:
            where = platform.sources.get("group", "platform.group")
            problems.append(Problem(where, f"This machine has no group {name} to read the snapshot.", site.id))
            continue
        if "{site}" in platform.group and list(found.values()).count(found[site.id]) > 1:
            where = platform.sources.get("group", "platform.group")
            message = f"The group {name} has the id {found[site.id]}, which is also that of another site's group."
            problems.append(Problem(where, message, site.id))
    if problems:
        raise ConfigurationError(problems)
    return found


def find_changes(
    snapshots: Iterable[Snapshot], groups: Mapping[str, int], key: Ed25519PrivateKey | None, *, replaces: bool = False
) -> Iterator[SnapshotChange]:
    """
    Yield a change for every snapshot whose file differs. Raises ConfigurationError for those of a later revision and,
    unless it ``replaces`` them, for files that are not snapshots.
    """
    problems = []
    for snapshot in snapshots:
        found = compare_snapshot(snapshot, groups[snapshot.site], key, replaces=replaces)
        if isinstance(found, Problem):
            problems.append(found)
        elif found is not None:
            yield found
    if problems:
        raise ConfigurationError(problems)


def compare_snapshot(
    snapshot: Snapshot, gid: int, key: Ed25519PrivateKey | None, *, replaces: bool = False
) -> SnapshotChange | Problem | None:
    """Return the change of one snapshot's file, why it cannot be changed, or None if it is up to date."""
    old, status = read_existing(snapshot.path)
    if status is not None and old is None and not replaces:
        return Problem(str(snapshot.path), "It is not a snapshot, so it is not overwritten. Remove it.", snapshot.site)
    state = choose_action(old, snapshot.document, key)
    if old and state is SnapshotAction.UPDATED and revision_of(old) > revision_of(snapshot.document):
        return Problem(str(snapshot.path), revision_message(old, snapshot.document), snapshot.site)
    if state is None and status is not None and not has_mode_and_owner(status, FILE_MODE, snapshot_owner(gid)):
        state = SnapshotAction.UPDATED
    if state is None:
        return None
    revision = max(revision_of(snapshot.document), revision_of(old or {}))
    document = seal_document({**snapshot.document, "revision": revision}, key)
    return SnapshotChange(snapshot.path, state, Snapshot(document, snapshot.path), gid)


def read_existing(path: Path) -> tuple[dict[str, Any] | None, os.stat_result | None]:
    """Return the document and the status of the snapshot at ``path``: no document if it is something else."""
    try:
        data, status = read_no_follow(path)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        if path.is_symlink():
            return None, path.lstat()
        raise ConfigurationError.because(f"It cannot be read: {error.strerror}.", where=str(path)) from None
    return parse_any_format(data), status


def parse_any_format(data: bytes) -> dict[str, Any] | None:
    """Return what a snapshot of any format holds; None for anything else."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    kinds = {"format": int, "revision": int, "digest": str, "site": dict}
    is_ours = isinstance(document, dict) and all(isinstance(document.get(key), kind) for key, kind in kinds.items())
    return document if is_ours else None


def choose_action(
    old: dict[str, Any] | None, new: Mapping[str, object], key: Ed25519PrivateKey | None
) -> SnapshotAction | None:
    """Return what happens to a file that holds ``old``; None when it stays."""
    if old is None:
        return SnapshotAction.CREATED
    passing = ("created", "revision")
    if (
        signed_content(old, *passing) != signed_content(new, *passing)
        or old["digest"] != digest_of(old)
        or not has_valid_signature(old, key)
    ):
        return SnapshotAction.UPDATED
    try:
        age = datetime.fromisoformat(str(new["created"])) - datetime.fromisoformat(str(old["created"]))
    except (TypeError, ValueError):
        return SnapshotAction.UPDATED
    return SnapshotAction.RENEWED if age > RENEWED_AFTER else None


def has_valid_signature(document: Mapping[str, object], key: Ed25519PrivateKey | None) -> bool:
    if key is None:
        return True
    return is_valid_signature(document.get("signature"), signed_content(document), key.public_key())


def seal_document(document: dict[str, Any], key: Ed25519PrivateKey | None) -> dict[str, Any]:
    seals = {"digest": digest_of(document)}
    if key is not None:
        seals["signature"] = sign_content(signed_content(document), key)
    return {**document, **seals}


def revision_of(document: Mapping[str, Any]) -> int:
    return int(document.get("revision", 0))


def revision_message(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return (
        f"The registry's revision {revision_of(new)} is lower than the snapshot's, {revision_of(old)}. If the "
        "registry is the newer one, state a higher revision in its [platform]."
    )


def snapshot_owner(gid: int) -> tuple[int, int] | None:
    """Return the owner that a snapshot is given; None if this process is not root and cannot give files away."""
    return (ROOT, gid) if os.geteuid() == ROOT else None


def find_stale(folder: Path, kept: Iterable[Path], platform: PlatformSpec) -> Iterator[SnapshotChange]:
    """
    Yield the removal of every snapshot in ``folder`` that is not to be kept; other files stay. Raises
    ConfigurationError for those of another platform or a later revision: another registry may be newer.
    """
    known, problems = {path.name for path in kept}, []
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be listed: {error.strerror}.", where=str(folder)) from None
    for name in names:
        path = folder / name
        old = read_existing(path)[0] if name.endswith(SUFFIX) and name not in known else None
        if old is None:
            continue
        if reason := removal_problem(old, platform):
            problems.append(Problem(str(path), reason))
        yield SnapshotChange(path, SnapshotAction.REMOVED)
    if problems:
        raise ConfigurationError(problems)


def removal_problem(old: Mapping[str, Any], platform: PlatformSpec) -> str:
    """Return why the registry of ``platform`` must not have a snapshot removed; blank when it may."""
    stated = old.get("platform")
    name = stated.get("name") if isinstance(stated, Mapping) else None
    if name != platform.name:
        return (
            f"It belongs to the platform {shown(str(name))}, and the registry to {shown(platform.name)}, so it is not "
            "removed. Remove it by hand, or choose another folder."
        )
    if revision_of(old) > platform.revision:
        return (
            f"It has the revision {revision_of(old)}, but the registry, which does not have this site, has the "
            f"revision {platform.revision}: it is not removed. If the registry is the newer one, state a higher "
            "revision in its [platform]."
        )
    return ""
