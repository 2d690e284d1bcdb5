"""A set of files is written as a whole, closed from its first moment on, and is on the disk in the right order."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wagtail_multihost.files import writing
from wagtail_multihost.files.writing import (
    DRAFT,
    NewFile,
    create_file,
    make_newer,
    place_drafts,
    remove_drafts,
    sync_paths,
    touch_file,
    write_drafts,
    write_files,
)


@pytest.fixture
def first_modes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The mode that each file has before it is given its own, under an open umask."""
    found: list[int] = []
    real = os.fchmod

    def fchmod(descriptor: int, mode: int) -> None:
        found.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", fchmod)
    before = os.umask(0)
    yield found
    os.umask(before)


def test_file_is_closed_until_it_has_its_owner(tmp_path: Path, first_modes: list[int]) -> None:
    """Its draft is its writer's alone, whatever the umask is; then it has the mode that is wanted."""
    path = tmp_path / "file"
    create_file(str(path), NewFile(str(path), b"x", 0o644, (os.geteuid(), os.getegid())))
    assert first_modes == [0o600]
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o644, b"x")


def test_file_does_not_show_what_is_in_it() -> None:
    """Error pages show the variables of every frame, and a snapshot is full of secrets."""
    assert repr(NewFile("/f", b"secret")) == "NewFile(/f)"


def test_draft_is_never_written_over_something(tmp_path: Path) -> None:
    """A file or a link at the name of a draft is an error."""
    (tmp_path / "draft").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        create_file(str(tmp_path / "draft"), NewFile("draft", b"x"))
    assert not (tmp_path / "elsewhere").exists()


def test_file_is_written_into_an_open_folder(tmp_path: Path) -> None:
    """Its name is one in the folder, wherever that is by now."""
    (tmp_path / "folder").mkdir()
    folder = os.open(tmp_path / "folder", os.O_DIRECTORY)
    (tmp_path / "folder").rename(tmp_path / "moved")
    create_file("file", NewFile("file", b"x", 0o440), folder)
    os.close(folder)
    assert (tmp_path / "moved/file").read_bytes() == b"x"


def test_link_in_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    """What it leads to stays as it was."""
    (tmp_path / "target").write_text("as it was")
    (tmp_path / "file").symlink_to("target")
    write_files([NewFile(f"{tmp_path}/file", b"new")])
    assert not (tmp_path / "file").is_symlink()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "new", "target": "as it was"}


def test_set_of_files_is_written_or_left(tmp_path: Path) -> None:
    """Where one draft cannot be made nothing is changed, none is left, and the error names the file's own place."""
    old, gone = tmp_path / "old", tmp_path / "gone"
    old.write_text("old")
    gone.touch()
    with pytest.raises(FileNotFoundError) as refused:
        write_files([NewFile(str(old), b"new"), NewFile(f"{tmp_path}/none/file", b"new")], [str(gone)])
    assert refused.value.filename == f"{tmp_path}/none/file"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old": "old", "gone": ""}
    write_files([NewFile(str(old), b"new")], [str(gone)])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old": "new"}


def test_order_is_drafts_then_renames_then_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is renamed before all drafts are on the disk, and names are on it at the end."""
    steps: list[str] = []
    real = os.replace

    def replace(old: str, new: str) -> None:
        steps.append("rename")
        real(old, new)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(writing, "sync_paths", lambda paths: steps.append(f"sync {len(paths)}"))
    (tmp_path / "gone").touch()
    files = [NewFile(f"{tmp_path}/{name}", b"") for name in ("a", "b")]
    place_drafts(write_drafts(files), [f"{tmp_path}/gone"])
    assert steps == ["sync 2", "rename", "rename", "sync 1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_file_is_newer_than_the_one_that_it_replaces(tmp_path: Path) -> None:
    """By a whole second at least, for who compares no parts of it."""
    path = tmp_path / "file"
    path.touch()
    os.utime(path, (4_000_000_000, 4_000_000_000))
    write_files([NewFile(str(path), b"new")])
    assert path.stat().st_mtime == 4_000_000_001


def test_folder_that_cannot_be_opened_is_synchronized_with_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write to a folder and not list it cannot open it, and what was written is on the disk all the same."""
    steps: list[str] = []
    monkeypatch.setattr(os, "sync", lambda: steps.append("all"))

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    sync_paths([str(tmp_path)])
    assert steps == ["all"]


