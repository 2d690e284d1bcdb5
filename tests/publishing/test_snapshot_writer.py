"""Writing snapshots."""

from __future__ import annotations

import fcntl
import grp
import json
import os
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.accounts import needs_root
from tests.registry.test_signature import make_key
from tests.registry.test_snapshot import (
    ENVIRON,
    NOW,
    REGISTRY,
    folder,  # noqa: F401  # a fixture
    read_own,
    snap,
    source,  # noqa: F401  # a fixture
)
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing import snapshot_writer
from wagtail_multihost.publishing.signing import read_signing_key
from wagtail_multihost.publishing.snapshot_changes import find_changes, find_groups, find_stale
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.publishing.snapshot_writer import prepared_folder, write_changes
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.base import Registry
from wagtail_multihost.registry.snapshot import SnapshotRegistry
from wagtail_multihost.registry.uniqueness import shared_key_problems
from wagtail_multihost.spec.secret import Secret

# Fixtures of another module are arguments here.
# ruff: noqa: F811


def changed(tmp_path: Path, old: str = "", new: str = "", environ: dict[str, str] | None = None) -> Registry:
    text = REGISTRY.replace(old, new) if old else REGISTRY
    (tmp_path / "sites.toml").write_text(text, encoding="utf-8")
    return open_registry(tmp_path / "sites.toml", environ or ENVIRON)


def states(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in sorted(folder.iterdir())}


def test_snapshot_that_is_the_same_is_not_touched(source: Registry, folder: Path) -> None:
    """A second run, at another time, leaves the same files, with their inodes and revisions."""
    before = states(folder)
    assert snap(source, folder, now=NOW + timedelta(days=1)) == []
    assert states(folder) == before


def test_snapshot_of_a_later_revision_with_the_same_content_is_not_touched(folder: Path, tmp_path: Path) -> None:
    """A neighbour's change makes a new revision of the registry, not of the site."""
    before = states(folder)
    registry = changed(tmp_path, "revision = 7", "revision = 8")
    assert snap(registry, folder) == []
    assert states(folder) == before


def test_snapshot_that_differs_is_written_with_the_new_revision(folder: Path, tmp_path: Path) -> None:
    """Only the changed site's file is replaced."""
    before = states(folder)
    registry = changed(tmp_path, "hunter4", "hunter44")
    (tmp_path / "sites.toml").write_text(
        (tmp_path / "sites.toml").read_text(encoding="utf-8").replace("revision = 7", "revision = 8"), encoding="utf-8"
    )
    assert snap(registry, folder) == ["aurora.json updated"]
    after = states(folder)
    assert after["borealis.json"] == before["borealis.json"]
    assert SnapshotRegistry(folder, {}).site("aurora")[0].revision == 8
    assert SnapshotRegistry(folder, {}).site("borealis")[0].revision == 7


def test_snapshot_of_a_changed_secret_file_is_written(folder: Path, tmp_path: Path) -> None:
    """A new password makes a new snapshot though the registry's own file is as it was."""
    assert snap(changed(tmp_path, environ={"PASSWORD": "another"}), folder) == ["aurora.json updated"]


def test_snapshot_of_a_lower_revision_is_refused(folder: Path, tmp_path: Path) -> None:
    """An older registry does not replace newer snapshots: their sites would refuse to serve."""
    before = states(folder)
    registry = changed(tmp_path, "hunter4", "hunter44")
    path = tmp_path / "sites.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("revision = 7", "revision = 6"), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        snap(registry, folder)
    assert [problem.site for problem in refused.value.problems] == ["aurora"]
    assert states(folder) == before


def test_old_snapshot_is_renewed(source: Registry, folder: Path) -> None:
    """A snapshot that is the same is written anew after a while, and keeps its revision."""
    assert snap(source, folder, now=NOW + timedelta(days=16)) == ["aurora.json renewed", "borealis.json renewed"]
    assert SnapshotRegistry(folder, {}).site("aurora")[0].revision == 7
    assert snap(source, folder, now=NOW + timedelta(days=17)) == []


@pytest.mark.parametrize("damage", ["mode", "digest", "format"])
def test_damaged_snapshot_is_written_anew(source: Registry, folder: Path, damage: str) -> None:
    """A file whose mode, digest or format is another is replaced."""
    path = folder / "aurora.json"
    path.chmod(0o600)
    document = json.loads(path.read_text())
    if damage != "mode":
        document.update({"digest": "sha256:0"} if damage == "digest" else {"format": 99})
        path.write_text(json.dumps(document))
    assert snap(source, folder) == ["aurora.json updated"]
    assert SnapshotRegistry(folder, {}).site("aurora")[1].id == "aurora"


