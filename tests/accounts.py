"""Other accounts in one process: when the tests run as root, they can act as somebody who may not read everything."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can act as other accounts")
#: Accounts that every Debian has.
NOBODY = pwd.getpwnam("nobody").pw_uid
SITE_GROUP, OTHER_GROUP = "games", "news"


@contextlib.contextmanager
def acting_as(uid: int, *groups: int) -> Iterator[None]:
    """Take an account and its groups for a while, as the effective ones."""
    before = os.getgroups(), os.getegid()
    os.setgroups(groups)
    os.setegid(groups[0] if groups else pwd.getpwuid(uid).pw_gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setgroups(before[0])
        os.setegid(before[1])


@contextlib.contextmanager
def passable_folder() -> Iterator[Path]:
    """Make a folder that every account may enter: pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="multihost-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
