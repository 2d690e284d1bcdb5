"""Files of which secrets are a part are closed from their first moment on, whatever the umask is."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import IS_ROOT
from tests.emitters.apply.conftest import emitted
from wagtail_multihost.emitters import output
from wagtail_multihost.emitters.apply import journal
from wagtail_multihost.emitters.output import State, compare, draft, read, refresh, stale
from wagtail_multihost.registry import snapshot_writer
from wagtail_multihost.registry.snapshot import Snapshot
from wagtail_multihost.registry.snapshot_changes import has_access


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


def test_emitted_file_is_closed_until_it_has_its_group(tmp_path: Path, first_modes: list[int]) -> None:
    """Its draft is its owner's alone; then it has the mode that is wanted."""
    output.write_draft(str(tmp_path / "draft"), emitted("conf/main", "x", mode=0o640))
    assert first_modes == [0o600]
    assert stat.S_IMODE((tmp_path / "draft").stat().st_mode) == 0o640


def test_snapshot_is_closed_until_it_has_its_group(tmp_path: Path, first_modes: list[int]) -> None:
    """The same holds for a site's secrets."""
    snapshot_writer.write_draft(tmp_path / "a.json", Snapshot({"a": "ä"}, tmp_path / "a.json"), os.getegid())
    assert first_modes == [0o600]
    assert has_access((tmp_path / "a.json").stat(), os.getegid())
    assert (tmp_path / "a.json").read_text() == '{\n "a": "\\u00e4"\n}\n'


def test_draft_is_never_written_over_something(tmp_path: Path) -> None:
    """A file or a link at the name of a draft is an error."""
    (tmp_path / "draft").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        output.write_draft(str(tmp_path / "draft"), emitted("conf/main", "x"))
    assert not (tmp_path / "elsewhere").exists()


def test_drafts_are_beside_their_places_under_names_that_nobody_includes(tmp_path: Path) -> None:
    """One is hidden, and ends in .tmp; folders are made for it, and others pass them."""
    [change] = compare(tmp_path, [emitted("conf/sites/a", "x")])
    [(place, name)] = draft(tmp_path, [change]).items()
    assert place == f"{tmp_path}/conf/sites/a"
    assert output.DRAFT.fullmatch(Path(name).name) and Path(name).parent == Path(place).parent
    assert stat.S_IMODE((tmp_path / "conf").stat().st_mode) == 0o755


def test_what_is_at_a_path_is_told_without_following_it(tmp_path: Path) -> None:
    """Files, links, folders, pipes and binary files are told apart; nothing waits for a pipe's writer."""
    (tmp_path / "file").write_text("text")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    assert read(f"{tmp_path}/file") == (True, "text", 0o640, os.getegid(), os.geteuid())
    strange = [read(f"{tmp_path}/{name}") for name in ("binary", "link", "folder", "pipe")]
    assert strange == [(True, None, None, None, None)] * 4
    assert read(f"{tmp_path}/missing") == (False, None, None, None, None)
    assert len(os.listdir("/proc/self/fd")) == before


def test_file_that_differs_says_how(tmp_path: Path) -> None:
    """New, the same, changed, edited, of others and with another mode are states of their own."""
    file = emitted("main", "x")
    path = tmp_path / "main"

    def state(known: bool = True) -> State:
        [change] = compare(tmp_path, [file], lambda path, text: known)
        return change.state

    assert state() is State.NEW
    output.write(tmp_path, *compare(tmp_path, [file]))
    assert state() is state(known=False) is State.SAME
    path.chmod(0o600)
    assert state() is State.CHANGED
    path.write_text(file.text + "more")
    assert (state(), state(known=False)) == (State.CHANGED, State.EDITED)
    path.write_text("of others")
    assert (state(), state(known=False)) == (State.FOREIGN, State.FOREIGN)
    if IS_ROOT:
        path.write_text(file.text)
        path.chmod(file.mode)
        for owner in ((1, 0), (0, 1)):
            os.chown(path, *owner)
            assert state() is State.CHANGED


def test_stale_files_are_ours_alone(tmp_path: Path) -> None:
    """What is emitted, what others wrote and what is no file stays; a star stands for folders that there are."""
    for folder in ("conf", "units/a.d", "units/b"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("conf/kept", "conf/gone", "units/a.d/gone", "units/b/out"):
        (tmp_path / name).write_text(emitted(name, "x").text)
    (tmp_path / "conf/foreign").write_text("x")
    (tmp_path / "conf/folder").mkdir()
    found = list(stale(tmp_path, ["conf", "missing", "units/*.d"], [emitted("conf/kept", "x").path]))
    assert [(str(change.path), change.state) for change in found] == [
        ("conf/gone", State.STALE),
        ("units/a.d/gone", State.STALE),
    ]
    assert {change.state for change in stale(tmp_path, ["conf"], [], lambda path, text: False)} == {State.EDITED}


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
    refresh(str(new), str(old))
    assert (new.stat().st_mtime, old.stat().st_mtime) == (expected, replaced)


def test_time_of_a_file_that_replaces_none_is_left(tmp_path: Path) -> None:
    """A new file needs no time but its own."""
    new = tmp_path / "new"
    new.touch()
    os.utime(new, (10.5, 10.5))
    refresh(str(new), str(tmp_path / "missing"))
    assert new.stat().st_mtime == 10.5


def test_time_of_a_link_is_its_own(tmp_path: Path) -> None:
    """A link that comes back, as somebody's own file may be one, is newer itself, and what it leads to is left."""
    target, old, link = tmp_path / "target", tmp_path / "old", tmp_path / "link"
    for path, moment in ((target, 10), (old, 4_000_000_000)):
        path.touch()
        os.utime(path, (moment, moment))
    link.symlink_to(target)
    refresh(str(link), str(old))
    assert (link.lstat().st_mtime, target.stat().st_mtime) == (4_000_000_001, 10)


FUTURE = 4_000_000_000


@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize(
    ("own", "replaced", "expected"),
    [
        (10, 20, None),
        (10, None, None),
        (FUTURE, 20, FUTURE + 1),
        (FUTURE, None, FUTURE + 1),
        (10, FUTURE, FUTURE + 1),
        (FUTURE, FUTURE, FUTURE + 1),
        (FUTURE + 1, FUTURE, FUTURE + 2),
        (FUTURE, FUTURE + 9, FUTURE + 10),
    ],
)
def test_old_file_that_comes_back_is_newer_than_ever(
    tmp_path: Path, own: int, replaced: int | None, expected: int | None, is_link: bool
) -> None:
    """Its time is now, or one second after the later one of its own and of what it replaces; a link's is its own."""
    draft, path, target = tmp_path / "draft", tmp_path / "path", tmp_path / "target"
    target.touch()
    os.utime(target, (10, 10))
    draft.symlink_to(target) if is_link else draft.touch()
    os.utime(draft, (own, own), follow_symlinks=False)
    if replaced is not None:
        path.touch()
        os.utime(path, (replaced, replaced))
    started = int(time.time())
    journal.renew(str(draft), str(path))
    found = draft.lstat().st_mtime
    assert found == expected if expected else started <= found <= time.time()
    assert target.stat().st_mtime == 10
