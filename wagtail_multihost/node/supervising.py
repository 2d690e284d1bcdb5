"""Telling whoever started the agent how it is: systemd by its socket, others by a file that is there while it is so."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

READY, STOPPING = "READY=1", "STOPPING=1"
FILE_MODE = 0o644


class Supervisor:
    """Whoever started the agent: ``environ`` may have a socket, and the node file the path of a ``ready`` file."""

    def __init__(self, environ: Mapping[str, str], ready: Path | None) -> None:
        self.address = environ.get("NOTIFY_SOCKET", "")
        self.ready = ready
        #: What was shown last of the node's health.
        self.shown: tuple[bool, Path | None] | None = None
        # It may be one of a run that was killed.
        self.remove_file()

    def tell_ready(self) -> None:
        """Say that what is on the disk is in use, and may be asked."""
        notify(self.address, READY)
        make_file(self.ready)

    def tell_stopping(self) -> None:
        """Say that the node is to be asked no longer, as the agent ends."""
        notify(self.address, STOPPING)
        self.remove_file()

    def show_health(self, *, is_healthy: bool, marker: Path | None) -> None:
        """
        Show whether the node is healthy, once it is ready: by the same file, and by a ``marker`` that nginx looks for,
        if any, which is there while it is not. One that an agent has left that was killed goes.
        """
        if (is_healthy, marker) == self.shown:
            return
        make_file(self.ready if is_healthy else marker)
        drop_file(marker if is_healthy else self.ready)
        self.shown = (is_healthy, marker)

    def remove_file(self) -> None:
        drop_file(self.ready)


def make_file(path: Path | None) -> None:
    if path is not None:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE))
        except OSError as error:
            logger.warning("The file %s cannot be made: %s.", path, error.strerror)


def drop_file(path: Path | None) -> None:
    """Remove a file that stands for something by being there; one that has something in it is none."""
    if path is None:
        return
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and not status.st_size:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning("The file %s cannot be removed: %s.", path, error.strerror)


def notify(address: str, message: str) -> None:
    """Send a message to systemd (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html)."""
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
        try:
            opened.sendto(message.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError as error:
            logger.warning("The supervisor could not be told %s: %s.", message, error.strerror)
