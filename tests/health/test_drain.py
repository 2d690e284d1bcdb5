"""The file that drains: whose counts, in which container, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from wagtail_multihost.health import drain
from wagtail_multihost.health.drain import HEAD, Drain, drain_text, instance_marks


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let temporary files of each test be in a folder of its own, and nothing be known of an earlier one's /proc."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    instance_marks.cache_clear()
    yield
    instance_marks.cache_clear()


def see(monkeypatch: pytest.MonkeyPatch, folder: Path, *, boot: str = "", init: str = "") -> None:
    """Let this process see another machine's start and first process, or none."""
    for name, text in {"sys/kernel/random/boot_id": boot, "1/stat": init}.items():
        if text:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    monkeypatch.setattr(drain, "PROC", str(folder))
    instance_marks.cache_clear()


def stat_of(started: int, name: str = "init") -> str:
    """Return what /proc has of a process that was started at a time."""
    return f"1 ({name}) S 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 14 0 {started} 1 2 3\n"


def test_drain_begins_and_ends() -> None:
    """The file is there from the one to the other, and both may be said twice."""
    ours = Drain(site="aurora")
    assert not ours.is_on()
    for _ in range(2):
        ours.begin()
        assert ours.is_on() and ours.path.read_text() == drain_text()
    assert list(ours.path.parent.iterdir()) == [ours.path]
    for _ in range(2):
        ours.end()
        assert not ours.is_on()


def test_stated_file_is_of_the_site_that_it_names(tmp_path: Path) -> None:
    """Where the path has a place for the site's id, each has a file of its own."""
    stated = tmp_path / "{site}.drain"
    Drain(stated, "aurora").begin()
    assert Drain(stated, "aurora").is_on() and (tmp_path / "aurora.drain").exists()
    assert not Drain(stated, "borealis").is_on()


def test_each_site_and_machine_has_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder is shared, nobody drains another by mistake."""
    Drain(site="aurora").begin()
    assert Drain(site="aurora").is_on()
    assert not Drain(site="borealis").is_on() and not Drain().is_on()
    monkeypatch.setattr("socket.gethostname", lambda: "another-pod")
    assert not Drain(site="aurora").is_on()


def test_file_that_something_else_made_counts(tmp_path: Path) -> None:
    """``touch`` is enough, and so is a file that cannot be read as text."""
    stated = Drain(tmp_path / "drain")
    for content in (b"", b"maintenance\n", b"\xff\xfe", b"x" * 100_000):
        stated.path.write_bytes(content)
        assert stated.is_on()
    stated.end()
    assert not stated.is_on()


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "closed"])
def test_what_cannot_be_read_counts_and_does_not_hang(tmp_path: Path, kind: str) -> None:
    """Who says drain in an odd way means it; no request waits for a pipe's writer."""
    stated = Drain(tmp_path / "drain")
    if kind == "folder":
        stated.path.mkdir()
    elif kind == "link":
        stated.path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(stated.path)
    else:
        stated.path.touch(mode=0)
    assert stated.is_on()


def test_folder_that_cannot_be_reached_does_not_drain(tmp_path: Path) -> None:
    """A folder that is missing, or is none, takes no site out of service."""
    (tmp_path / "file").touch()
    assert not Drain(tmp_path / "none" / "drain").is_on()
    assert not Drain(tmp_path / "file" / "drain").is_on()
    with pytest.raises(OSError):
        Drain(tmp_path / "none" / "drain").begin()


def test_file_of_another_account_drains_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that everybody writes to, a neighbour cannot drain; the site itself and root can."""
    ours = Drain(site="aurora")
    ours.path.touch()
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    assert ours.is_on() is (own == 0)
    monkeypatch.setattr(drain, "ROOT", own + 2)
    assert not ours.is_on()
    assert Drain(ours.path).is_on()
    monkeypatch.setattr(drain, "ROOT", own)
    assert ours.is_on()


def test_begin_does_not_write_through_a_link(tmp_path: Path) -> None:
    """A link in the file's place is replaced; what it leads to stays as it is."""
    target, ours = tmp_path / "target", Drain(site="aurora")
    target.write_text("kept")
    ours.path.symlink_to(target)
    ours.begin()
    assert target.read_text() == "kept" and not ours.path.is_symlink() and ours.is_on()


def test_begin_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A folder in the file's place is an error, and no scratch file stays."""
    ours = Drain(tmp_path / "drain")
    ours.path.mkdir()
    with pytest.raises(OSError):
        ours.begin()
    assert list(tmp_path.iterdir()) == [ours.path]


def test_file_of_an_earlier_container_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that starts again in the same folders is in service; so is a machine."""
    ours = Drain(site="aurora")
    see(monkeypatch, tmp_path / "first", boot="b-1", init=stat_of(100, "a) S (b"))
    assert instance_marks() == {"boot": "b-1", "init": "100"}
    ours.begin()
    assert ours.is_on()
    see(monkeypatch, tmp_path / "restarted", boot="b-1", init=stat_of(200))
    assert not ours.is_on()
    see(monkeypatch, tmp_path / "rebooted", boot="b-2", init=stat_of(100))
    assert not ours.is_on()
    ours.begin()
    assert ours.is_on()


def test_what_only_one_side_sees_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that systemd hides /proc from is drained from a shell, and the other way round."""
    ours = Drain(site="aurora")
    for writes, reads in (("all", "hidden"), ("hidden", "all"), ("hidden", "hidden")):
        for number, side in enumerate((writes, reads)):
            known = {"boot": "b-1", "init": stat_of(100)} if side == "all" else {}
            see(monkeypatch, tmp_path / f"{writes}-{reads}-{number}", **known)
            if not number:
                ours.begin()
        assert ours.is_on(), (writes, reads)


