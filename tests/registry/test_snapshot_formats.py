"""Snapshots of two formats are read at once, and nothing in either is ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.registry.test_snapshot import folder, source  # noqa: F401  # fixtures
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshot_changes import seal_document
from wagtail_multihost.registry import snapshot_formats
from wagtail_multihost.registry.snapshot import SnapshotRegistry
from wagtail_multihost.registry.snapshot_formats import (
    KEYS,
    Document,
    Format,
    format_problem,
    newest_format,
    unfit_keys,
)

#: In the format before the newest one, what is private has another name.
BEFORE = {key: kind for key, kind in KEYS.items() if key != "private"} | {"closed": list}


def forward(document: Document) -> Document:
    rest = {key: value for key, value in document.items() if key != "closed"}
    return {**rest, "format": 2, "private": document["closed"]}


def back(document: Document) -> Document:
    rest = {key: value for key, value in document.items() if key != "private"}
    return {**rest, "closed": document["private"]}


@pytest.fixture
def two_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of the package whose format is the second one."""
    monkeypatch.setitem(snapshot_formats.FORMATS, 1, Format(BEFORE, forward, back))
    monkeypatch.setitem(snapshot_formats.FORMATS, 2, Format())


def rewritten(path: Path, change: Document) -> Document:
    """Put a document of another format into a snapshot's file, and return it."""
    path.chmod(0o600)
    document = seal_document(change, None)
    path.write_text(json.dumps(document))
    return document


def test_snapshot_of_the_format_before_is_read(two_formats: None, folder: Path) -> None:  # noqa: F811
    """Its document is one of the newest format; what was signed is what is in the file."""
    path = folder / "aurora.json"
    before = json.loads(path.read_text())
    document = rewritten(path, {**back(before), "format": 1})
    registry = SnapshotRegistry(folder, {})
    snapshot = registry.snapshot("aurora")
    assert (snapshot.document["format"], snapshot.document["private"]) == (2, before["private"])
    assert snapshot.written == document
    assert registry.site("aurora")[1].id == "aurora"


def test_snapshots_of_both_formats_are_one_registry(two_formats: None, folder: Path) -> None:  # noqa: F811
    """Sites of two releases are served at once."""
    path = folder / "aurora.json"
    rewritten(path, {**back(json.loads(path.read_text())), "format": 1})
    assert newest_format() == json.loads((folder / "borealis.json").read_text())["format"] == 2
    assert [site.id for site in SnapshotRegistry(folder, {}).load().sites] == ["aurora", "borealis"]


def test_format_before_is_not_read_as_the_newest(two_formats: None, folder: Path) -> None:  # noqa: F811
    """A key that only the other format has is not passed over."""
    path = folder / "aurora.json"
    rewritten(path, {**json.loads(path.read_text()), "format": 1})
    with pytest.raises(ConfigurationError, match="keys are missing or unknown"):
        SnapshotRegistry(folder, {}).snapshot("aurora")


def test_version_does_not_read_the_next_format(folder: Path) -> None:  # noqa: F811
    """It says what it reads."""
    path = folder / "aurora.json"
    following = newest_format() + 1
    rewritten(path, {**json.loads(path.read_text()), "format": following})
    with pytest.raises(ConfigurationError, match=f"It has the format {following}, but this version"):
        SnapshotRegistry(folder, {}).snapshot("aurora")


def test_formats_that_are_read_are_told(two_formats: None) -> None:
    """Neither an older nor a newer one than these is."""
    assert [bool(format_problem(number)) for number in (0, 1, 2, 3)] == [True, False, False, True]
    assert "reads the formats 1 and 2. " in format_problem(3)


@pytest.mark.parametrize("version", [1, 2])
def test_each_format_has_its_own_keys(version: int, two_formats: None) -> None:
    """A key of another format is unknown, and one that is missing or of another type is told."""
    document = {
        "format": version,
        **{key: kind() for key, kind in snapshot_formats.FORMATS[version].keys.items() if key != "format"},
    }
    assert unfit_keys(document) == []
    other = "private" if version == 1 else "closed"
    assert unfit_keys({**document, "signature": ""}) == []
    assert unfit_keys({**document, other: ""}) == [other]
    assert unfit_keys({**document, "revision": "1"}) == ["revision"]
