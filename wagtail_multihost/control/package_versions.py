"""Versions of packages as sites state them: which are older than one, and which are what someone may ask for."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from wagtail_multihost.nodeapi.version_file import is_name, is_version, normalize_name
from wagtail_multihost.spec.identifiers import shown

PYTHON = "python"
NO_PACKAGE = "{given} is no name of a package: letters, digits, hyphens, dots and underscores are accepted."
NO_VERSION = "{given} is no version of a package, such as 5.2.8."


def parse_package(text: str) -> str:
    """Return the name of a package as it is stored; raises ValueError."""
    name = normalize_name(text)
    if not is_name(name):
        raise ValueError(NO_PACKAGE.format(given=shown(text)))
    return name


def parse_version(text: str) -> Version:
    """Return a version to compare with; raises ValueError."""
    found = version_of(text)
    if found is None:
        raise ValueError(NO_VERSION.format(given=shown(text)))
    return found


def version_of(text: str) -> Version | None:
    """Return the version that a text states; None if it states none."""
    try:
        return Version(text) if is_version(text) else None
    except InvalidVersion:
        return None


def is_older(text: str, than: Version) -> bool:
    """Return whether a text states an older version; one that cannot be compared is not older."""
    found = version_of(text)
    return found is not None and found < than
