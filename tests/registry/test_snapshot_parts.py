"""The pieces that snapshots are read by, each alone."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.registry.test_snapshot import NOW, folder, source  # noqa: F401  # fixtures
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.publishing.snapshot_changes import (
    seal_document,
)
from wagtail_multihost.registry.snapshot import (
    Snapshot,
    SnapshotRegistry,
    parse_snapshot,
    platform_record,
    read_snapshot,
    site_record,
    snapshot_source,
)

# Fixtures of another module are arguments here.
# ruff: noqa: F811
WHOLE: dict[str, Any] = {
    "format": 1,
    "revision": 7,
    "created": "2026-05-01T12:00:00+00:00",
    "registry": "/srv/sites.toml",
    "private": ["/srv/sites.toml", "/srv/key"],
    "platform": {"name": "aviary"},
    "site": {"id": "aurora"},
}
PATH = Path("/srv/snapshots/aurora.json")
OTHER_TYPE = {int: "x", str: 7, list: {}, dict: []}


def text_of(document: dict[str, Any], **changes: object) -> bytes:
    changed = {key: value for key, value in {**document, **changes}.items() if value is not ...}
    return json.dumps(seal_document(changed, None) if "digest" not in changes else changed).encode()


def snapshot_with(**changes: object) -> Snapshot:
    return Snapshot({**WHOLE, **changes}, PATH)


def test_whole_snapshot_is_parsed() -> None:
    """The document, and no problem; with or without a signature."""
    document = seal_document(WHOLE, None)
    assert parse_snapshot(json.dumps(document).encode()) == (document, "")
    assert parse_snapshot(json.dumps({**document, "signature": "x"}).encode()) == ({**document, "signature": "x"}, "")


@pytest.mark.parametrize("key", [*WHOLE, "digest"])
def test_snapshot_with_a_key_that_is_missing_or_of_another_type_is_none(key: str) -> None:
    """Each key of the format is needed, and is of its type; nothing of the content is returned."""
    for value in (..., OTHER_TYPE[type(WHOLE.get(key, ""))]):
        document, problem = parse_snapshot(text_of(WHOLE, **{key: value}))
        assert document == {}
        missing = "It is not a snapshot." if key == "format" else "It is not a snapshot: keys are missing or unknown."
        assert problem == missing


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "It is not a complete snapshot: it was cut off, or is something else."),
        (b"{", "It is not a complete snapshot: it was cut off, or is something else."),
        (b"\xff", "It is not a complete snapshot: it was cut off, or is something else."),
        (b"[" * 100_000, "It is not a complete snapshot: it was cut off, or is something else."),
        (b"[]", "It is not a snapshot."),
        (b"7", "It is not a snapshot."),
        (text_of(WHOLE, format=True), "It is not a snapshot."),
        (
            text_of(WHOLE, format=3),
            "It has the format 3, but this version of wagtail-multihost reads the formats 1 and 2.",
        ),
        (
            text_of(WHOLE, format=0),
            "It has the format 0, but this version of wagtail-multihost reads the formats 1 and 2.",
        ),
        (text_of(WHOLE, other=1), "It is not a snapshot: keys are missing or unknown."),
        (text_of(WHOLE, site={}), "It is not a snapshot: keys are missing or unknown."),
        (text_of(WHOLE, site={"id": 7}), "It is not a snapshot: keys are missing or unknown."),
        (text_of(WHOLE, digest="sha256:0"), "It was changed after it was written"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_file_that_is_no_whole_snapshot_says_why(data: bytes, problem: str) -> None:
    """What is wrong is said, and nothing of the content is returned."""
    document, told = parse_snapshot(data)
    assert document == {}
    assert told.startswith(problem)


def test_snapshot_knows_what_it_is_of() -> None:
    """Its site, whether it is of production, when it was written, and what its process must not read."""
    snapshot = snapshot_with()
    assert (snapshot.site, snapshot.is_production) == ("aurora", False)
    assert snapshot.created == datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    assert snapshot.private == (Path("/srv/sites.toml"), Path("/srv/key"))
    assert repr(snapshot) == f"Snapshot({PATH})"
    assert snapshot_with(platform={"environment": "production"}).is_production is True
    assert snapshot_with(platform={"environment": "staging"}).is_production is False
    assert snapshot_with(created="yesterday").created is None
    assert snapshot_with(created="2026-05-01T12:00:00").created == datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    east = timezone(timedelta(hours=2))
    assert snapshot_with(created="2026-05-01T12:00:00+02:00").created == datetime(2026, 5, 1, 12, 0, tzinfo=east)


@pytest.mark.parametrize("key", ["secret_key", "secret_key_file", "secret_keys", "key_id"])
def test_record_of_the_platform_has_none_of_its_keys(key: str) -> None:
    """Each of them is a problem at its place."""
    problems: list[Problem] = []
    platform_record(snapshot_with(platform={key: "x"}), problems)
    assert problems == [
        Problem(f"aurora.json: platform.{key}", "A snapshot must not have the platform's keys. Write it again.")
    ]


@pytest.mark.parametrize("key", ["uid", "names", "secret_key"])
def test_record_of_a_site_states_what_others_derive(key: str) -> None:
    """Each of them is missed at its place, and the id is no key of the table."""
    problems: list[Problem] = []
    stated = {"id": "aurora", "uid": 1, "names": 2, "secret_key": 3, "epoch": 4}
    record = site_record(snapshot_with(site=stated), problems, True)
    assert (list(record.entries), problems) == (["uid", "names", "secret_key", "epoch"], [])
    assert (record.path, record.site, record.source.reads_secrets) == (("sites", "aurora"), "aurora", True)
    del stated[key]
    site_record(snapshot_with(site=stated), problems, False)
    message = "It is missing: a snapshot states what other registries derive."
    assert problems == [Problem(f"aurora.json: site.{key}", message, "aurora")]


def test_source_of_a_snapshot_has_its_revision() -> None:
    """What its platform does not state is in the document; nothing of the environment is looked up."""
    found = snapshot_source(snapshot_with(), True)
    assert (found.path, found.revision, found.reads_secrets, found.environ) == (PATH, 7, True, {})
    assert snapshot_source(snapshot_with(), False).reads_secrets is False
    record = platform_record(snapshot_with(), [])
    assert (record.path, record.site, record.source.reads_secrets, record.source.revision) == (
        ("platform",),
        "",
        False,
        7,
    )


def test_registry_knows_what_it_has_read(folder: Path) -> None:
    """Private files and dates are those of the sites that were read, nothing of others."""
    registry = SnapshotRegistry(folder, {})
    assert (registry.name, registry.url, registry.has_servers) == (str(folder), str(folder), False)
    assert (registry.private_files("aurora"), registry.written_at("aurora"), registry.read) == ((), None, {})
    registry.site("aurora")
    assert registry.private_files("aurora") == (folder.parent / "sites.toml",)
    assert registry.written_at("aurora") == NOW
    assert (registry.private_files("borealis"), registry.written_at("borealis")) == ((), None)
    assert registry.sites() == ["aurora", "borealis"]


def test_neighbours_are_all_other_files_or_those_that_suspects_would_have(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder can be listed, whatever is in it; and else one file for each suspect, but never its own."""
    (folder / "x").touch()
    registry = SnapshotRegistry(folder, {})
    assert list(registry.neighbour_files("aurora", ["z"])) == [folder / "borealis.json", folder / "x"]

    def refuse(path: object) -> Iterator[str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    assert list(registry.neighbour_files("aurora", ["z", "aurora", "b"])) == [folder / "b.json", folder / "z.json"]
    with pytest.raises(ConfigurationError, match=r"cannot be listed: Permission denied\. Only root"):
        registry.sites()


@pytest.mark.parametrize("site", ["../aurora", "", "Aurora"])
def test_id_that_is_none_is_refused_before_any_file(tmp_path: Path, site: str) -> None:
    """No path is made of it."""
    with pytest.raises(ConfigurationError) as refused:
        SnapshotRegistry(tmp_path, {}).site(site)
    assert [problem.where for problem in refused.value.problems] == ["MULTIHOST_SITE"]


def test_problem_of_a_snapshot_names_its_file_and_its_site(folder: Path) -> None:
    """A file that is missing is told at the variable of the site, one that is none at its path."""
    (folder / "aurora.json").unlink()
    (folder / "borealis.json").write_text("{}")
    for site, where in (("aurora", "MULTIHOST_SITE"), ("borealis", str(folder / "borealis.json"))):
        with pytest.raises(ConfigurationError) as refused:
            SnapshotRegistry(folder, {}).site(site)
        assert [(problem.where, problem.site) for problem in refused.value.problems] == [(where, site)]


def test_file_is_opened_with_what_speaks_against_it(tmp_path: Path) -> None:
    """A file that is missing, and one that is a folder, are told as such; nothing of them is returned."""
    (tmp_path / "folder").mkdir()
    missing, told = read_snapshot(tmp_path / "none")
    assert (missing.document, told) == ({}, "The snapshot cannot be read: No such file or directory.")
    nothing, told = read_snapshot(tmp_path / "folder")
    assert (nothing.document, told) == ({}, "It is not a regular file.")
