"""
The drain file: while it exists, ``ready`` answers ``draining``, so that no new visitors are sent.

A file that this package wrote counts only in the container that it was written in, or until the machine restarts: one
that outlives its container must not keep the next one out of service. A file that something else created always
counts.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.spec.permissions import ROOT

MAX_BYTES = 4096
HEAD = "# wagtail-multihost drain "
PROC = "/proc"


class Drain:
    """
    The drain of the processes of ``site`` in one container. ``{site}`` in ``path`` is its id. Without a path the file
    is in the folder of temporary files, which everybody may write to: there only a file that belongs to the process's
    own account or to root counts.
    """

    def __init__(self, path: Path | None = None, site: str = "") -> None:
        self.stated = str(path).replace("{site}", site) if path else ""
        self.name = f"drain-{site}-" if site else "drain-"

    @property
    def path(self) -> Path:
        return Path(self.path_text())

    def path_text(self) -> str:
        """Return the path as text, which takes a tenth of the time: every ``ready`` needs it."""
        # Several machines may share the folder; each container has its own hostname.
        return self.stated or f"{tempfile.gettempdir()}/{self.name}{socket.gethostname()}"

    def is_on(self) -> bool:
        """Return whether the process drains; a file that cannot be read counts, one that cannot be reached does not."""
        try:
            place = self.path_text()
        except FileNotFoundError:  # no folder is writable, so there can be no file
            return False
        # Nearly always there is none, and an exception would take longer than everything else.
        return os.access(place, os.F_OK) and (bool(self.stated) or has_trusted_owner(place)) and is_active(place)

    def begin(self) -> None:
        """Start to drain. Raises OSError if the file cannot be written."""
        write_files([NewFile(str(self.path), drain_text().encode(), 0o644)])

    def end(self) -> None:
        """Serve again. Raises OSError if the file cannot be removed."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def has_trusted_owner(place: str) -> bool:
    """
    Return whether a file belongs to this account, which could stop the process anyway, or to root. A file with a second
    hard link does not count: whoever may write to a file may link to it (protected_hardlinks in proc_sys_fs(5)).
    """
    try:
        found = os.lstat(place)
    except OSError:
        return False
    return found.st_uid in (ROOT, os.geteuid()) and (found.st_nlink == 1 or stat.S_ISDIR(found.st_mode))


def is_active(place: str) -> bool:
    """Return whether an existing file drains, whoever made it; the rest of an earlier drain does not."""
    try:
        # A request must wait neither for a link nor for a pipe without a writer.
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        text = os.read(descriptor, MAX_BYTES).decode("utf-8", "replace")
        written = os.fstat(descriptor).st_mtime
    except OSError:  # a folder, or a pipe with a writer
        return True
    finally:
        os.close(descriptor)
    return not text.startswith(HEAD) or (written >= boot_time() and is_of_this_instance(text))


def drain_text() -> str:
    return f"{HEAD}{' '.join(f'{name}={value}' for name, value in instance_marks().items())}\n"


def is_of_this_instance(text: str) -> bool:
    """
    Return whether ``text`` was written in this container. Only what both sides know is compared: a service may not
    see the files of /proc that a shell sees (``ProcSubset=pid`` and ``ProtectProc=invisible`` of systemd.exec(5)).
    """
    stated = dict(word.partition("=")[::2] for word in text.removeprefix(HEAD).split())
    return all(stated.get(name, value) == value for name, value in instance_marks().items())


@lru_cache(maxsize=1)
def instance_marks() -> dict[str, str]:
    """
    Return what distinguishes this container from the one before, as far as it is visible: the boot of the machine
    (random/boot_id), and when the first process was started
    (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, field 22).
    """
    known = {}
    with contextlib.suppress(OSError):
        known["boot"] = Path(PROC, "sys/kernel/random/boot_id").read_text().strip()
    with contextlib.suppress(OSError, IndexError):
        known["init"] = Path(PROC, "1/stat").read_text().rpartition(")")[2].split()[19]
    return known


def boot_time() -> float:
    """Return when the machine booted, in seconds since the epoch; 0 if the system does not say."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() - time.clock_gettime(clock) if clock is not None else 0
