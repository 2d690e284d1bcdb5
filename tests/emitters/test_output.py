"""Comparing with a folder, and writing what differs."""

from __future__ import annotations

import grp
import os
import stat
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from tests.accounts import NOBODY, needs_root
from wagtail_multihost.emitters import output
from wagtail_multihost.emitters.files import EmittedFile
from wagtail_multihost.emitters.output import Change, State, compare, diff, stale, write
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files import writing

#: Neither root's nor the one that True would be.
ANOTHER_GROUP = 2
NAME = PurePosixPath("nginx/maps.conf")
FILE = EmittedFile(NAME, f"{OWNERSHIP_LINE}\nnew é\n")


def put(folder: Path, text: str, *, name: PurePosixPath = NAME, mode: int = 0o644) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def only_change(folder: Path, file: EmittedFile = FILE) -> Change:
    (change,) = compare(folder, [file])
    return change


def drafts(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.tmp")]


def test_compare_with_no_folder_is_new(tmp_path: Path) -> None:
    """A file that is not there yet is new."""
    assert only_change(tmp_path / "none") == Change(NAME, State.NEW, "", FILE)


def test_compare_with_the_same_text_and_mode_is_unchanged(tmp_path: Path) -> None:
    """The same text and mode is no difference."""
    put(tmp_path, FILE.text)
    assert only_change(tmp_path).state is State.SAME


@pytest.mark.parametrize(("text", "mode"), [(f"{OWNERSHIP_LINE}\nold\n", 0o644), (FILE.text, 0o600)])
def test_compare_with_another_text_or_mode_is_changed(tmp_path: Path, text: str, mode: int) -> None:
    """A file of ours with another text or mode is to be updated."""
    put(tmp_path, text, mode=mode)
    assert only_change(tmp_path) == Change(NAME, State.CHANGED, text, FILE)


@pytest.mark.parametrize("text", ["", "server {}\n", f"\n{OWNERSHIP_LINE}\n", f" {OWNERSHIP_LINE}\n"])
def test_compare_with_a_file_without_ownership_is_foreign(tmp_path: Path, text: str) -> None:
    """A file whose first line is not the ownership line is somebody's own."""
    put(tmp_path, text)
    assert only_change(tmp_path).state is State.FOREIGN


def test_compare_with_a_file_that_is_no_text_is_foreign(tmp_path: Path) -> None:
    """A file that is not UTF-8 is somebody's own."""
    put(tmp_path, "").write_bytes(OWNERSHIP_LINE.encode() + b"\n\xff")
    assert only_change(tmp_path).state is State.FOREIGN


@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "directory", "fifo"])
def test_compare_with_something_else_in_the_way_is_foreign(tmp_path: Path, kind: str) -> None:
    """What is no regular file is never followed, read or replaced."""
    path = tmp_path / NAME
    path.parent.mkdir()
    target = put(tmp_path, FILE.text, name=PurePosixPath("elsewhere"))
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(target if kind == "symlink" else tmp_path / "none")
    before = set(os.listdir("/proc/self/fd"))
    assert only_change(tmp_path).state is State.FOREIGN
    assert set(os.listdir("/proc/self/fd")) <= before


def test_compare_with_a_file_as_the_folder_cannot_be_done(tmp_path: Path) -> None:
    """A file where the folder should be is an error that names the path."""
    put(tmp_path, "", name=PurePosixPath("nginx"))
    with pytest.raises(EmitError, match=r"nginx/maps\.conf"):
        only_change(tmp_path)


