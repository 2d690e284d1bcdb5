"""What is to be done about the files of a folder of snapshots."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.registry.test_snapshot import NOW, folder, source  # noqa: F401  # fixtures
from tests.registry.test_snapshot_parts import PATH, WHOLE, snapshot_with, text_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.publishing import snapshot_changes
from wagtail_multihost.publishing.snapshot_changes import (
    SnapshotAction,
    SnapshotChange,
    choose_action,
    compare_snapshot,
    find_changes,
    find_groups,
    find_stale,
    has_valid_signature,
    parse_any_format,
    read_existing,
    removal_problem,
    revision_message,
    revision_of,
    seal_document,
    snapshot_owner,
)
from wagtail_multihost.publishing.snapshot_writer import write_changes
from wagtail_multihost.registry.snapshot import Snapshot, digest_of


@pytest.mark.parametrize(
    ("old", "new", "state"),
    [
        (None, {}, SnapshotAction.CREATED),
        ({}, {}, None),
        ({}, {"revision": 8}, None),
        ({"revision": 9}, {}, None),
        ({}, {"created": "2026-05-16T12:00:00+00:00"}, None),
        ({}, {"created": "2026-05-16T12:00:01+00:00"}, SnapshotAction.RENEWED),
        ({}, {"created": "2026-04-01T12:00:00+00:00"}, None),
        ({"created": "yesterday"}, {}, SnapshotAction.UPDATED),
        ({"created": "2026-05-01T12:00:00"}, {}, SnapshotAction.UPDATED),
        ({}, {"site": {"id": "aurora", "epoch": 2}}, SnapshotAction.UPDATED),
        ({}, {"platform": {"name": "aviary", "origin": "x"}}, SnapshotAction.UPDATED),
        ({}, {"private": []}, SnapshotAction.UPDATED),
        ({}, {"registry": "/srv/other.toml"}, SnapshotAction.UPDATED),
        ({"format": 2}, {}, SnapshotAction.UPDATED),
        ({"digest": "sha256:0"}, {}, SnapshotAction.UPDATED),
    ],
    ids=repr,
)
def test_state_of_a_file(old: dict[str, Any] | None, new: dict[str, Any], state: SnapshotAction | None) -> None:
    """It is made, replaced where its content is another, renewed after fifteen days, and else stays."""
    written = None if old is None else {**seal_document({**WHOLE, **old}, None), **old}
    assert choose_action(written, {**WHOLE, **new}, None) is state


def test_seals_are_those_of_the_document() -> None:
    """The digest takes the place of an old one; without a key there is no signature, and none is asked for."""
    document = seal_document({**WHOLE, "digest": "old"}, None)
    assert document == {**WHOLE, "digest": digest_of(WHOLE)}
    assert has_valid_signature(document, None) is True


@pytest.mark.parametrize(
    ("data", "is_ours"),
    [
        (text_of(WHOLE), True),
        (text_of(WHOLE, format=9, platform=7), True),
        *((text_of(WHOLE, **{key: value}), False) for key in ("format", "revision", "site") for value in (..., None)),
        (text_of(WHOLE, digest=...), False),
        (text_of(WHOLE, digest=7), False),
        *((data, False) for data in (b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000)),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_document_of_any_format_is_a_snapshot(data: bytes, is_ours: bool) -> None:
    """What is no snapshot of any version is not ours, and is never overwritten or removed."""
    assert parse_any_format(data) == (json.loads(data) if is_ours else None)


def test_existing_file_is_read_with_its_status(tmp_path: Path) -> None:
    """None of both where there is none, and no document where it is something else, a link for example."""
    path = tmp_path / "a.json"
    assert read_existing(path) == (None, None)
    path.write_bytes(text_of(WHOLE))
    document, status = read_existing(path)
    assert document == json.loads(text_of(WHOLE))
    assert status is not None and status.st_ino == path.stat().st_ino
    (tmp_path / "b.json").symlink_to(path)
    document, status = read_existing(tmp_path / "b.json")
    assert document is None
    assert status is not None and status.st_ino == (tmp_path / "b.json").lstat().st_ino
    with pytest.raises(ConfigurationError, match="It cannot be read: Not a directory") as refused:
        read_existing(path / "x")
    assert [problem.where for problem in refused.value.problems] == [str(path / "x")]


def written(path: Path, document: dict[str, Any], mode: int = 0o440) -> Path:
    path.write_text(json.dumps(seal_document(document, None)))
    path.chmod(mode)
    return path


def test_comparison_says_what_is_to_be_done(tmp_path: Path) -> None:
    """A file is made or replaced with the higher of two revisions, and a later one is a problem."""
    path, gid = tmp_path / "aurora.json", os.getegid()
    snapshot = Snapshot(WHOLE, path)
    made = compare_snapshot(snapshot, gid, None)
    assert isinstance(made, SnapshotChange)
    assert (made.path, made.state, made.gid) == (path, SnapshotAction.CREATED, gid)
    assert made.snapshot == Snapshot(seal_document(WHOLE, None), path)
    written(path, {**WHOLE, "revision": 9})
    assert compare_snapshot(snapshot, gid, None) is None
    path.chmod(0o400)
    kept = compare_snapshot(snapshot, gid, None)
    assert isinstance(kept, SnapshotChange) and kept.snapshot is not None
    assert (kept.state, kept.snapshot.document["revision"]) == (SnapshotAction.UPDATED, 9)
    path.chmod(0o600)
    written(path, {**WHOLE, "created": "2026-01-01T12:00:00+00:00"}, 0o400)
    renewed = compare_snapshot(snapshot, gid, None)
    assert isinstance(renewed, SnapshotChange) and renewed.state is SnapshotAction.RENEWED, "whatever mode it has"
    other = {**WHOLE, "site": {"id": "aurora", "epoch": 2}}
    for revision, is_refused in ((7, False), (8, True)):
        path.chmod(0o600)
        written(path, {**other, "revision": revision})
        found = compare_snapshot(snapshot, gid, None)
        assert isinstance(found, Problem if is_refused else SnapshotChange)
    assert found == Problem(str(path), revision_message({"revision": 8}, WHOLE), "aurora")
    path.chmod(0o600)
    path.write_text("mine")
    foreign = Problem(str(path), "It is not a snapshot, so it is not overwritten. Remove it.", "aurora")
    assert compare_snapshot(snapshot, gid, None) == foreign
    second = Snapshot({**WHOLE, "site": {"id": "b"}}, tmp_path / "b.json")
    changes = find_changes([snapshot, second], {"aurora": gid, "b": gid}, None)
    assert next(changes).path == second.path
    with pytest.raises(ConfigurationError) as refused:
        next(changes)
    assert refused.value.problems == (foreign,)


def test_revision_is_told_with_the_one_that_is_there() -> None:
    """The registry's first, then the snapshot's; a document without one has none."""
    assert revision_message({"revision": 9}, {"revision": 8}).startswith(
        "The registry's revision 8 is lower than the snapshot's, 9."
    )
    assert (revision_of({}), revision_of({"revision": 3})) == (0, 3)


@pytest.mark.parametrize(
    ("old", "told"),
    [
        ({"platform": {"name": "aviary"}, "revision": 7}, ""),
        (
            {"platform": {"name": "aviary"}, "revision": 8},
            "It has the revision 8, but the registry, which does not have this site, has the revision 7: ",
        ),
        ({"platform": {"name": "b"}, "revision": 7}, "It belongs to the platform 'b', and the registry to 'aviary'"),
        ({"platform": {}, "revision": 7}, "It belongs to the platform 'None', and"),
        ({"platform": "aviary", "revision": 7}, "It belongs to the platform 'None', and"),
        ({"revision": 7}, "It belongs to the platform 'None', and"),
    ],
)
def test_snapshot_of_another_registry_is_not_removed(old: dict[str, Any], told: str) -> None:
    """Of another platform, or a later revision."""
    found = removal_problem(old, a_platform(revision=7))
    assert (found == "") == (told == "")
    assert found.startswith(told)


def test_stale_files_are_snapshots_that_nobody_keeps(tmp_path: Path) -> None:
    """Other files, and names that end otherwise, stay; every problem is told at the end."""
    platform = a_platform(revision=7)
    for name in ("a.json", "b.json", "c.txt"):
        written(tmp_path / name, WHOLE)
    (tmp_path / "d.json").write_text("{}")
    assert list(find_stale(tmp_path, [tmp_path / "a.json"], platform)) == [
        SnapshotChange(tmp_path / "b.json", SnapshotAction.REMOVED)
    ]
    assert list(find_stale(tmp_path / "none", [], platform)) == []
    written(tmp_path / "e.json", {**WHOLE, "revision": 8})
    with pytest.raises(ConfigurationError) as refused:
        list(find_stale(tmp_path, [], platform))
    assert [problem.where for problem in refused.value.problems] == [str(tmp_path / "e.json")]
    with pytest.raises(ConfigurationError, match="It cannot be listed: Not a directory") as refused:
        list(find_stale(tmp_path / "a.json", [], platform))
    assert [problem.where for problem in refused.value.problems] == [str(tmp_path / "a.json")]


def test_snapshot_is_given_to_roots_and_the_sites_group_by_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else gives files away."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert snapshot_owner(7) == (0, 7)
    monkeypatch.setattr(os, "geteuid", lambda: 5)
    assert snapshot_owner(7) is None


def test_groups_are_the_machines_for_root_and_the_processs_own_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that there is not, and one that two sites would share though it names the site, are told."""
    import grp

    known = {"site-aurora": 101, "site-b": 102, "site-c": 102, "sites": 103}

    def look(name: str) -> object:
        return grp.struct_group((name, "", known[name], []))

    monkeypatch.setattr(grp, "getgrnam", look)
    monkeypatch.setattr(os, "getegid", lambda: 7)
    aurora, second, third, fourth = (a_site(id=site) for site in ("aurora", "b", "c", "d"))
    monkeypatch.setattr(os, "geteuid", lambda: 5)
    assert find_groups(a_platform(group="site-{site}"), [aurora, fourth]) == {"aurora": 7, "d": 7}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_groups(a_platform(), [aurora]) == {"aurora": 7}
    assert find_groups(a_platform(group="sites"), [aurora, second]) == {"aurora": 103, "b": 103}
    platform = a_platform(group="site-{site}")
    assert find_groups(platform, [aurora, second]) == {"aurora": 101, "b": 102}
    with pytest.raises(ConfigurationError) as refused:
        find_groups(platform, [aurora, second, third, fourth])
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [
        *(("platform.group", "c"), ("platform.group", "d")),
    ]
    assert "site-c has the id 102" in refused.value.problems[0].message
    assert "no group site-d" in refused.value.problems[1].message
    with pytest.raises(ConfigurationError) as refused:
        find_groups(replace(platform, sources={"group": "f: group"}), [second, third, fourth])
    assert {problem.where for problem in refused.value.problems} == {"f: group"}


