"""The folder that has a project's code in it, as emitted files name it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wagtail_multihost.project import package_parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package, one without __init__.py, and a module of its own, on the import path."""
    for name in ("packaged_site/__init__.py", "bare_site/settings.py", "single_settings.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


@pytest.mark.parametrize("module", ["packaged_site.settings", "packaged_site", "bare_site.settings", "single_settings"])
def test_folder_of_settings_is_found(folder: Path, module: str) -> None:
    """Whatever kind of module the settings are, it is the folder that the import path has."""
    assert package_parent(module) == folder


def test_folder_of_missing_settings_is_the_working_directory() -> None:
    """Where there is no such module nothing is looked for."""
    assert package_parent("no_such_site.settings") == Path.cwd()
