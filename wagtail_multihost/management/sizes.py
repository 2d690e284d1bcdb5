"""How much room a site takes: its database and its files, as its own account may look at them."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage, default_storage
from django.db import DEFAULT_DB_ALIAS, connections

#: Seconds, and numbers of files, after which a storage counts as too big to be looked at.
LONGEST, MOST_FILES = 90.0, 2_000_000


def measure_database() -> int | None:
    """Return the size of the site's database in bytes; None where it cannot be looked at."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    if connection.vendor == "sqlite":
        return measure_sqlite(str(connection.settings_dict["NAME"]))
    return None


def measure_sqlite(path: str) -> int | None:
    """Return the size of the file with what is not written back to it yet."""
    found = [size for suffix in ("", "-wal", "-journal") if (size := size_of(path + suffix)) is not None]
    return sum(found) if found else None


def size_of(path: str) -> int | None:
    with suppress(OSError):
        return os.stat(path).st_size
    return None


def measure_storage(clock: Callable[[], float] = time.monotonic) -> int | None:
    """Return the size of the files in the default storage; None if there are too many, or it lists none."""
    ends, total = clock() + LONGEST, 0
    sizes = sizes_in(default_storage)
    if sizes is None:
        return None
    for number, size in enumerate(sizes):
        if number >= MOST_FILES or clock() > ends:
            return None
        total += size
    return total


def sizes_in(storage: Any) -> Iterator[int] | None:
    if isinstance(getattr(storage, "_wrapped", storage), FileSystemStorage):
        return sizes_in_folder(Path(storage.location))
    bucket = getattr(storage, "bucket", None)  # django-storages' S3Storage
    if bucket is None:
        return None
    prefix = f"{storage.location.strip('/')}/" if storage.location.strip("/") else ""
    return (int(found.size) for found in bucket.objects.filter(Prefix=prefix))


def sizes_in_folder(folder: Path) -> Iterator[int]:
    """Yield the sizes of plain files below a folder, without following links."""
    for around, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found = os.lstat(os.path.join(around, name))
                if stat.S_ISREG(found.st_mode):
                    yield found.st_size
