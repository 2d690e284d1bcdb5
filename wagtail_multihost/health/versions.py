"""
Saying what a site's process runs, in a file that the agent of its node reads.

The process says it itself, so that a release that is installed and not running yet is not taken for the running one.
It goes by a file and not by an answer to a request: nothing outside the node can ask for what would tell an attacker
which hole to try, and no token has to reach whoever asks.
"""

from __future__ import annotations

import logging
import platform
import threading
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.nodeapi.version_file import FILE_NAME, Versions, sift_versions, write_versions
from wagtail_multihost.resolver.uploads import TEMPORARY
from wagtail_multihost.running import registered_site

THREAD = "multihost-versions"

logger = logging.getLogger("wagtail_multihost.health")


def note_versions_in_thread() -> None:
    """Write the file in a thread of its own: looking at all packages takes longer than a request may wait."""
    path = find_path()
    if path is None:
        return
    try:
        threading.Thread(target=note_versions, args=(path,), name=THREAD, daemon=True).start()
    except RuntimeError:  # no thread can be started, which the sampler has logged
        logger.debug("The versions of the packages are not written.")


def find_path() -> Path | None:
    """Return where the file of this process's site is; None if the site has no folder of temporary files."""
    found = registered_site()
    if found is None:
        return None
    spec, site = found
    folder = spec.local_path(site.id, TEMPORARY)
    return folder / FILE_NAME if folder.is_dir() else None


def note_versions(path: Path) -> None:
    """Write the file, unless it says the same already. What goes wrong is logged: nothing depends on it."""
    try:
        data = write_versions(running_versions())
        if read_existing(path) != data:
            write_files([NewFile(str(path), data)])
    except Exception:
        logger.exception("The versions of the packages cannot be written.")


def read_existing(path: Path) -> bytes:
    try:
        return read_no_follow(path)[0]
    except OSError:
        return b""


def running_versions() -> Versions:
    """Return what this process runs."""
    return sift_versions(platform.python_version(), [*loaded_versions(), *installed_versions()])


def loaded_versions() -> Iterator[tuple[str, object]]:
    """Yield the versions that are loaded, which count before those that were installed since."""
    import django
    import wagtail

    yield "django", django.get_version()
    yield "wagtail", wagtail.__version__


def installed_versions() -> Iterator[tuple[object, object]]:
    """Yield what is installed where this process looks for modules, the first of each name before others."""
    for found in distributions():
        # What is damaged has none of these, and asking for it by an index is deprecated.
        metadata: Any = found.metadata or {}
        yield metadata.get("Name"), metadata.get("Version")
