"""
Which releases of packages there are, and until when they are maintained, as an operator's own file says. Nothing is
fetched: whoever wants the latest lets a timer of theirs write the file.

The file is TOML, or a folder of files in the form of https://endoflife.date, each named after its package::

    [django."5.2"]
    latest = "5.2.8"
    end = 2028-04-30
    lts = true
"""

from __future__ import annotations

import json
import logging
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from django.conf import settings
from packaging.version import Version

from wagtail_multihost.control.package_versions import parse_package, version_of
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.files.reading import Mark as FileMark
from wagtail_multihost.files.reading import mark_of
from wagtail_multihost.spec.identifiers import shown

logger = logging.getLogger(__name__)

SETTING = "MULTIHOST_CONTROL_RELEASES"
MOST_BYTES, MOST_FILES = 2_000_000, 200
#: So long before the end of a release it is said that it comes.
SOON = timedelta(days=90)
MarkKind = Literal["patch", "ends", "ended"]
PATCH: Literal["patch"] = "patch"
ENDS: Literal["ends"] = "ends"
ENDED: Literal["ended"] = "ended"
KEYS = ("latest", "end", "lts")


class Mark(NamedTuple):
    """
    What is to be said of a version: its ``kind``, and ``latest``, the newer patch release, or ``end``, the day until
    which its release is maintained; ``is_lts`` whether that is one with long support.
    """

    kind: MarkKind
    latest: str = ""
    end: date | None = None
    is_lts: bool = False


class Release(NamedTuple):
    """A series of versions, such as 5.2: its ``latest`` one, and its ``end``, None where it is not stated."""

    series: Version
    latest: str
    end: date | None
    is_lts: bool


class Releases:
    """
    What is known of releases, by the names of packages; the longest series that a version is of counts. ``problems``
    say why nothing is known.
    """

    def __init__(
        self, by_package: Mapping[str, tuple[Release, ...]] | None = None, problems: Sequence[Problem] = ()
    ) -> None:
        self.by_package, self.problems = by_package or {}, problems

    def marks_of(self, package: str, version: str, today: date) -> tuple[Mark, ...]:
        """Return what is to be said of a version of a package."""
        found = version_of(version)
        release = None if found is None else self.find_release(package, found)
        if found is None or release is None:
            return ()
        return tuple(marks_of_release(release, found, today))

    def find_release(self, package: str, version: Version) -> Release | None:
        matching = [one for one in self.by_package.get(package, ()) if is_of_series(version, one.series)]
        return max(matching, key=lambda one: len(one.series.release), default=None)


def is_of_series(version: Version, series: Version) -> bool:
    return version.release[: len(series.release)] == series.release


def marks_of_release(release: Release, version: Version, today: date) -> Iterator[Mark]:
    latest = version_of(release.latest)
    if latest is not None and version < latest:
        yield Mark(PATCH, release.latest)
    if release.end is not None and release.end - today <= SOON:
        yield Mark(ENDED if release.end < today else ENDS, "", release.end, release.is_lts)


_read: dict[str, tuple[tuple[FileMark | None, ...], Releases]] = {}


def current_releases() -> Releases:
    """Return what the operator's file says now, nothing without one, or while it has mistakes."""
    stated = getattr(settings, SETTING, None)
    if not stated:
        return Releases()
    path = Path(stated)
    marks = tuple(mark_of(file, follows=True) for file in (path, *files_of(path)))
    kept = _read.get(str(path))
    if kept is None or kept[0] != marks:
        try:
            releases = read_releases(path)
        except ConfigurationError as error:
            logger.error("%s: %s", SETTING, error)
            releases = Releases(problems=error.problems)
        _read[str(path)] = kept = (marks, releases)
    return kept[1]


def files_of(path: Path) -> list[Path]:
    return sorted(path.glob("*.json"))[:MOST_FILES] if path.is_dir() else []


