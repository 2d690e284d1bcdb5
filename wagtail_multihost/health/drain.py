"""
The file that drains: while it is there, ``ready`` says ``draining``, so that no new visitors are sent.

A file that this package wrote counts only in the container (or until the machine starts again) that it was written
in: one that outlives it must not keep the next one out of service. A file that something else made always counts.
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
    is in the folder of temporary files, which may be everybody's: there only a file of the process's own account, or
    root's, counts.
    """

    def __init__(self, path: Path | None = None, site: str = "") -> None:
        self.stated = str(path).replace("{site}", site) if path else ""
        self.name = f"drain-{site}-" if site else "drain-"

    @property
    def path(self) -> Path:
        return Path(self.place())

    def place(self) -> str:
        """Return the path as text, which takes a tenth of the time: every ``ready`` asks."""
        # Several machines may share the folder; the hostname of a container is its own.
        return self.stated or f"{tempfile.gettempdir()}/{self.name}{socket.gethostname()}"

    def is_on(self) -> bool:
        """Return whether the process drains; a file that cannot be read counts, one that cannot be reached does not."""
        try:
            place = self.place()
        except FileNotFoundError:  # the process can write nowhere, and nobody could drain it by a file there
            return False
        # Nearly always there is none, and an exception would take longer than all the rest.
        return os.access(place, os.F_OK) and (bool(self.stated) or is_own(place)) and counts(place)

    def begin(self) -> None:
        """Drain. Raises OSError when the file cannot be written."""
        write_files([NewFile(str(self.path), text_of_now().encode(), 0o644)])

    def end(self) -> None:
        """Serve again. Raises OSError when the file cannot be removed."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def is_own(place: str) -> bool:
    """
    Return whether a file is this account's, which could stop the process as well, or root's. A second name of such a
    file does not count: anybody may give it one that may write it (protected_hardlinks in proc_sys_fs(5)).
    """
    try:
        found = os.lstat(place)
    except OSError:
        return False
    return found.st_uid in (ROOT, os.geteuid()) and (found.st_nlink == 1 or stat.S_ISDIR(found.st_mode))


def counts(place: str) -> bool:
    """Return whether a file that is there drains: whoever made it, unless it is what is left of an earlier drain."""
    try:
        # Neither a link nor a pipe without a writer may hold up a request.
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        text = os.read(descriptor, MAX_BYTES).decode("utf-8", "replace")
        written = os.fstat(descriptor).st_mtime
    except OSError:  # a folder, or a pipe that somebody writes to
        return True
    finally:
        os.close(descriptor)
    return not text.startswith(HEAD) or (written >= machine_started() and is_of_now(text))


def text_of_now() -> str:
    return f"{HEAD}{' '.join(f'{name}={value}' for name, value in instance().items())}\n"


def is_of_now(text: str) -> bool:
    """
    Return whether ``text`` was written in this container. Only what both sides know is compared: a service may not
    see the files of /proc that a shell sees (``ProcSubset=pid`` and ``ProtectProc=invisible`` of systemd.exec(5)).
    """
    stated = dict(word.partition("=")[::2] for word in text.removeprefix(HEAD).split())
    return all(stated.get(name, value) == value for name, value in instance().items())


@lru_cache(maxsize=1)
def instance() -> dict[str, str]:
    """
    Return what tells this container from the one before, as far as it can be seen: the machine's start
    (random/boot_id), and when the first process was started
    (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, field 22).
    """
    known = {}
    with contextlib.suppress(OSError):
        known["boot"] = Path(PROC, "sys/kernel/random/boot_id").read_text().strip()
    with contextlib.suppress(OSError, IndexError):
        known["init"] = Path(PROC, "1/stat").read_text().rpartition(")")[2].split()[19]
    return known


def machine_started() -> float:
    """Return when the machine started, in seconds since the epoch; 0 where the system does not tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() - time.clock_gettime(clock) if clock is not None else 0
