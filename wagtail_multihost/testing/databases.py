"""The kit's own SQLite databases: one file is migrated, and each site starts with a copy of it."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

FILE = "migrated.sqlite3"
#: So many migrated files stay in a folder, of the latest states of a project and its settings.
KEPT = 5


class MigratedDatabases:
    """A folder with migrated files that belong to no site yet, each under the digest of what it was made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __bool__(self) -> bool:
        """Return whether the folder has any file."""
        return any(self.folder.glob(f"*/{FILE}"))

    def find(self, digest: str) -> Path | None:
        """Return the file with ``digest``, if there is one."""
        path = self.folder / digest / FILE
        return path if path.is_file() else None

    def keep(self, database: Path, digest: str) -> Path:
        """Copy a migrated file here, completely or not at all: several runs may share the folder."""
        path = self.folder / digest / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{secrets.token_hex(8)}")
        shutil.copyfile(database, partial)
        partial.replace(path)
        self.remove_oldest()
        return path

    def remove_oldest(self) -> None:
        """Remove all but the newest KEPT files."""
        files = sorted(self.folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[KEPT:]:
            shutil.rmtree(path.parent, ignore_errors=True)


def copy_database(migrated: Path, name: str) -> None:
    """Give a site a copy of the migrated file, unless it has a database."""
    path = Path(name)
    if name and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated, path)
