"""
The two files between the agent and the monitor beside it. The monitor reads answers of hostile sites, so its file is
read like theirs: no link, nothing of another account, no more bytes than its hostnames need, and no word of its own in
what is said of it.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.files.reading import Mark, mark_of
from wagtail_multihost.files.writing import DRAFT, NewFile, remove_files, write_files
from wagtail_multihost.nodeapi.probe_files import (
    MOST_BYTES,
    STALE_AFTER,
    Observed,
    Target,
    parse_observed,
    render_targets,
)
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import (
    NO_FOREIGN_WRITING,
    ROOT,
    access_problem,
    make_trusted_folders,
    path_problem,
)

#: The monitor's account reads it by its group, and no site's account does.
TARGETS_MODE, FOLDER_MODE = 0o640, 0o755
#: Bytes of the monitor's file: of each hostname it has a line, and some counted latencies.
BASE_BYTES, BYTES_OF_HOSTNAME = 4096, 2000
SILENT = f"It has said nothing for {STALE_AFTER:g} seconds."
NO_FILE = "There is no such file."


class Account(NamedTuple):
    """The monitor's account by its numbers."""

    uid: int
    gid: int


def find_account(name: str) -> Account:
    """Return the account of the monitor; that of this process where it is not root. Raises ValueError."""
    if os.geteuid() != ROOT:
        return Account(os.geteuid(), os.getegid())
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ValueError(f"There is no account {shown(name)}.") from None
    if found.pw_uid == ROOT:
        raise ValueError(f"The account {shown(name)} is root by its number, which reads no answers of sites.")
    return Account(found.pw_uid, found.pw_gid)


class TargetsFile:
    """The file at a ``path`` that says what is to be asked from ``place``, a node's id."""

    def __init__(self, path: Path, place: str) -> None:
        self.path, self.place = path, place
        self.written: tuple[Sequence[Target], Account, Mark | None] | None = None

    def write(self, targets: Sequence[Target], account: Account) -> bool:
        """Write the targets if they or the file are not as before; return whether they were. Raises OSError."""
        if (
            self.written is not None
            and self.written[0] is targets
            and self.written[1:] == (account, mark_of(self.path))
        ):
            return False
        data = render_targets(self.place, targets)
        for folder in make_trusted_folders(self.path.parent, FOLDER_MODE):
            folder.chmod(FOLDER_MODE)
        if problem := path_problem(self.path.parent):
            raise PermissionError(1, problem.rstrip("."), str(self.path))
        self.remove_drafts()
        owner = (ROOT, account.gid) if os.geteuid() == ROOT else None
        write_files([NewFile(str(self.path), data, TARGETS_MODE, owner)])
        self.written = (targets, account, mark_of(self.path))
        return True

    def remove_drafts(self) -> None:
        """Remove what a killed agent has left of this file; others may write into the folder too."""
        names = os.listdir(self.path.parent)
        mine = (name for name in names if DRAFT.fullmatch(name) and name.startswith(f".{self.path.name}."))
        remove_files(str(self.path.parent / name) for name in mine)


class ObservationsFile:
    """
    The file at a ``path`` that says what was concluded from ``place``. Either what was ``read`` last counts, or there
    is a ``problem``.
    """

    def __init__(self, path: Path, place: str) -> None:
        self.path, self.place = path, place
        self.seen: tuple[Mark, Account, frozenset[str]] | None = None
        self.observed: Observed | None = None
        self.problem = ""

    def read(self, hostnames: Collection[str], account: Account) -> None:
        """Read the file if it is another one, or is to be read otherwise."""
        mark = mark_of(self.path)
        if mark is None:
            self.seen, self.observed, self.problem = None, None, ""
            return
        seen = (mark, account, frozenset(hostnames))
        if seen == self.seen:
            return
        self.seen = seen
        try:
            data = read_of_account(self.path, account, bytes_of(len(hostnames)))
            self.observed, self.problem = parse_observed(data, self.place, hostnames), ""
        except FileNotFoundError:
            self.seen, self.observed, self.problem = None, None, ""
        except OSError as error:
            self.observed, self.problem = None, f"It cannot be read: {error.strerror}."
        except (ValueError, RecursionError, MemoryError) as error:
            self.observed, self.problem = None, sentence_of(error)

    def find_fresh(self, now: float) -> Observed | None:
        """Return what the monitor says, if it is of now, by the machine's clock."""
        observed = self.observed
        return observed if observed is not None and 0 <= now - observed.at <= STALE_AFTER else None


def bytes_of(hostnames: int) -> int:
    return min(MOST_BYTES, BASE_BYTES + BYTES_OF_HOSTNAME * hostnames)


def read_of_account(path: Path, account: Account, most: int) -> bytes:
    """
    Return the content of a regular file, no link, of the ``account``, of at most so many bytes; raises OSError and
    ValueError.
    """
    # Not blocking: a pipe must not stop the process.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("It is no regular file.")
        if problem := access_problem(status, NO_FOREIGN_WRITING, (account.uid,)):
            raise ValueError(problem)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise ValueError("It is too large.")
    return data


def sentence_of(error: BaseException) -> str:
    """Return why a file is refused, in a sentence that has nothing of the file in it."""
    said = str(error) if type(error) is ValueError else ""
    return said if said.endswith(".") else "It was not written by a monitor of this version."
