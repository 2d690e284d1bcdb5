"""What a site's process says that it runs."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import django
import pytest

from tests.emitters.conftest import make_platform, make_site
from tests.health.samplers import until
from wagtail_multihost.health import versions
from wagtail_multihost.health.process import own_endpoint
from wagtail_multihost.nodeapi.version_file import parse_versions


@pytest.fixture(name="path")
def _path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the file of a site is whose process this is."""
    spec, site = make_platform(data=tmp_path), make_site("aurora")
    monkeypatch.setattr(versions, "registered_site", lambda: (spec, site))
    path = tmp_path / "sites/aurora/tmp/versions.json"
    path.parent.mkdir(parents=True)
    return path


def test_process_says_what_it_runs(path: Path) -> None:
    versions.note_versions(path)
    found = parse_versions(path.read_bytes())
    assert found is not None
    assert found.python == platform.python_version()
    assert found.packages["django"] == django.get_version()
    assert found.packages["pytest"] == version("pytest")
    assert found.dropped == 0


def test_file_is_there_once_health_was_asked_for(path: Path) -> None:
    endpoint = own_endpoint()
    assert not path.exists(), "a process that may fork has started something"
    endpoint.source.ask()
    until(path.exists)


def test_same_content_is_not_written_again(path: Path) -> None:
    versions.note_versions(path)
    before = path.stat().st_ino
    versions.note_versions(path)
    assert path.stat().st_ino == before
    path.write_text("something else")
    versions.note_versions(path)
    assert parse_versions(path.read_bytes()) is not None


def test_loaded_release_counts_before_an_installed_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django, "get_version", lambda: "1.0")
    assert versions.running_versions().packages["django"] == "1.0"


def test_site_without_a_folder_writes_nothing(path: Path) -> None:
    path.parent.rmdir()
    assert versions.find_path() is None
    versions.note_versions_in_thread()
    assert not path.parent.exists()


def test_what_goes_wrong_is_logged_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.rmdir()
    versions.note_versions(path)
    assert "cannot be written" in caplog.text