@pytest.mark.parametrize("text", ["", "{}", "{", '{"format": 1}', "[1]", "# mine"])
def test_file_that_is_no_snapshot_is_not_overwritten(source: Registry, folder: Path, text: str) -> None:
    """What this package did not write stays, and nothing else is written either."""
    path = folder / "aurora.json"
    path.chmod(0o600)
    path.write_text(text)
    (folder / "borealis.json").unlink()
    with pytest.raises(ConfigurationError) as refused:
        snap(source, folder)
    assert [problem.where for problem in refused.value.problems] == [str(path)]
    assert (path.read_text(), (folder / "borealis.json").exists()) == (text, False)


def test_link_is_not_written_through(source: Registry, folder: Path, tmp_path: Path) -> None:
    """A symbolic link in the place of a file is refused, and its target stays."""
    target = tmp_path / "target.json"
    (folder / "aurora.json").rename(target)
    (folder / "aurora.json").symlink_to(target)
    before = target.read_bytes()
    with pytest.raises(ConfigurationError, match="not a snapshot"):
        snap(source, folder)
    assert target.read_bytes() == before


def test_stale_snapshots_are_those_of_ours(source: Registry, folder: Path) -> None:
    """Snapshots of sites that are gone are to be removed; other files are not."""
    (folder / "notes.json").write_text("{}")
    (folder / "README").write_text("snapshots")
    (folder / "lyra.json").write_bytes((folder / "aurora.json").read_bytes())
    found = list(find_stale(folder, [folder / "aurora.json"], source.load().platform))
    assert [change.path.name for change in found] == ["borealis.json", "lyra.json"]
    write_changes(found)
    assert sorted(path.name for path in folder.iterdir()) == ["README", "aurora.json", "notes.json"]


@pytest.mark.parametrize("fails", ["fsync", "fchmod", "replace"])
def test_failure_in_the_middle_changes_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """What fails before the first rename leaves every file, and no draft."""
    before = states(folder)
    original, calls = getattr(os, fails), []

    def fail(*arguments: object) -> object:
        calls.append(arguments)
        # The second file's, or the first rename.
        if len(calls) == (1 if fails == "replace" else 2):
            raise OSError(28, "No space left on device")
        return original(*arguments)

    registry = changed(tmp_path, "/run/aviary", "/run/other")
    contents = read_own(registry)
    changes = list(find_changes(draft_snapshots(folder, registry, contents, NOW), find_groups(*contents[:2]), None))
    assert len(changes) == 2
    monkeypatch.setattr(os, fails, fail)
    with pytest.raises(ConfigurationError, match="No space left"):
        write_changes(changes)
    assert states(folder) == before


def test_drafts_of_a_killed_run_are_removed(source: Registry, folder: Path) -> None:
    """A draft that was left over, with its secrets, goes with the next run."""
    (folder / ".aurora.json.0123abcd.tmp").write_text("half")
    (folder / ".other.tmp").write_text("mine")
    snap(source, folder)
    assert sorted(path.name for path in folder.iterdir()) == [".other.tmp", "aurora.json", "borealis.json"]


def test_modes_do_not_depend_on_the_umask(source: Registry, tmp_path: Path) -> None:
    """Files have the mode 0440, a new folder and those above it 0711."""
    for umask in (0o000, 0o077):
        previous = os.umask(umask)
        try:
            snap(source, tmp_path / f"{umask}" / "run")
        finally:
            os.umask(previous)
        folder = tmp_path / f"{umask}" / "run"
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o711] * 2
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o440}


def test_folder_that_others_write_to_is_not_used(source: Registry, tmp_path: Path) -> None:
    """Secrets are not written where others can change them."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(ConfigurationError, match="0777"):
        snap(source, tmp_path / "shared")
    assert list((tmp_path / "shared").iterdir()) == []


def test_file_in_the_place_of_the_folder_is_an_error(source: Registry, tmp_path: Path) -> None:
    """An output that is a file is reported."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as refused:
        snap(source, tmp_path / "file")
    assert [problem.where for problem in refused.value.problems] == [str(tmp_path / "file")]