def test_change_is_of_roots_group_unless_it_says_another() -> None:
    """A removal has neither a snapshot nor a group of its own."""
    change = SnapshotChange(PATH, SnapshotAction.REMOVED)
    assert (change.snapshot, change.gid) == (None, 0)
    assert [state.value for state in SnapshotAction] == ["created", "updated", "renewed", "removed"]


def test_write_that_fails_names_the_file_and_leaves_no_draft(tmp_path: Path) -> None:
    """A draft that cannot be made, and a file that cannot be removed."""
    for path, snapshot in ((tmp_path / "none" / "a.json", snapshot_with()), (tmp_path / "b.json", None)):
        first = SnapshotChange(tmp_path / "first.json", SnapshotAction.CREATED, snapshot_with(), os.getegid())
        with pytest.raises(ConfigurationError) as refused:
            write_changes([first, SnapshotChange(path, SnapshotAction.UPDATED, snapshot, os.getegid())])
        assert [(problem.where, problem.message) for problem in refused.value.problems] == [
            (str(path), "It cannot be written: No such file or directory.")
        ]
        assert [found for found in tmp_path.iterdir() if found.suffix == ".tmp"] == []
    assert (tmp_path / "first.json").exists(), "the second failed after the last draft was there"
    assert (tmp_path / "first.json").stat().st_mode & 0o7777 == snapshot_changes.FILE_MODE
    assert (tmp_path / "first.json").read_text() == json.dumps(WHOLE, indent=1) + "\n"
