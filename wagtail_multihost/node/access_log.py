"""
What nginx has written into its access log since the last look: each line once, also when the log is rotated meanwhile.

Only nginx writes there, in the emitted format ``multihost``: the site is the one that it has chosen by the hostname,
and whatever a visitor or a site sent is escaped as in JSON, so that no line counts for another site than its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

#: Of one look. What is left is read by the next ones.
MOST_BYTES = 32 << 20
BLOCK = 1 << 20
#: A line is no longer: a visitor's headers are bounded by the emitted configuration.
LONGEST_LINE = 1 << 18
#: So much of a file's beginning tells it from another one that has got its number.
HEAD = 128
#: So many files are followed: the one that is written, and those that it was renamed to.
MOST_FILES = 4
#: So often a renamed file is looked at after its last line: nginx writes there until it opens the new one.
LAST_LOOKS = 5
#: Unescaped, the quotes are nginx's own: those that were sent have a backslash before each.
LINE = re.compile(
    rb'\{"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}):[0-9]{2}:[0-9]{2}([+-][0-9]{2}:[0-9]{2})",'
    rb'"site":"([a-z0-9-]{1,40})","host":".*?","scheme":"[a-z]{1,8}","status":[0-9]{3},"bytes":([0-9]{1,15}),"seconds":'
)


class Hour(NamedTuple):
    """The requests of a ``site`` that ended in an hour of the node's clock, such as ``2026-12-01T16+00:00``."""

    site: str
    hour: str


class Counted(NamedTuple):
    """How many ``requests`` there were, and how many ``bytes`` the bodies of the answers had."""

    requests: Counter[Hour]
    bytes: Counter[Hour]


class Place(NamedTuple):
    """How far a file was read: its number, what its beginning is told by, and how often nothing has come since."""

    device: int
    inode: int
    head: str
    head_length: int
    offset: int
    idle: int = 0


class Reading(NamedTuple):
    """What was ``counted``, the ``places`` to go on from, and whether there is more to read."""

    counted: Counted
    places: tuple[Place, ...]
    has_more: bool


def count_line(line: bytes, counted: Counted) -> None:
    """Count the request that a line tells of; any other line is none."""
    if found := LINE.match(line):
        hour, zone, site, length = found.groups()
        key = Hour(site.decode(), (hour + zone).decode())
        counted.requests[key] += 1
        counted.bytes[key] += int(length)


def read_log(path: Path, places: Iterable[Place] | None, most: int = MOST_BYTES) -> Reading:
    """
    Count what is new. Without ``places``, nothing was read before: reading begins at the end, as whoever has lost what
    was counted must count nothing twice.
    """
    counted = Counted(Counter(), Counter())
    known = {(place.device, place.inode): place for place in places or ()}
    kept: list[Place] = []
    has_more = False
    for file in files_of(path):
        with opened_file(file) as descriptor:
            if descriptor is None:
                continue
            place = find_place(descriptor, known)
            if place is None:
                if file != path:
                    continue
                place = begin_place(descriptor, at_end=places is None)
            offset = read_lines(descriptor, place.offset, most, counted)
            read = offset - place.offset
            # A file that there was no room for is not one to which nothing has come.
            idle = 0 if read else place.idle if most <= 0 else min(place.idle + 1, LAST_LOOKS)
            has_more, most = has_more or read >= most, most - read
            if file == path or idle < LAST_LOOKS:
                kept.append(begin_place(descriptor, at_end=False)._replace(offset=offset, idle=idle))
    return Reading(counted, tuple(kept[-MOST_FILES:]), has_more)


def files_of(path: Path) -> list[Path]:
    """Return the files that a log may have been renamed to, the oldest first, and the log itself last."""
    renamed: list[tuple[int, Path]] = []
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name.startswith(f"{path.name}.") or entry.name.startswith(f"{path.name}-"):
                with suppress(OSError):
                    renamed.append((entry.stat(follow_symlinks=False).st_mtime_ns, Path(entry.path)))
    return [*(file for _, file in sorted(renamed)[-MOST_FILES:]), path]


@contextmanager
def opened_file(path: Path) -> Iterator[int | None]:
    """Open a file; None where there is none, or it is a link, such as to the output of a container, or no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)


def find_place(descriptor: int, known: Mapping[tuple[int, int], Place]) -> Place | None:
    """Return how far a file was read; None if it was not, was emptied since, or is another one of that number."""
    status = os.fstat(descriptor)
    place = known.get((status.st_dev, status.st_ino))
    if place is None or status.st_size < place.offset:
        return None
    return place if digest_of(descriptor, place.head_length) == place.head else None


def begin_place(descriptor: int, *, at_end: bool) -> Place:
    status = os.fstat(descriptor)
    length = min(HEAD, status.st_size)
    head = digest_of(descriptor, length)
    return Place(status.st_dev, status.st_ino, head, length, status.st_size if at_end else 0)


def digest_of(descriptor: int, length: int) -> str:
    return hashlib.sha256(os.pread(descriptor, length, 0)).hexdigest()


def read_lines(descriptor: int, offset: int, most: int, counted: Counted) -> int:
    """Count whole lines from an offset on, of about ``most`` bytes; return where to go on."""
    end = offset + most
    while offset < end:
        block = os.pread(descriptor, BLOCK, offset)
        whole = block.rfind(b"\n") + 1
        if not whole:
            # Of one that is longer than any, the rest is no line either.
            return offset + len(block) if len(block) > LONGEST_LINE else offset
        for line in block[:whole].splitlines():
            count_line(line, counted)
        offset += whole
    return offset
