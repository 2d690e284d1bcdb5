"""
The highest revision that anything on this machine has seen: a node that has seen a later one than the registry's would
take the registry for an old copy.

Sites can write their own fuses, so a fuse alone cannot raise the revision far.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg

from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.nodeapi.connection import Bounds, UnreachableError, fetch_row, open_connection
from wagtail_multihost.publishing.snapshot_changes import read_existing, revision_of
from wagtail_multihost.registry.base import Contents
from wagtail_multihost.registry.snapshot import SUFFIX
from wagtail_multihost.registry.watch import Watch, watch_nothing
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

#: How far above what this machine's own files say a fuse may be.
MOST_ABOVE = 1_000_000
SECONDS = 2.0
BOUNDS = Bounds(connect=2, statement=2)
STEPS = 10_000
# A site may have anything in the table's place.
QUERY = "SELECT revision FROM wagtail_multihost_identity LIMIT 1"


class Observed(NamedTuple):
    """The highest ``revision``, and sentences about what was not counted."""

    revision: int
    cautions: tuple[str, ...] = ()


def observe(contents: Contents, watch: Watch = watch_nothing) -> Observed:
    """Return the highest revision of the registry itself, of every snapshot, and of the fuses in sites' databases."""
    trusted = max([contents.platform.revision, *snapshot_revisions(contents.platform.snapshots)])
    highest, cautions = trusted, []
    for site, revision in fuse_revisions(watch(len(contents.sites), "databases")(contents.sites)):
        if revision > trusted + MOST_ABOVE:
            cautions.append(
                f"The database of {site.id} says that it has seen the revision {revision}, which is too high to be "
                "believed. It was not counted."
            )
        else:
            highest = max(highest, revision)
    return Observed(highest, tuple(cautions))


def snapshot_revisions(folder: Path | None) -> Iterator[int]:
    """Yield the revision of each snapshot in a folder; files that are none are left out."""
    if folder is None or not folder.is_dir():
        return
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            document, _ = read_existing(path)
        except ConfigurationError:
            continue
        if document is not None:
            yield revision_of(document)


def fuse_revisions(sites: Iterable[SiteSpec]) -> Iterator[tuple[SiteSpec, int]]:
    """Yield the sites whose database can be asked and has a fuse, with the revision that this has seen."""
    silent: set[tuple[str, int]] = set()
    for site in sites:
        database = site.database
        found = ask_database_server(database, silent) if database.path is None else read_fuse(database.path)
        if found is not None:
            yield site, found


def ask_database_server(database: DatabaseSpec, silent: set[tuple[str, int]]) -> int | None:
    """
    Return the revision in the fuse of a database on a server; None where there is none, or it cannot be asked. A server
    that does not answer is added to the ``silent`` ones, which are not asked again.
    """
    place = (database.host, database.port)
    if place in silent:
        return None
    stated = {"host": database.host, "port": database.port, "dbname": database.name, "user": database.user}
    parameters: dict[str, str | Secret] = {
        key: str(value) for key, value in {**dict(database.options), **stated}.items()
    }
    if database.password is not None:
        parameters["password"] = database.password
    try:
        with open_connection(parameters, BOUNDS) as connection:
            return ask_fuse(connection)
    except UnreachableError:
        silent.add(place)
    except (MultihostError, psycopg.Error, ValueError):
        pass
    return None


def ask_fuse(connection: psycopg.Connection) -> int | None:
    """Return the revision in the fuse of a database; one that hangs does not make its server a silent one."""
    try:
        return revision_in(fetch_row(connection, QUERY, (), BOUNDS))
    except MultihostError:
        return None


def read_fuse(path: Path) -> int | None:
    """Return the revision in the fuse of a SQLite file; None where there is none, or it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        # Immutable: nothing is written beside a file of the site's, and its journal is not rolled back.
        with closing(sqlite3.connect(f"file:/proc/self/fd/{descriptor}?immutable=1", uri=True)) as connection:
            return read_revision(connection)
    except (sqlite3.Error, OverflowError):
        return None
    finally:
        os.close(descriptor)


def read_revision(connection: sqlite3.Connection) -> int | None:
    until = time.monotonic() + SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    return revision_in(connection.execute(QUERY).fetchone())


def revision_in(row: tuple[object, ...] | None) -> int | None:
    return row[0] if row and isinstance(row[0], int) else None
