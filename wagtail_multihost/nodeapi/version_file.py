"""
The file in which a site's process says what it runs: Python's version, and the installed packages with theirs. The
agent of its node reads it.

A site's code may write anything into it. What has not the form of a name (PEP 503) and of a version (PEP 440) is
dropped and counted, so that no text of a site's reaches a page, a terminal or a spreadsheet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: In the site's folder of temporary files.
FILE_NAME = "versions.json"
FORMAT = 1
MOST_BYTES = 131_072
MOST_PACKAGES = 500
NAME_LENGTH, VERSION_LENGTH = 100, 60
MOST_DROPPED = 9999
#: PostgreSQL and Python read both in the same way. A name is one that is normalized
#: (https://packaging.python.org/en/latest/specifications/name-normalization/).
NAME = "^[a-z0-9]+(-[a-z0-9]+)*$"
#: The public form of https://packaging.python.org/en/latest/specifications/version-specifiers/, and a local label.
#: Zeros in front are allowed: versions by date have them.
VERSION = (
    "^([0-9]{1,14}!)?[0-9]{1,14}(\\.[0-9]{1,14}){0,9}((a|b|rc)[0-9]{1,9})?(\\.post[0-9]{1,9})?(\\.dev[0-9]{1,14})?"
    "(\\+[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,9})?$"
)
NAME_FORM, VERSION_FORM = re.compile(NAME), re.compile(VERSION)
SEPARATORS = re.compile("[-_.]+")


class Versions(NamedTuple):
    """What a site runs: the version of ``python``, and of each of the ``packages``; so many were ``dropped``."""

    python: str
    packages: Mapping[str, str]
    dropped: int = 0


def normalize_name(name: str) -> str:
    """Return the name of a package as it is compared; that of no package stays none."""
    return SEPARATORS.sub("-", name[: NAME_LENGTH + 1]).lower()


def is_name(text: object) -> bool:
    return isinstance(text, str) and len(text) <= NAME_LENGTH and NAME_FORM.fullmatch(text) is not None


def is_version(text: object) -> bool:
    return isinstance(text, str) and len(text) <= VERSION_LENGTH and VERSION_FORM.fullmatch(text) is not None


def sift_versions(python: object, packages: Iterable[tuple[object, object]], dropped: int = 0) -> Versions:
    """Return what has the form of names and versions, no more than is kept; of the rest how much there was."""
    kept: dict[str, str] = {}
    for name, version in packages:
        normal = normalize_name(name) if isinstance(name, str) else ""
        if normal in kept:
            continue
        if len(kept) < MOST_PACKAGES and is_name(normal) and is_version(version):
            kept[normal] = str(version)
        else:
            dropped += 1
    return Versions(str(python) if is_version(python) else "", dict(sorted(kept.items())), min(dropped, MOST_DROPPED))


def write_versions(versions: Versions) -> bytes:
    return f"{json.dumps({'format': FORMAT, **versions._asdict()})}\n".encode()


def parse_versions(data: bytes) -> Versions | None:
    """Return what a file says; None for one that is too long, or is none."""
    if len(data) > MOST_BYTES:
        return None
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return None
    packages, dropped = document.get("packages"), document.get("dropped")
    if not isinstance(packages, dict):
        return None
    before = dropped if type(dropped) is int and 0 <= dropped <= MOST_DROPPED else 0
    return sift_versions(document.get("python"), packages.items(), before)
