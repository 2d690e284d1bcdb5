"""Telling whoever started the agent how it is: systemd by its socket, others by a file that is there while it is so."""

from __future__ import annotations

import logging
import os
import socket
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
        # It may be one of a run that was killed.
        self.remove_file()

    def tell_ready(self) -> None:
        """Say that what is on the disk is in use, and may be asked."""
        notify(self.address, READY)
        if self.ready is not None:
            try:
                os.close(os.open(self.ready, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE))
            except OSError as error:
                logger.warning("The file %s cannot be made: %s.", self.ready, error.strerror)

    def tell_stopping(self) -> None:
        """Say that the node is to be asked no longer, as the agent ends."""
        notify(self.address, STOPPING)
        self.remove_file()

    def remove_file(self) -> None:
        if self.ready is None:
            return
        try:
            self.ready.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("The file %s cannot be removed: %s.", self.ready, error.strerror)


def notify(address: str, message: str) -> None:
    """Send a message to systemd (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html)."""
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
        try:
            opened.sendto(message.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError as error:
            logger.warning("The supervisor could not be told %s: %s.", message, error.strerror)
