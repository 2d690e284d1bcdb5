"""What there is at the paths of emitted files, and old files that come back."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from tests.accounts import IS_ROOT
from tests.emitters.apply.conftest import emitted
from wagtail_multihost.emitters import output
from wagtail_multihost.emitters.apply import journal
from wagtail_multihost.emitters.output import Found, State, compare, draft, read, stale
from wagtail_multihost.files.writing import DRAFT


def test_drafts_are_beside_their_places_under_names_that_nobody_includes(tmp_path: Path) -> None:
    """One is hidden, and ends in .tmp; folders are made for it, and others pass them."""
    [change] = compare(tmp_path, [emitted("conf/sites/a", "x")])
    [(place, name)] = draft(tmp_path, [change]).items()
    assert place == f"{tmp_path}/conf/sites/a"
    assert DRAFT.fullmatch(Path(name).name) and Path(name).parent == Path(place).parent
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
    found = read(f"{tmp_path}/file")
    assert found[:2] == (True, "text")
    assert found.status is not None
    assert found.status.st_ino == (tmp_path / "file").stat().st_ino
    strange = [read(f"{tmp_path}/{name}")[:2] for name in ("binary", "link", "folder", "pipe")]
    assert strange == [(True, None)] * 4
    assert read(f"{tmp_path}/missing") == Found()
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
    journal.renew_time(str(draft), str(path))
    found = draft.lstat().st_mtime
    assert found == expected if expected else started <= found <= time.time()
    assert target.stat().st_mtime == 10
