"""What a release says of itself is read as it was written, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import release
from wagtail_multihost.registry.release import Release, own_release, read_release, release_text
from wagtail_multihost.registry.snapshot_formats import FORMATS
from wagtail_multihost.spec.codebase import Codebase

CODEBASE = Codebase(
    directory=Path("/srv/site"),
    virtualenv=Path("/srv/venv"),
    wsgi="website.wsgi:application",
    settings_module="website.settings",
    static_root=Path("/srv/static"),
    media_url=None,
    pythonpath=("/srv/lib",),
    health_prefix="/health/",
    signed_seconds=60,
    page_seconds=600,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "codebase.json"
    path.write_text(release_text(Release(CODEBASE, "1.2", (1, 2))))
    path.chmod(0o644)
    return path


def test_release_is_read_as_it_was_written(file: Path) -> None:
    """Paths, what is None and lists are what they were."""
    assert read_release(file) == Release(CODEBASE, "1.2", (1, 2))
    plain = Release(replace(CODEBASE, static_root=None, static_url=None, pythonpath=()), "", ())
    file.write_text(release_text(plain))
    assert read_release(file) == plain


def test_own_release_reads_the_formats_of_this_version() -> None:
    """What is installed says of itself what it reads."""
    assert own_release(CODEBASE) == Release(CODEBASE, release.own_version(), tuple(sorted(FORMATS)))


@pytest.mark.parametrize(
    "change",
    [
        *({key: value} for key, value in {"format": 2, "version": None, "snapshots": ["1"], "codebase": []}.items()),
        *({"snapshots": value} for value in (1, [True], [1.0])),
        {"more": 1},
    ],
)
def test_file_of_something_else_is_refused(file: Path, change: dict[str, Any]) -> None:
    """Another format, another type and a key that is not known are no release."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ConfigurationError, match="Write it again"):
        read_release(file)


@pytest.mark.parametrize(
    "change",
    [
        {"directory": None},
        {"wsgi": 1},
        {"pythonpath": "a"},
        {"pythonpath": [1]},
        {"more": "x"},
        {"wsgi": None},
        {"page_seconds": "1"},
        {"signed_seconds": True},
    ],
)
def test_codebase_of_something_else_is_refused(file: Path, change: dict[str, Any]) -> None:
    """So is one whose values are of other types."""
    document = json.loads(file.read_text())
    document["codebase"].update(change)
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match="Write it again"):
        read_release(file)


def test_release_that_knows_fewer_keys_has_their_defaults(file: Path) -> None:
    """A site may run a version from before a key was made; what has no default must be there."""
    document = json.loads(file.read_text())
    for key in ("health_prefix", "pythonpath", "signed_seconds", "page_seconds"):
        del document["codebase"][key]
    file.write_text(json.dumps(document))
    assert read_release(file).codebase == replace(
        CODEBASE, health_prefix="/-/", pythonpath=(), signed_seconds=3600, page_seconds=0
    )
    del document["codebase"]["virtualenv"]
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match="Write it again"):
        read_release(file)


@pytest.mark.parametrize("text", ["", "[]", "{", "1", "[" * 100_000])
def test_file_that_is_no_json_is_refused(file: Path, text: str) -> None:
    """Neither is what is cut off, or nested without an end."""
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="Write it again"):
        read_release(file)


def test_codebase_that_servers_must_not_get_is_refused(file: Path) -> None:
    """A value is checked as a project's own is."""
    document = json.loads(file.read_text())
    document["codebase"]["static_url"] = "/a;b/"
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError) as refused:
        read_release(file)
    assert [problem.where for problem in refused.value.problems] == ["static_url"]


def test_file_that_others_can_change_is_refused(file: Path) -> None:
    """Servers' configurations are made of it."""
    file.chmod(0o666)
    with pytest.raises(ConfigurationError):
        read_release(file)
    file.unlink()
    with pytest.raises(ConfigurationError, match="It cannot be read: No such file"):
        read_release(file)