@needs_root
def test_snapshot_belongs_to_root_and_the_sites_group(tmp_path: Path) -> None:
    """Root owns the file; the group is the one that the platform names for the site."""
    registry = changed(tmp_path, "revision = 7", 'revision = 7\ngroup = "games"')
    snap(registry, tmp_path / "run")
    status = (tmp_path / "run" / "aurora.json").stat()
    assert (status.st_uid, status.st_gid) == (0, grp.getgrnam("games").gr_gid)
    os.chown(tmp_path / "run" / "aurora.json", -1, 0)
    assert snap(registry, tmp_path / "run") == ["aurora.json updated"]


@needs_root
def test_group_that_does_not_exist_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    """Every missing group is named, under the key that asks for it."""
    registry = changed(tmp_path, "revision = 7", 'revision = 7\ngroup = "none-{site}"')
    with pytest.raises(ConfigurationError) as refused:
        find_groups(*read_own(registry)[:2])
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [
        ("sites.toml: platform.group", "aurora"),
        ("sites.toml: platform.group", "borealis"),
    ]


def test_group_of_who_is_not_root_is_its_own(source: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root can give files away."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert set(find_groups(*read_own(source)[:2]).values()) == {os.getegid()}


def test_signature_is_made_where_it_is_missing_or_anothers(source: Registry, folder: Path, tmp_path: Path) -> None:
    """A snapshot with the same content is written when the key's signature is not on it, and once only."""
    first, second = (read_signing_key(make_key(tmp_path, name)) for name in ("first", "second"))
    both = ["aurora.json updated", "borealis.json updated"]
    assert [snap(source, folder, key) for key in (first, first, second, None)] == [both, [], both, []]


def test_snapshots_of_snapshots_are_the_same(folder: Path, tmp_path: Path) -> None:
    """A folder of snapshots is a registry, also to make snapshots of."""
    again = SnapshotRegistry(folder, {})
    snap(again, tmp_path / "again")
    texts = [json.loads((place / "aurora.json").read_text()) for place in (folder, tmp_path / "again")]
    assert texts[0]["site"] == texts[1]["site"]
    assert texts[0]["platform"] == texts[1]["platform"]


def test_two_runs_do_not_write_at_once(source: Registry, folder: Path) -> None:
    """A run holds the folder until it is done."""
    import fcntl

    with prepared_folder(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [('name = "aviary"', 'name = "zoo"', "platform 'aviary'"), ("revision = 7", "revision = 6", "revision 7")],
)
def test_snapshots_are_not_removed_by_a_registry_that_knows_less(
    folder: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    """Another platform's registry, or an older copy, takes no live snapshot away."""
    platform = changed(tmp_path, old, new).load(requires_pins=False).platform
    with pytest.raises(ConfigurationError) as refused:
        list(find_stale(folder, [], platform))
    assert all(words in problem.message for problem in refused.value.problems)
    assert len(refused.value.problems) == 2


def test_folder_that_another_process_has_locked_is_an_error(
    source: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever for a lock that anybody could hold."""
    monkeypatch.setattr(snapshot_writer, "LOCK_SECONDS", 0.2)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with pytest.raises(ConfigurationError, match="lock"):
            snap(source, folder)
    finally:
        os.close(descriptor)


@needs_root
def test_groups_with_one_id_are_no_two_groups(
    tmp_path: Path, source: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sites whose groups have one id could read each other's snapshots."""
    contents = changed(tmp_path, "revision = 7", 'revision = 7\ngroup = "x-{site}"').load()
    monkeypatch.setattr(grp, "getgrnam", lambda name: SimpleNamespace(gr_gid=4711))
    with pytest.raises(ConfigurationError) as refused:
        find_groups(contents.platform, contents.sites)
    assert len(refused.value.problems) == len(contents.sites) - 1


def test_one_key_in_two_places_is_found_when_it_is_read(source: Registry) -> None:
    """Two files with the same key are seen before snapshots are written."""
    first, second, *_ = source.load().sites
    same = [replace(site, secret_key=Secret("k" * 50)) for site in (first, second)]
    (problem,) = shared_key_problems(same)
    assert (problem.site, first.id in problem.message) == (second.id, True)
    other = replace(second, secret_key=Secret("o" * 50))
    assert list(shared_key_problems([same[0], other])) == []
