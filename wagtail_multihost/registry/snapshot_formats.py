"""
The formats of snapshots. A release reads the newest and the one before it, so that sites of two releases are served at
the same time; everything else in the package knows only the newest.

To add another: put it into FORMATS with its keys, convert the previous one in its ``read`` and ``write``, and drop the
one before that. Every format has format, revision, created and digest, the platform's name and the site's id
and uid where they are now: files of any version are told apart and compared by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Document = dict[str, Any]
#: What vouches for the rest, and is not part of it.
SEALS = ("digest", "signature")
KEYS = {
    "format": int,
    "revision": int,
    "created": str,
    "registry": str,
    "private": list,
    "platform": dict,
    "site": dict,
    "digest": str,
}


def keep_document(document: Document) -> Document:
    """Return the document as it is."""
    return document


class Format(NamedTuple):
    """
    The ``keys`` of a document and their types. ``read`` returns a document of this format in the newest one, ``write``
    one of the newest in this format.
    """

    keys: Mapping[str, type] = KEYS
    read: Callable[[Document], Document] = keep_document
    write: Callable[[Document], Document] = keep_document


FORMATS: dict[int, Format] = {1: Format()}


def newest_format() -> int:
    """Return the number of the newest format."""
    return max(FORMATS)


def unfit_keys(document: Document) -> list[str]:
    """Return the keys that are missing, of another type or unknown: nothing is ignored."""
    keys = FORMATS[document["format"]].keys
    found = [key for key, kind in keys.items() if not isinstance(document.get(key), kind)]
    return found + [key for key in document if key not in keys and key not in SEALS]


def format_problem(version: int) -> str:
    """Return why a snapshot of a format is not read; blank when it is."""
    if version in FORMATS:
        return ""
    known = " and ".join(map(str, sorted(FORMATS)))
    return (
        f"It has the format {version}, but this version of wagtail-multihost reads the "
        f"format{'s' if len(FORMATS) > 1 else ''} {known}. Write it again with the version that the site runs."
    )
