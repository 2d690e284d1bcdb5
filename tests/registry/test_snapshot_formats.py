"""Snapshots of two formats are read at once, and nothing in either is ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.registry.test_snapshot import ENVIRON, NOW, folder, source  # noqa: F401  # fixtures
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshot_changes import sealed
from wagtail_multihost.registry import snapshot_formats
from wagtail_multihost.registry.snapshot import Snapshot, SnapshotRegistry
from wagtail_multihost.registry.snapshot_formats import KEYS, Document, Format, misfits, newest, refusal

#: In the format after the present one the revision has another name.
NEXT = {key: kind for key, kind in KEYS.items() if key != "created"} | {"made": str}


def forward(document: Document) -> Document:
    rest = {key: value for key, value in document.items() if key != "created"}
    return {**rest, "format": 2, "made": document["created"]}


def back(document: Document) -> Document:
    rest = {key: value for key, value in document.items() if key != "made"}
    return {**rest, "format": 1, "created": document["made"]}


@pytest.fixture
def two_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of the package that has one format more."""
    monkeypatch.setitem(snapshot_formats.FORMATS, 1, Format(KEYS, forward, back))
    monkeypatch.setitem(snapshot_formats.FORMATS, 2, Format(NEXT))


def test_snapshot_of_the_format_before_is_read(folder: Path, two_formats: None) -> None:  # noqa: F811
    """Its document is one of the newest format; what was signed is what is in the file."""
    assert newest() == 2
    registry = SnapshotRegistry(folder, {})
    snapshot = registry.snapshot("aurora")
    assert (snapshot.document["format"], snapshot.document["made"]) == (2, snapshot.written["created"])
    assert snapshot.written == json.loads((folder / "aurora.json").read_text())
    assert registry.site("aurora")[1].id == "aurora"


def test_snapshot_of_the_newest_format_is_read(folder: Path, two_formats: None) -> None:  # noqa: F811
    """Sites of both are served from one folder."""
    path = folder / "aurora.json"
    document = sealed(forward(json.loads(path.read_text())), None)
    path.chmod(0o600)
    path.write_text(json.dumps(document))
    registry = SnapshotRegistry(folder, {})
    assert registry.snapshot("aurora") == Snapshot(document, path, document)
    assert {site.id for site in registry.load().sites} >= {"aurora"}


def test_version_with_one_format_does_not_read_the_next(folder: Path) -> None:  # noqa: F811
    """It says what it reads."""
    path = folder / "aurora.json"
    document = sealed(forward(json.loads(path.read_text())), None)
    path.chmod(0o600)
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match="It has the format 2, and this version .* reads the format 1"):
        SnapshotRegistry(folder, {}).snapshot("aurora")


def test_formats_that_are_read_are_told(two_formats: None) -> None:
    """Neither an older nor a newer one than these is."""
    assert [bool(refusal(number)) for number in (0, 1, 2, 3)] == [True, False, False, True]
    assert "reads the formats 1 and 2. " in refusal(3)


@pytest.mark.parametrize("version", [1, 2])
def test_each_format_has_its_own_keys(version: int, two_formats: None) -> None:
    """A key of another format is unknown, and one that is missing or of another type is told."""
    document = {
        "format": version,
        **{key: kind() for key, kind in snapshot_formats.FORMATS[version].keys.items() if key != "format"},
    }
    assert misfits(document) == []
    assert misfits({**document, "signature": ""}) == []
    assert misfits({**document, "made" if version == 1 else "created": ""}) == ["made" if version == 1 else "created"]
    assert misfits({**document, "revision": "1"}) == ["revision"]
