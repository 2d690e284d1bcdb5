"""
The mark of a site's local folder: a file in it with the site's uid, compared whenever a process of the site starts.

A folder is named after the site's id, which may be reused; what an earlier site left there is not the new one's.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

NAME = ".multihost-site"
MODE = 0o440
MOST = 1000  # bytes
OPENED = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def compare_folder_mark(platform: PlatformSpec, site: SiteSpec) -> None:
    """
    Raise ConfigurationError when the site's folder has a mark that is not the site's. Before any secret is read: error
    pages show the variables of every frame.
    """
    folder = platform.data / "sites" / site.id
    try:
        opened = os.open(folder, OPENED)
    except OSError:
        return  # it does not exist yet, or what needs it will fail
    try:
        found = read_folder_mark(opened)
    except OSError as error:
        raise folder_mark_error(folder, site, f"The mark of the folder cannot be read: {error.strerror}.") from None
    finally:
        os.close(opened)
    if found is None:
        return
    if (uid := uid_in(found)) != str(site.uid):
        whose = f"belongs to the uid {shown(uid)}" if uid else "has a mark that is not valid"
        raise folder_mark_error(
            folder,
            site,
            f"The folder {whose}, but the site {site.id} has the uid {site.uid}. If an earlier site with this id left "
            "it, move the folder away or delete it. Remove the mark only if everything in the folder is this site's.",
        )


def leave_folder_mark(platform: PlatformSpec, site: SiteSpec) -> None:
    """Write the mark of the site's folder where it has none and this process may."""
    with suppress(OSError):  # it is another account's, or read-only
        opened = os.open(platform.data / "sites" / site.id, OPENED)
        try:
            if read_folder_mark(opened) is None:
                write_folder_mark(opened, platform, site)
        finally:
            os.close(opened)


def folder_mark_error(folder: Path, site: SiteSpec, message: str) -> ConfigurationError:
    return ConfigurationError.because(message, where=str(folder / NAME), site=site.id)


def read_folder_mark(folder: int) -> bytes | None:
    """Return the content of an open folder's mark; None without one. It never waits, whatever a site puts there."""
    try:
        file = os.open(NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    try:
        return os.read(file, MOST) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    finally:
        os.close(file)


def uid_in(mark: bytes) -> str:
    """Return the uid in a mark; blank when the mark is not valid."""
    try:
        return str(json.loads(mark)["uid"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def write_folder_mark(folder: int, platform: PlatformSpec, site: SiteSpec) -> None:
    """Write the mark of an open folder, as another process of the site may do at the same time."""
    from wagtail_multihost.files.writing import NewFile, create_file, draft_path  # only where there is no mark yet

    mark = {"platform": platform.name, "environment": platform.environment, "uid": str(site.uid)}
    around = os.fstat(folder)
    owner = (around.st_uid, around.st_gid) if os.geteuid() == ROOT else None
    draft = draft_path(NAME)
    try:
        create_file(draft, NewFile(NAME, json.dumps(mark).encode(), MODE, owner), folder)
        os.rename(draft, NAME, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
