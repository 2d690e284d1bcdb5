"""The pieces that snapshots are read, compared and written by, each alone."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.registry.test_snapshot import NOW, folder, source  # noqa: F401  # fixtures
from tests.spec.samples import a_platform, a_site, postgresql, s3, secret_file, sqlite
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
from wagtail_multihost.publishing.snapshot_draft import account_key, draft_snapshots, plain_value, spec_table
from wagtail_multihost.publishing.snapshot_writer import write_changes
from wagtail_multihost.registry import Registry
from wagtail_multihost.registry.base import Contents
from wagtail_multihost.registry.snapshot import (
    Snapshot,
    SnapshotRegistry,
    digest_of,
    parse_snapshot,
    platform_record,
    read_snapshot,
    site_record,
    snapshot_source,
)
from wagtail_multihost.spec import CodeOptions, MailSpec, Secret, SystemdOptions, TlsSpec

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
        (b"", "It is not a whole snapshot: it was cut off or is something else."),
        (b"{", "It is not a whole snapshot: it was cut off or is something else."),
        (b"\xff", "It is not a whole snapshot: it was cut off or is something else."),
        (b"[" * 100_000, "It is not a whole snapshot: it was cut off or is something else."),
        (b"[]", "It is not a snapshot."),
        (b"7", "It is not a snapshot."),
        (text_of(WHOLE, format=True), "It is not a snapshot."),
        (text_of(WHOLE, format=2), "It has the format 2, and this version of wagtail-multihost reads the format 1. "),
        (text_of(WHOLE, format=0), "It has the format 0, and this version of wagtail-multihost reads the format 1. "),
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
        Problem(f"aurora.json: platform.{key}", "A snapshot never has the platform's keys. Write it again.")
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


# What is to be done about a file.
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
    foreign = Problem(str(path), "It is no snapshot, so it is not overwritten. Remove it.", "aurora")
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
            "It has the revision 8, and the registry, which has no such site, 7: ",
        ),
        ({"platform": {"name": "b"}, "revision": 7}, "It is of the platform 'b', and the registry is of 'aviary'"),
        ({"platform": {}, "revision": 7}, "It is of the platform 'None', and"),
        ({"platform": "aviary", "revision": 7}, "It is of the platform 'None', and"),
        ({"revision": 7}, "It is of the platform 'None', and"),
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


# What a snapshot holds.
def test_value_is_written_in_the_clear() -> None:
    """Secrets, lists and tables are what a registry would have; a path is its text."""
    assert plain_value(Secret("hunter2")) == "hunter2"
    assert plain_value((Secret("a"), ("b", 7))) == ["a", ["b", 7]]
    assert plain_value(Path("/a")) == "/a"
    assert [plain_value(value) for value in (True, False, 0, "")] == [True, False, 0, ""]
    assert plain_value(MailSpec(host="h", username="u", password=Secret("p"))) == {
        "host": "h",
        "username": "u",
        "password": "p",
    }
    assert plain_value(TlsSpec(certificate="/a", key="/b", off=("c.example",))) == {
        "certificate": "/a",
        "key": "/b",
        "off": ["c.example"],
    }


def test_table_has_what_is_not_the_default() -> None:
    """Pairs of options and settings are tables in it, whatever is left out is not in it."""
    assert spec_table(postgresql(options=(("sslmode", "require"),), port=5432)) == {
        **{"engine": "postgresql", "name": "aviary__aurora", "user": "aviary__aurora"},
        **{"password": "database-password-hunter2", "host": "db.internal", "options": {"sslmode": "require"}},
    }
    assert spec_table(CodeOptions()) == {}
    assert spec_table(sqlite(path=Path("/a"))) == {"engine": "sqlite", "path": "/a"}
    assert not {"id", "hostnames"} - set(spec_table(a_site(labels=(("team", "press"),), state="maintenance")))
    assert not {"labels", "state", "pinned", "sources"} & set(spec_table(a_site(labels=(("team", "press"),))))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"user": "u-{site}"}, {"user": "u-{site}"}),
        ({"options": (SystemdOptions(user="unit"),)}, {"user": "unit"}),
        ({"user": "u", "options": (SystemdOptions(user="unit"),)}, {"user": "u"}),
    ],
)
def test_snapshot_says_who_the_process_runs_as(changes: dict[str, Any], expected: dict[str, object]) -> None:
    """Whichever table of servers says it."""
    assert account_key(a_platform(**changes)) == expected


def test_snapshot_is_whole(source: Registry, tmp_path: Path) -> None:
    """Everything that the process needs, once, and the files that it must not read, in the order of the alphabet."""
    key_file = Secret.from_file(secret_file(tmp_path / "a.key", "k" * 32))
    keys = (("a", key_file), ("b", Secret("k" * 32)))
    platform = a_platform(secret_key=None, secret_keys=keys, key_id="a", revision=9, origin="http://{hostname}")
    site = a_site(storage=s3(), database=postgresql(), secret_key=Secret("s" * 50), state="maintenance", pinned=True)
    [snapshot] = draft_snapshots(
        Path("/f"), source, Contents(platform, (site,)), datetime(2026, 5, 1, 12, 0, 0, 123, tzinfo=UTC)
    )
    assert snapshot.path == Path("/f/aurora.json")
    document = snapshot.document
    assert (document["format"], document["revision"], document["created"]) == (1, 9, "2026-05-01T12:00:00+00:00")
    assert (document["registry"], document["private"]) == (source.url, [str(tmp_path / "a.key"), source.url])
    assert document["platform"] == {"name": "aviary", "data": "/srv/data", "origin": "http://{hostname}"}
    assert list(document) == list(WHOLE)
    assert document["site"] == {
        "id": "aurora",
        "uid": "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978",
        "hostnames": ["aurora.example.org", "www.aurora.example.org"],
        "names": spec_table(site.names),
        "database": spec_table(site.database),
        "cache": {"backend": "locmem"},
        "storage": spec_table(site.storage),
        "aliases": ["aurora.example.net"],
        "secret_key": "s" * 50,
    }


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