def test_compare_with_an_unreadable_file_cannot_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read is an error, not a difference."""
    put(tmp_path, FILE.text)

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(EmitError, match="Permission denied"):
        only_change(tmp_path)


def test_stale_files_are_ours_and_no_longer_emitted(tmp_path: Path) -> None:
    """Files of ours that are emitted no more are removed, drafts of a killed run too; others stay."""
    own = {name: f"{OWNERSHIP_LINE}\n{name}" for name in ("gone.ini", "kept.ini", ".x.ini.1a2b.tmp")}
    for name, text in {**own, "foreign.ini": "[uwsgi]\n"}.items():
        put(tmp_path, text, name=PurePosixPath("uwsgi", name))
    (tmp_path / "uwsgi/folder").mkdir()
    (tmp_path / "uwsgi/link.ini").symlink_to(tmp_path / "uwsgi/gone.ini")
    changes = list(stale(tmp_path, ["uwsgi", "none", "uwsgi/kept.ini"], frozenset({PurePosixPath("uwsgi/kept.ini")})))
    assert changes == [
        Change(PurePosixPath("uwsgi", name), State.STALE, own[name]) for name in (".x.ini.1a2b.tmp", "gone.ini")
    ]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_write_makes_folders_and_the_file_with_its_mode(tmp_path: Path, umask: int) -> None:
    """A new file has its text and mode whatever the umask, and leaves no draft."""
    old = os.umask(umask)
    try:
        write(tmp_path, Change(NAME, State.NEW, "", FILE))
    finally:
        os.umask(old)
    assert (tmp_path / NAME).read_text(encoding="utf-8") == FILE.text
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == FILE.mode
    assert stat.S_IMODE((tmp_path / NAME).parent.stat().st_mode) == 0o755 & ~umask
    assert drafts(tmp_path) == []


def test_write_replaces_by_a_rename(tmp_path: Path) -> None:
    """Who has the old file open goes on reading the old text."""
    path = put(tmp_path, "old")
    with path.open(encoding="utf-8") as reader:
        write(tmp_path, Change(NAME, State.CHANGED, "old", FILE))
        assert reader.read() == "old"
    assert path.read_text(encoding="utf-8") == FILE.text


def test_write_removes_a_stale_file(tmp_path: Path) -> None:
    """A change without a new file removes the old one."""
    path = put(tmp_path, "old")
    write(tmp_path, Change(NAME, State.STALE, "old"))
    assert not path.exists()


@pytest.mark.parametrize("function", ["replace", "fsync", "fchmod"])
def test_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """When a step fails the old file is still there, no draft is left, and the error says why."""
    path = put(tmp_path, "old")

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(EmitError, match="No space left on device"):
        write(tmp_path, Change(NAME, State.CHANGED, "old", FILE))
    assert path.read_text() == "old"
    assert drafts(tmp_path) == []


def test_write_that_is_interrupted_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves the old file and no draft."""
    path = put(tmp_path, "old")

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, Change(NAME, State.CHANGED, "old", FILE))
    assert path.read_text() == "old"
    assert drafts(tmp_path) == []


def test_write_that_cannot_draft_one_file_changes_none(tmp_path: Path) -> None:
    """One file that cannot be written leaves all others as they were."""
    path = put(tmp_path, "old")
    put(tmp_path, "a file", name=PurePosixPath("uwsgi"))
    other = EmittedFile(PurePosixPath("uwsgi/aurora.ini"), OWNERSHIP_LINE)
    with pytest.raises(EmitError, match="Cannot write"):
        write(tmp_path, Change(NAME, State.CHANGED, "old", FILE), Change(other.path, State.NEW, "", other))
    assert path.read_text() == "old"
    assert drafts(tmp_path) == []


def test_write_of_many_files_waits_for_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From some number of files on, the disk is waited for once, before the first file takes its place."""
    monkeypatch.setattr(writing, "MOST_SINGLE_SYNCS", 1)
    before: list[set[str]] = []
    monkeypatch.setattr(os, "sync", lambda: before.append({path.suffix for path in tmp_path.glob("nginx/*")}))
    files = [EmittedFile(PurePosixPath(f"nginx/{number}.conf"), f"{number}") for number in range(2)]
    write(tmp_path, *(Change(file.path, State.NEW, "", file) for file in files))
    assert before == [{".tmp"}]
    assert {path.read_text() for path in tmp_path.glob("nginx/*.conf")} == {"0", "1"}


@pytest.mark.parametrize(
    ("change", "heads"),
    [
        (Change(NAME, State.NEW, "", FILE), ("--- /dev/null", "+++ b/nginx/maps.conf")),
        (Change(NAME, State.CHANGED, "old\n", FILE), ("--- a/nginx/maps.conf", "+++ b/nginx/maps.conf")),
        (Change(NAME, State.STALE, "old\n"), ("--- a/nginx/maps.conf", "+++ /dev/null")),
    ],
)
def test_diff_is_one_that_patch_takes(change: Change, heads: tuple[str, str]) -> None:
    """A difference is a unified diff; a missing side is /dev/null."""
    lines = diff(change).splitlines()
    assert tuple(lines[:2]) == heads
    assert ("-old" in lines, "+new é" in lines) == (bool(change.old), change.new is not None)


def test_folder_that_may_not_be_read_is_foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in a file's place is in the way, whether it can be opened or not."""
    (tmp_path / NAME).mkdir(parents=True)

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert only_change(tmp_path).state is State.FOREIGN


