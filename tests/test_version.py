"""The version of the package."""

from __future__ import annotations

import importlib.metadata

import pytest

from wagtail_multihost.version import own_version


def test_version_is_blank_where_the_package_was_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that was only put on the import path runs as well."""
    asked: list[str] = []
    monkeypatch.setattr(importlib.metadata, "version", lambda name: asked.append(name) or "1.2")
    assert (own_version.__wrapped__(), asked) == ("1.2", ["wagtail-multihost"])

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert own_version.__wrapped__() == ""