def test_file_from_before_the_machines_start_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is seen of /proc, the time of the file tells; a file of something else counts still."""
    see(monkeypatch, tmp_path / "hidden")
    ours = Drain(site="aurora")
    ours.begin()
    os.utime(ours.path, (1_000_000_000, 1_000_000_000))
    assert not ours.is_on()
    ours.path.write_text("touched")
    os.utime(ours.path, (1_000_000_000, 1_000_000_000))
    assert ours.is_on()


def test_system_without_that_clock_or_proc_drains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that tells nothing of its start, the file counts until it is removed."""
    see(monkeypatch, tmp_path / "none")
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)
    ours = Drain(site="aurora")
    ours.begin()
    os.utime(ours.path, (1, 1))
    assert ours.path.read_text() == f"{HEAD}\n" and ours.is_on()


def test_another_process_of_the_container_sees_the_same(tmp_path: Path) -> None:
    """A command and a worker agree on the file and on the container."""
    Drain(site="aurora").begin()
    code = "from wagtail_multihost.health.drain import Drain; print(Drain(site='aurora').is_on())"
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_each_file_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path it has the site, if there is one, and the machine; a stated path has what it says."""
    monkeypatch.setattr("socket.gethostname", lambda: "pod-1")
    assert Drain().path == tmp_path / "drain-pod-1"
    assert Drain(site="aurora").path == tmp_path / "drain-aurora-pod-1"
    assert Drain(tmp_path / "{site}" / "{site}").path == tmp_path
    assert Drain(tmp_path / "{site}" / "{site}", "a").path == tmp_path / "a" / "a"


def test_answers_are_true_or_false(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is there, or went away in between."""
    ours, stated = Drain(site="aurora"), Drain(tmp_path / "stated")
    assert (ours.is_on(), stated.is_on()) == (False, False)
    for each in (ours, stated):
        each.path.touch()
        assert each.is_on() is True
    gone = str(tmp_path / "none")
    assert (drain.has_trusted_owner(gone), drain.is_active(gone)) == (False, False)
    assert drain.is_active(str(tmp_path)) is True
    assert (drain.has_trusted_owner(str(ours.path)), drain.has_trusted_owner(str(tmp_path))) == (True, True)
    monkeypatch.setattr(tempfile, "gettempdir", no_folder)
    assert ours.is_on() is False


def no_folder() -> str:
    raise FileNotFoundError(2, "No usable temporary directory found")


@pytest.mark.parametrize("links", [1, 2])
def test_second_name_of_a_file_drains_nobody(tmp_path: Path, links: int) -> None:
    """Anybody may give a site's file another name in a folder that everybody writes to; a stated one counts."""
    ours = Drain(site="aurora")
    ours.path.touch()
    if links == 2:
        os.link(ours.path, tmp_path / "second")
    assert ours.is_on() is (links == 1)
    assert Drain(ours.path).is_on()


def test_file_is_for_everybody_to_read_and_nobody_to_write(tmp_path: Path) -> None:
    """A prober of another account sees it, with any umask that lets it."""
    before = os.umask(0)
    try:
        Drain(tmp_path / "drain").begin()
    finally:
        os.umask(before)
    assert (tmp_path / "drain").stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize("extra", [0, 1])
def test_file_that_was_written_as_the_machine_started_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: int
) -> None:
    """At that very moment it does, and a second before it does not."""
    see(monkeypatch, tmp_path / "hidden")
    ours = Drain(site="aurora")
    ours.begin()
    os.utime(ours.path, (1_000_000_000, 1_000_000_000))
    monkeypatch.setattr(drain, "boot_time", lambda: 1_000_000_000 + extra)
    assert ours.is_on() is (extra == 0)


def test_start_of_the_machine_is_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is now without the time since then; zero where nothing is known of it."""
    own = SimpleNamespace(time=lambda: 5000.0, clock_gettime=lambda clock: {7: 1000.0}[clock], CLOCK_BOOTTIME=7)
    monkeypatch.setattr(drain, "time", own)
    assert drain.boot_time() == 4000
    del own.CLOCK_BOOTTIME
    assert drain.boot_time() == 0


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_odd_file_in_the_shared_folder_does_not_hang(tmp_path: Path, kind: str) -> None:
    """What is there is opened as it is: no link is followed, and no writer is waited for."""
    path = tmp_path / "odd"
    target = tmp_path / "target"
    target.write_text(f"{HEAD}boot=another\n")
    if kind == "link":
        path.symlink_to(target)
    else:
        os.mkfifo(path)
    assert drain.is_active(str(path)) is True
    assert drain.is_active(str(target)) is False


def test_words_of_the_file_are_compared_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that are none of ours say nothing, and one that has another value does; a short stat is no start."""
    see(monkeypatch, tmp_path / "machine", boot="b=1\n", init=stat_of(100))
    assert instance_marks() == {"boot": "b=1", "init": "100"}
    for text, is_now in (
        ("", True),
        ("x boot=b=1", True),
        ("boot=b", False),
        ("init=100 boot=b=1", True),
        ("init=1", False),
    ):
        assert drain.is_of_this_instance(f"{HEAD}{text}") is is_now
    see(monkeypatch, tmp_path / "short", init="1 (init) S 0\n")
    assert instance_marks() == {}


def test_serving_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ready asks: where nothing drains, it costs one system call and no exception."""
    monkeypatch.setattr(os, "open", pytest.fail)
    monkeypatch.setattr(os, "lstat", pytest.fail)
    monkeypatch.setattr(drain, "instance_marks", pytest.fail)
    assert not Drain(site="aurora").is_on()
