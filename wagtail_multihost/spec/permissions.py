"""Who may own, read and write a file that must not be forged or must be kept secret."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = 0
#: Only the owner may write.
NO_FOREIGN_WRITING = 0o022
#: Only the owner may write, and only the owner and the group may read.
NO_FOREIGN_ACCESS = 0o027
#: Container engines mount secrets here for the one service of a container, with the mode 0444 by default
#: (https://docs.docker.com/reference/compose-file/services/#secrets), or with the owner of the host's file.
ENGINE_SECRETS = Path("/run/secrets")
# As many as Linux follows (path_resolution(7)).
MOST_LINKS = 40
ACCEPTED_MODES = {
    NO_FOREIGN_WRITING: "no writing by its group or others",
    NO_FOREIGN_ACCESS: "0400, 0440, 0600 or 0640 (no access for others, no writing by its group)",
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


def foreign_writer_problem(path: Path, owners: Collection[int]) -> str:
    """Return what on the way to ``path``, or at its end, an account other than ``owners`` can change; blank if none."""
    waiting, current, links = list(reversed(path.absolute().parts[1:])), Path("/"), 0
    while True:
        found, status = current, current.lstat()
        if stat.S_ISLNK(status.st_mode):
            links += 1
            problem = access_problem(status, 0, owners)
            target = current.readlink()
            waiting += reversed(target.parts)
            current = Path("/") if target.is_absolute() else current.parent
        else:
            passes = waiting and status.st_mode & stat.S_ISVTX
            problem = access_problem(status, 0 if passes else NO_FOREIGN_WRITING, owners)
        if problem or links > MOST_LINKS:
            return f"{found}: {problem or 'Too many links.'}"
        if not waiting:
            return ""
        name = waiting.pop()
        current = Path("/") if name == "/" else current.parent if name == ".." else current / name
        if not os.path.lexists(current):
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
