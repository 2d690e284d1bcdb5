"""
The formats of snapshots. A release reads the newest and the one before it, so that sites of two releases are served at
the same time; everything else in the package knows only the newest.

To add another: put it into FORMATS with its keys, convert the previous one in its ``read`` and ``write``, and drop the
one before that. Every format has format, revision, created and digest, the platform's name and the site's id
and uid where they are now: files of any version are told apart and compared by them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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


#: Keys of a site since the format 2.
SINCE_2 = frozenset({"probe_key"})


def keep_document(document: Document) -> Document:
    """Return the document as it is."""
    return document


def from_1(document: Document) -> Document:
    return {**document, "format": 2}


def to_1(document: Document) -> Document:
    """Return a document of the format 2 without what the format 1 does not have: the site proves nothing then."""
    return {**document, "site": {key: value for key, value in document["site"].items() if key not in SINCE_2}}


class Format(NamedTuple):
    """
    The ``keys`` of a document and their types. ``read`` returns a document of this format in the newest one, ``write``
    one of the newest in this format. The site in it has none of the keys ``of_later_sites``.
    """

    keys: Mapping[str, type] = KEYS
    read: Callable[[Document], Document] = keep_document
    write: Callable[[Document], Document] = keep_document
    of_later_sites: Collection[str] = ()


FORMATS: dict[int, Format] = {1: Format(KEYS, from_1, to_1, SINCE_2), 2: Format()}


def newest_format() -> int:
    """Return the number of the newest format."""
    return max(FORMATS)


def unfit_keys(document: Document) -> list[str]:
    """Return the keys that are missing, of another type or unknown: nothing is ignored."""
    known = FORMATS[document["format"]]
    found = [key for key, kind in known.keys.items() if not isinstance(document.get(key), kind)]
    found += [key for key in document if key not in known.keys and key not in SEALS]
    site = document.get("site")
    return found + [f"site.{key}" for key in known.of_later_sites if isinstance(site, dict) and key in site]


def format_problem(version: int) -> str:
    """Return why a snapshot of a format is not read; blank when it is."""
    if version in FORMATS:
        return ""
    known = " and ".join(map(str, sorted(FORMATS)))
    return (
        f"It has the format {version}, but this version of wagtail-multihost reads the "
        f"format{'s' if len(FORMATS) > 1 else ''} {known}. Write it again with the version that the site runs."
    )
