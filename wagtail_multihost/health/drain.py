"""
The file that drains: while it is there, ``ready`` says ``draining``, so that no new visitors are sent.

A file that this package wrote counts only in the container (or until the machine starts again) that it was written
in: one that outlives it must not keep the next one out of service. A file that something else made always counts.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from pathlib import Path

MAX_BYTES = 4096


class Drain:
    """The drain of the processes of one site in one container."""

    def __init__(self, path: Path | None = None) -> None:
        self.stated = path

    @property
    def path(self) -> Path:
        # Several machines may share the folder; the hostname of a container is its own.
        return self.stated or Path(tempfile.gettempdir(), f"drain-{socket.gethostname()}")

    def is_on(self) -> bool:
        """Return whether the process drains; a file that cannot be read counts."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        with open(descriptor, "rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", "replace")
        return not text.startswith(HEAD) or text == text_of_now()

    def begin(self) -> None:
        """Drain. Raises OSError when the file cannot be written."""
        path = self.path
        scratch = path.with_name(f".{path.name}-{os.getpid()}-{os.urandom(4).hex()}")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        try:
            with open(descriptor, "w") as file:
                file.write(text_of_now())
            os.replace(scratch, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(scratch)
            raise

    def end(self) -> None:
        """Serve again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


HEAD = "# wagtail-multihost drain "


def text_of_now() -> str:
    return f"{HEAD}{instance()}\n"


def instance() -> str:
    """
    Return what tells this container from the one before: when its first process was started, and the machine's start
    (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, field 22; random/boot_id).
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        started = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "unknown"
    return f"{boot} {started}"
