"""Who may own, read and write a file that must not be forged or must be kept secret."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = 0
#: Only the owner may write.
NO_FOREIGN_WRITING = 0o022
#: Only the owner may write, and only the owner and the group may read.
NO_FOREIGN_ACCESS = 0o027
#: Nobody but the owner may do anything.
OWNER_ALONE = 0o077
#: Container engines mount secrets here for the one service of a container, with the mode 0444 by default
#: (https://docs.docker.com/reference/compose-file/services/#secrets), or with the owner of the host's file.
ENGINE_SECRETS = Path("/run/secrets")
# As many as Linux follows (path_resolution(7)).
MOST_LINKS = 40
ACCEPTED_MODES = {
    NO_FOREIGN_WRITING: "no writing by its group or others",
    NO_FOREIGN_ACCESS: "0400, 0440, 0600 or 0640 (no access for others, no writing by its group)",
    OWNER_ALONE: "0400 or 0600 (no access for its group and others)",
}


def access_problem(status: os.stat_result, forbidden: int, owners: Collection[int]) -> str:
    """Return why a file with this ``status`` is not to be trusted, as a sentence; blank when it is."""
    if status.st_uid not in owners:
        accepted = " or ".join(account_name(uid) for uid in dict.fromkeys(owners))
        return f"It belongs to {account_name(status.st_uid)}; accepted: {accepted}."
    if status.st_mode & forbidden:
        return f"It has the mode {status.st_mode & 0o7777:04o}; accepted: {ACCEPTED_MODES[forbidden]}."
    return ""


def path_problem(path: Path) -> str:
    """
    Return why another account could lead root, who uses ``path``, elsewhere, or could change what is there; blank if
    none could. It is blank for processes that are not root: they use what their own account may.

    Every folder on the way counts, and every symbolic link. What does not exist yet does not count, so nothing has to
    be made first. Sticky folders such as /tmp may be on the way: there only the owner of an entry can rename it.
    """
    if os.geteuid() != ROOT:
        return ""
    problem = foreign_writer_problem(path, (ROOT,))
    return f"The path {path} is not accepted for root's files: {problem}" if problem else ""


class Step(NamedTuple):
    """
    What is on the way to a path: its ``status``, the ``target`` where it is a link, and the ``rest`` of the names that
    were still to be looked up.
    """

    path: Path
    status: os.stat_result
    target: Path | None
    rest: tuple[str, ...]


def walk_path(path: Path) -> Iterator[Step]:
    """
    Yield each folder and link on the way to ``path``, and what is at its end, from the root on and by one look at each:
    between two, others could change something. The way ends where nothing is, or after more links than Linux follows.
    """
    rest, current, links = path.absolute().parts[1:], Path("/"), 0
    while links <= MOST_LINKS:
        try:
            status = current.lstat()
            target = current.readlink() if stat.S_ISLNK(status.st_mode) else None
        except OSError:  # nothing is there, or no longer: the owner of a folder may change it meanwhile
            return
        yield Step(current, status, target, rest)
        if target:
            rest, links = (*target.parts, *rest), links + 1
            current = Path("/") if target.is_absolute() else current.parent
        if not rest:
            return
        name, *others = rest
        current = Path("/") if name == "/" else current.parent if name == ".." else current / name
        rest = tuple(others)


def step_problem(step: Step, owners: Collection[int]) -> str:
    """Return why an account other than ``owners`` could change a step of the way, with its path; blank if none."""
    # In a sticky folder on the way, only the owner of an entry can change it.
    is_fixed = step.target or (step.rest and step.status.st_mode & stat.S_ISVTX)
    problem = access_problem(step.status, 0 if is_fixed else NO_FOREIGN_WRITING, owners)
    return f"{step.path}: {problem}" if problem else ""


def foreign_writer_problem(path: Path, owners: Collection[int]) -> str:
    """Return what on the way to ``path``, or at its end, an account other than ``owners`` can change; blank if none."""
    links = 0
    for step in walk_path(path):
        if problem := step_problem(step, owners):
            return problem
        links += step.target is not None
        if links > MOST_LINKS:
            return f"{step.path}: Too many links."
    return ""


def make_trusted_folders(path: Path, mode: int) -> Iterator[Path]:
    """
    Make a folder with ``mode`` (less the umask), and those above it that are missing, and yield each that is new.

    Raises PermissionError where root would make one on a way that another account can change: below a sticky folder,
    that account could have made a missing folder first, or a link to a folder of root's in its place.
    """
    if path.is_dir():
        return
    yield from make_trusted_folders(path.parent, mode)
    if problem := path_problem(path):
        raise PermissionError(errno.EPERM, problem.removesuffix("."), str(path))
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        yield path


def own_accounts() -> tuple[int, ...]:
    """Return root and the account of this process."""
    return (ROOT, os.geteuid())


def account_name(uid: int) -> str:
    import pwd  # loads only for a message

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the uid {uid}"


def secret_file_problem(path: Path, status: os.stat_result, *, in_any_folder: bool = False) -> str:
    """
    Return why the secret file at ``path``, which is open and has this ``status``, is refused; blank if it is not.
    ``in_any_folder`` accepts a file on a way that another account can change.
    """
    if path.is_relative_to(ENGINE_SECRETS):
        return access_problem(status, NO_FOREIGN_WRITING, (status.st_uid,))
    owners = own_accounts()
    # A link that another account made may lead to a file that this account must not read on its behalf. So may a folder
    # on the way, into which a site has moved that of another one.
    problem = access_problem(path.lstat(), 0, owners) or access_problem(status, NO_FOREIGN_ACCESS, owners)
    return problem if problem or in_any_folder else path_problem(path)