def read_releases(path: Path) -> Releases:
    """Return what a file or a folder says; raises ConfigurationError with all problems."""
    problems: list[Problem] = []
    if path.is_dir():
        pairs = [pair for file in files_of(path) for pair in parse_folder_file(file, problems)]
    else:
        pairs = [*parse_toml(read_text(path), str(path), problems)]
    if problems:
        raise ConfigurationError(problems)
    return Releases(dict(pairs))


def read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be read: {error.strerror}.", where=os.fspath(path)) from None
    if len(data) > MOST_BYTES:
        raise ConfigurationError.because(f"It is longer than {MOST_BYTES:,} bytes.", where=os.fspath(path))
    return data.decode("utf-8", "replace")


def parse_toml(text: str, where: str, problems: list[Problem]) -> Iterator[tuple[str, tuple[Release, ...]]]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problems.append(Problem(where, f"It is no TOML: {error}."))
        return
    for name, series in document.items():
        rows = series.items() if isinstance(series, Mapping) else [("", None)]
        yield from parse_package_rows(name, rows, where, problems)


def parse_folder_file(path: Path, problems: list[Problem]) -> Iterator[tuple[str, tuple[Release, ...]]]:
    """Yield what a file in the form of endoflife.date says, of its first or second version."""
    try:
        document: Any = json.loads(read_text(path))
    except (ValueError, RecursionError):
        problems.append(Problem(str(path), "It is no JSON."))
        return
    if isinstance(document, Mapping) and isinstance(document.get("result"), Mapping):
        document = document["result"].get("releases")
    if not isinstance(document, list) or not all(isinstance(row, Mapping) for row in document):
        problems.append(Problem(str(path), "It is not in the form of endoflife.date: a list of releases."))
        return
    rows = [(str(row.get("cycle", row.get("name"))), row_of(row)) for row in document]
    yield from parse_package_rows(path.stem, rows, str(path), problems)


def row_of(row: Mapping[str, Any]) -> dict[str, object]:
    """Return a release of endoflife.date in the keys of our own form."""
    latest, end = row.get("latest"), row.get("eol", row.get("eolFrom"))
    latest = latest.get("name") if isinstance(latest, Mapping) else latest
    found: dict[str, object] = {"lts": row.get("lts", row.get("isLts")) not in (False, None)}
    if isinstance(latest, str):
        found["latest"] = latest
    if isinstance(end, str):  # else whether it has ended, without saying when
        try:
            found["end"] = date.fromisoformat(end)
        except ValueError:
            found["end"] = end
    return found


def parse_package_rows(
    name: str, rows: Any, where: str, problems: list[Problem]
) -> Iterator[tuple[str, tuple[Release, ...]]]:
    try:
        package = parse_package(name)
    except ValueError as error:
        problems.append(Problem(where, str(error)))
        return
    found = [release for series, row in rows if (release := parse_release(package, series, row, where, problems))]
    yield package, tuple(found)


def parse_release(package: str, series: str, row: object, where: str, problems: list[Problem]) -> Release | None:
    place = f"{where}: {package}.{shown(series)}"
    version = version_of(series)
    if not isinstance(row, Mapping) or version is None:
        problems.append(Problem(place, 'It must be a table of a series of versions, such as [django."5.2"].'))
        return None
    latest, end, lts = row.get("latest", ""), row.get("end"), row.get("lts", False)
    for key in row:
        if key not in KEYS:
            problems.append(Problem(place, f"The key {shown(str(key))} is not known. Accepted: {', '.join(KEYS)}."))
    if latest != "" and (not isinstance(latest, str) or version_of(latest) is None):
        problems.append(Problem(f"{place}.latest", "It must be a version, such as 5.2.8."))
        return None
    if end is not None and type(end) is not date:
        problems.append(Problem(f"{place}.end", "It must be a day, such as 2028-04-30."))
        return None
    return Release(version, str(latest), end, lts is True)
