"""The version of this package."""

from __future__ import annotations

from functools import cache


@cache
def own_version() -> str:
    """Return the version that is installed; blank if the package is only a folder on the path."""
    from importlib.metadata import PackageNotFoundError, version  # loads only when asked

    try:
        return version("wagtail-multihost")
    except PackageNotFoundError:
        return ""