@pytest.mark.parametrize("new", [None, FILE])
def test_folders_of_removed_and_of_new_files_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: EmittedFile | None
) -> None:
    """Each folder in which a name came or went is synchronized, one in which nothing did is not."""
    put(tmp_path, "old")
    put(tmp_path, "old", name=PurePosixPath("uwsgi/other.ini"))
    synced: list[str] = []
    monkeypatch.setattr(writing, "sync_paths", lambda paths: synced.extend(paths))
    write(tmp_path, Change(NAME, State.CHANGED if new else State.STALE, "old", new))
    assert synced[-1:] == [f"{tmp_path}/nginx"]
    assert len(synced) == (2 if new else 1)


@pytest.mark.parametrize("blocked", [True, False])
def test_error_of_a_write_names_the_path(tmp_path: Path, blocked: bool) -> None:
    """The folder that cannot be made, or the file that cannot be removed, is named."""
    folder = tmp_path / "out"
    if blocked:
        folder.touch()
        change, named = Change(NAME, State.NEW, "", FILE), folder
    else:
        change, named = Change(NAME, State.STALE, "old"), folder / NAME
    with pytest.raises(EmitError) as caught:
        write(folder, change)
    assert str(caught.value).startswith(f"Cannot write {named}: ")


@needs_root
def test_file_of_a_group_is_given_to_it_by_root(tmp_path: Path) -> None:
    """A file that is for a group has that and root as its owner; one that is for none is root's own."""
    name = grp.getgrgid(ANOTHER_GROUP).gr_name
    folder = tmp_path / "nginx"
    folder.mkdir()
    os.chown(folder, -1, NOBODY)
    folder.chmod(0o2755)  # what is made here has the folder's group
    for group, gid in ((name, ANOTHER_GROUP), ("", 0)):
        file = replace(FILE, group=group)
        write(tmp_path, Change(NAME, State.NEW, "", file))
        status = (tmp_path / NAME).stat()
        assert (status.st_uid, status.st_gid) == (0, gid)
        assert only_change(tmp_path, file).state is State.SAME
    with pytest.raises(EmitError, match="This machine has no group no-such-group"):
        write(tmp_path, Change(NAME, State.NEW, "", replace(FILE, group="no-such-group")))


@needs_root
def test_who_is_not_root_gives_no_file_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are for what root writes: another account's files are its own, and no difference."""
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    output.owner_of.cache_clear()
    try:
        file = replace(FILE, group="no-such-group")
        write(tmp_path, Change(NAME, State.NEW, "", file))
        os.chown(tmp_path / NAME, 1, 1)
        assert only_change(tmp_path, file).state is State.SAME
    finally:
        output.owner_of.cache_clear()


@pytest.mark.parametrize(
    ("state", "new", "word"),
    [
        *((State.NEW, FILE, "created"), (State.CHANGED, FILE, "updated"), (State.STALE, None, "removed")),
        *((State.FOREIGN, FILE, "replaced"), (State.EDITED, FILE, "replaced")),
        *((State.FOREIGN, None, "removed"), (State.EDITED, None, "removed"), (State.SAME, FILE, "unchanged")),
    ],
)
def test_word_says_what_becomes_of_a_file(state: State, new: EmittedFile | None, word: str) -> None:
    """A forced file is replaced, or removed where it has no new text; others are called by their state."""
    assert Change(NAME, state, "old", new).word == word
