"""The version of this package."""

from __future__ import annotations

from functools import cache


@cache
def own_version() -> str:
    """Return the version that is installed; blank where it is a folder on the path alone."""
    from importlib.metadata import PackageNotFoundError, version  # loads only for who asks

    try:
        return version("wagtail-multihost")
    except PackageNotFoundError:
        return ""
