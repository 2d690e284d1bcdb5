"""The accounts that servers run under: a Debian server's when the tests run as root, so that file modes count."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

IS_ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Account:
    """A user and a group; without root, whoever runs the tests."""

    user: str
    group: str

    def command(self, *words: str | Path) -> list[str | Path]:
        """Return the words that run a program under this account, and end it with the thread that started it."""
        identity = ["--reuid", self.user, "--regid", self.group, "--clear-groups"] if IS_ROOT else []
        return ["setpriv", "--pdeathsig", "TERM", *identity, "--", *words]

    def take(self, path: Path, mode: int) -> Path:
        """Make this account the owner of ``path``."""
        if IS_ROOT:
            shutil.chown(path, self.user, self.group)
        path.chmod(mode)
        return path

    def folder(self, path: Path, mode: int) -> Path:
        """Make a folder that this account owns."""
        path.mkdir()
        return self.take(path, mode)

    def write(self, path: Path, text: str, mode: int = 0o600) -> Path:
        """Write a file that this account owns."""
        path.touch(mode=0o600)
        path.write_text(text)
        return self.take(path, mode)


ROOT = Account("root", "root")
#: Serves the sites. Its group is the front server's, which reads uploads and connects to sockets.
SITES = Account("nobody", "www-data")
#: nginx's workers.
FRONT = Account("www-data", "www-data")
POSTGRES = Account("postgres", "postgres")
OTHERS = Account("nobody", "nogroup")