def test_drafts_that_are_left_are_removed_and_nothing_else(tmp_path: Path) -> None:
    """A run that was killed leaves some; a folder that is not there has none."""
    for name in (".a.json.0123abcd.tmp", ".a.json", "a.json", "note.tmp"):
        (tmp_path / name).touch()
    remove_drafts(tmp_path)
    remove_drafts(tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.json", "a.json", "note.tmp"]


@pytest.mark.parametrize(
    ("name", "is_draft"),
    [
        (".aurora.json.0123abcd.tmp", True),
        (".a-1.json.00000000.tmp", True),
        *((name, False) for name in ("aurora.json", ".aurora.json", ".aurora.json.0123abc.tmp")),
        *((name, False) for name in (".a.json.0123abcd.tmp~", ".a.json.0123abcd.tmp.json")),
    ],
)
def test_draft_of_a_run_that_was_killed_is_known_by_its_name(name: str, is_draft: bool) -> None:
    """Nothing else in the folder is removed."""
    assert bool(DRAFT.fullmatch(name)) is is_draft


@pytest.mark.parametrize(
    ("own", "replaced", "expected"),
    [(10.5, 10.0, 11.0), (10.5, 10.9, 11.0), (10.5, 4e9, 4e9 + 1), (10.5, 9.9, 10.5), (10.5, 1.0, 10.5)],
)
def test_time_of_a_file_is_later_in_whole_seconds(tmp_path: Path, own: float, replaced: float, expected: float) -> None:
    """It is one second after that of the file that it replaces, and left alone where it is later already."""
    new, old = tmp_path / "new", tmp_path / "old"
    for path, moment in ((new, own), (old, replaced)):
        path.touch()
        os.utime(path, (moment, moment))
    make_newer(str(new), str(old))
    assert (new.stat().st_mtime, old.stat().st_mtime) == (expected, replaced)


def test_time_of_a_file_that_replaces_none_is_left(tmp_path: Path) -> None:
    """A new file needs no time but its own."""
    new = tmp_path / "new"
    new.touch()
    os.utime(new, (10.5, 10.5))
    make_newer(str(new), str(tmp_path / "missing"))
    assert new.stat().st_mtime == 10.5


def test_time_of_a_link_is_its_own(tmp_path: Path) -> None:
    """A link that comes back, as somebody's own file may be one, is newer itself, and what it leads to is left."""
    target, old, link = tmp_path / "target", tmp_path / "old", tmp_path / "link"
    for path, moment in ((target, 10), (old, 4_000_000_000)):
        path.touch()
        os.utime(path, (moment, moment))
    link.symlink_to(target)
    make_newer(str(link), str(old))
    assert (link.lstat().st_mtime, target.stat().st_mtime) == (4_000_000_001, 10)


@pytest.mark.parametrize(("count", "single"), [(100, True), (101, False)])
def test_many_files_are_synchronized_all_at_once(
    tmp_path: Path, count: int, single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to a hundred files one by one, more by one call for everything."""
    paths = []
    for number in range(count):
        path = tmp_path / f"f{number}"
        path.touch()
        paths.append(str(path))
    steps: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: steps.append("sync"))
    monkeypatch.setattr(os, "sync", lambda: steps.append("sync all"))
    sync_paths(paths)
    assert steps == (["sync"] * count if single else ["sync all"])


@pytest.mark.parametrize("ahead", [-60, 0, 60])
def test_touched_file_is_newer_in_whole_seconds(tmp_path: Path, ahead: int) -> None:
    """Whether it was written long ago, in this second, or by a clock that was ahead."""
    path = tmp_path / "aurora.ini"
    path.write_text("")
    before = int(time.time()) + ahead
    os.utime(path, (before, before))
    touch_file(str(path))
    assert path.stat().st_mtime >= max(before + 1, int(time.time()) - 5)
