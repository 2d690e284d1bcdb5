"""Which sites have files on this node, whatever the registry says: none of them is removed without its saying so."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from wagtail_multihost.emitters.emitter import Emitter
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshot_changes import read_existing
from wagtail_multihost.registry.snapshot import SUFFIX, signed_content
from wagtail_multihost.spec.identifiers import parse_site_id

#: Stands for any id in the paths of a site's files.
ANY = "*"
#: What differs from one snapshot to the next although the site is the same.
PASSING = ("created", "revision")


def sites_on_disk(snapshots: Path | None, output: Path, targets: Iterable[Emitter]) -> frozenset[str]:
    """Return the ids of the sites that have a snapshot, or a file of their own for one of the targets."""
    found = {path.name.removesuffix(SUFFIX) for path in files_in(snapshots, f"{ANY}{SUFFIX}")}
    for target in targets:
        for pattern in target.paths_of(ANY):
            found.update(ids_by(pattern, output))
    return frozenset(site for site in found if is_id(site))


def ids_by(pattern: PurePosixPath, output: Path) -> Iterator[str]:
    before, _, after = str(pattern).partition(ANY)
    shape = re.compile(f"{re.escape(before)}([^/]+){re.escape(after)}")
    for path in files_in(output, str(pattern)):
        if match := shape.fullmatch(path.relative_to(output).as_posix()):
            yield match[1]


def files_in(folder: Path | None, pattern: str) -> Iterator[Path]:
    return iter(()) if folder is None else (path for path in folder.glob(pattern) if path.is_file())


def is_id(text: str) -> bool:
    try:
        return parse_site_id(text) == text
    except ValueError:
        return False


def uids_of(sites: Iterable[str], snapshots: Path | None) -> dict[str, str]:
    """Return the uids of those of the sites that have a snapshot which says it."""
    found = {}
    for site in sites:
        document = read_document(site, snapshots)
        if document and document["site"].get("uid"):
            found[site] = str(document["site"]["uid"])
    return found


def digests_of(sites: Iterable[str], snapshots: Path | None) -> dict[str, str]:
    """Return a digest of what each site's snapshot says, which changes when its processes have to read it again."""
    found = {}
    for site in sites:
        if document := read_document(site, snapshots):
            found[site] = digest_of(document)
    return found


def digest_of(document: Mapping[str, Any]) -> str:
    """Return a digest of what a snapshot says of its site."""
    return hashlib.sha256(signed_content(document, *PASSING)).hexdigest()[:32]


def read_document(site: str, snapshots: Path | None) -> Mapping[str, Any] | None:
    if snapshots is None:
        return None
    try:
        return read_existing(snapshots / f"{site}{SUFFIX}")[0]
    except ConfigurationError:
        return None
