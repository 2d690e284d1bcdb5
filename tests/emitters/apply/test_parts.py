"""The parts of an apply, one by one: what is kept, for whom, and what is said when it cannot be."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

import pytest

from tests.accounts import NOBODY, needs_root
from tests.emitters.apply.conftest import World, emitted
from wagtail_multihost.emitters.apply import ApplyResult, hook, journal
from wagtail_multihost.emitters.apply.differences import Differences, compare_targets, list_paths, matches_folder
from wagtail_multihost.emitters.apply.lock import hold_lock
from wagtail_multihost.emitters.apply.manifest import Manifest, digest
from wagtail_multihost.emitters.apply.output_folder import (
    OutputFolder,
    make_empty,
    prepare_output,
    refuse_writable,
    write_json,
)
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.emitters.apply.programs import find_program, program_environment, run_program
from wagtail_multihost.emitters.apply.signals import Stopped, handle_signals, ignore_signal, raise_stopped
from wagtail_multihost.emitters.apply.stage import mirror_folder, read_inodes
from wagtail_multihost.emitters.apply.tickets import answer_tickets, find_waiting, take_ticket
from wagtail_multihost.emitters.apply.transaction import read_answer
from wagtail_multihost.emitters.output import Change, State, sentence
from wagtail_multihost.exceptions import ApplyError, EmitError


@pytest.fixture
def place(tmp_path: Path) -> OutputFolder:
    return prepare_output(tmp_path / "out")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def change(path: str, old: str = "", new: str = "") -> Change:
    return Change(PurePosixPath(path), State.CHANGED, old, emitted(path, new) if new else None)


def test_what_is_kept_is_for_the_owner_alone(place: OutputFolder) -> None:
    """Folders, and files that are written whole, are closed to everybody else under an open umask too."""
    before = os.umask(0)
    try:
        other = prepare_output(place.directory / "another")
        write_json(other.changed, "text")
        make_empty(other.backups)
        with take_ticket(other, "", []) as ticket, hold_lock(other, 1):
            assert mode(ticket.path) == mode(other.lock) == mode(other.changed) == 0o600
    finally:
        os.umask(before)
    assert [mode(path) for path in (other.folder, other.tickets, other.backups)] == [0o700] * 3
    assert mode(other.directory) == 0o755


def test_folder_is_emptied_with_all_that_is_in_it(place: OutputFolder) -> None:
    """Nothing of an earlier run is among the backups of this one."""
    (make_empty(place.backups) / "inner").mkdir()
    (place.backups / "inner" / "file").touch()
    assert list(make_empty(place.backups).iterdir()) == []


@needs_root
@pytest.mark.parametrize("subfolder", ["", "conf"])
def test_folder_of_another_account_is_refused(place: OutputFolder, subfolder: str) -> None:
    """Who owns a folder changes what is in it; a missing folder is made later."""
    (place.directory / "conf").mkdir()
    refuse_writable(place.directory, "conf", "missing")
    os.chown(place.directory / subfolder, NOBODY, 0)
    with pytest.raises(EmitError, match="is not safe for server configurations"):
        refuse_writable(place.directory, "conf")


@needs_root
@pytest.mark.parametrize("name", ["", ".multihost"])
def test_folder_of_the_lock_is_this_accounts_own(place: OutputFolder, name: str) -> None:
    """Who owns it could exchange what is remembered, however closed it is."""
    os.chown(place.directory / name, NOBODY, 0)
    with pytest.raises(EmitError, match=r"0700 that belongs to this account|not accepted for root's files"):
        prepare_output(place.directory)


@needs_root
def test_folder_below_that_of_another_account_is_refused(place: OutputFolder) -> None:
    """Who owns a folder on the way leads root to another one, however closed the last folder is."""
    (place.directory / "conf/sites").mkdir(parents=True)
    os.chown(place.directory / "conf", NOBODY, 0)
    with pytest.raises(EmitError, match="is not safe for server configurations"):
        refuse_writable(place.directory, "conf/sites")


@pytest.mark.parametrize(("mode", "is_safe"), [(0o755, True), (0o775, False), (0o757, False), (0o1777, False)])
def test_folder_that_others_write_to_is_refused_for_every_account(
    place: OutputFolder, monkeypatch: pytest.MonkeyPatch, mode: int, is_safe: bool
) -> None:
    """Who is not root has its own path to answer for, and still no folder that everybody changes."""
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    (place.directory / "conf").mkdir()
    (place.directory / "conf").chmod(mode)
    if is_safe:
        refuse_writable(place.directory, "conf")
    else:
        with pytest.raises(EmitError, match="is not safe for server configurations"):
            refuse_writable(place.directory, "conf")


def test_error_names_its_file() -> None:
    """An error of the system without a name is said as a sentence all the same."""
    assert sentence(OSError(28, "No space left on device", "/x")) == "Cannot write /x: No space left on device."
    assert sentence(OSError(28, "No space left on device")) == "Cannot write a file: No space left on device."


def test_lock_is_waited_for_until_its_time_is_over(place: OutputFolder) -> None:
    """The run that holds it is named; who is served goes on without it."""
    with hold_lock(place, 0):
        started = time.monotonic()
        with (
            pytest.raises(EmitError, match=rf"process {os.getpid()}\) has held .* for 0.2 seconds"),
            hold_lock(place, 0.2),
        ):
            pass
        assert 0.2 <= time.monotonic() - started < 5
        with hold_lock(place, 0, lambda: True):
            pass
    with hold_lock(place, 0):
        assert place.lock.read_text() == str(os.getpid())


def test_lock_has_the_number_of_its_holder_alone(place: OutputFolder) -> None:
    """A longer number of an earlier holder leaves no digit behind."""
    place.lock.write_text("1234567890123")
    with hold_lock(place, 0):
        assert place.lock.read_text() == str(os.getpid())


def test_lock_follows_no_link(place: OutputFolder) -> None:
    """A link in its place is refused."""
    place.lock.symlink_to(place.directory / "elsewhere")
    with pytest.raises(EmitError, match="Cannot lock"), hold_lock(place, 0):
        pass


def test_tickets_of_the_same_kind_are_found(place: OutputFolder) -> None:
    """Others' are left, as are one's own and those that have an answer."""
    with (
        take_ticket(place, "a", ["s2", "s1"]) as own,
        take_ticket(place, "a", ["s3"]) as same,
        take_ticket(place, "b", []) as other,
    ):
        [found] = find_waiting(place, "a", own)
        assert (found.path, found.sites) == (same.path, {"s3"})
        assert [ticket.path for ticket in find_waiting(place, "b", own)] == [other.path]
        answer_tickets([found], {"result": 1})
        assert find_waiting(place, "a", own) == []
        assert (same.answer(), own.answer(), other.answer()) == ({"result": 1}, None, None)
        assert json.loads(own.path.read_text()) == {"fingerprint": "a", "sites": ["s1", "s2"]}
    assert list(place.tickets.iterdir()) == []


def test_half_an_answer_is_none(place: OutputFolder) -> None:
    """A disk that is full in the middle of an answer answers nothing."""
    with take_ticket(place, "a", []) as ticket:
        with ticket.path.open("a") as file:
            file.write('{"result"')
        assert ticket.answer() is None


def test_ticket_is_held_as_long_as_it_is_taken(place: OutputFolder) -> None:
    """Its lock tells a run that waits from one that has ended."""
    with take_ticket(place, "a", []) as ticket, ticket.path.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_ticket_that_is_gone_is_no_error(place: OutputFolder) -> None:
    """Who was served and has left needs no answer."""
    with take_ticket(place, "a", []) as own:
        with take_ticket(place, "a", []):
            found = find_waiting(place, "a", own)
        answer_tickets(found, {"result": 1})


def test_manifest_accepts_old_and_new_until_it_is_settled(place: OutputFolder) -> None:
    """While files are replaced both contents are known, afterwards the new one alone; what goes is forgotten."""
    manifest = Manifest(place)
    changes = [change("a", "old", "new"), change("b", "old")]
    new = changes[0].new.text  # type: ignore[union-attr]
    assert manifest.knows("a", "whatever")
    manifest.expect(changes)
    manifest = Manifest(place)
    assert [manifest.knows("a", text) for text in ("old", new, "edited")] == [True, True, False]
    manifest.settle(changes, {"fake": "token"})
    manifest = Manifest(place)
    assert [manifest.knows("a", text) for text in ("old", new)] == [False, True]
    assert (manifest.files, manifest.generations) == ({"a": digest(new)}, {"fake": "token"})
    manifest.settle([], {"other": "x"})
    assert Manifest(place).generations == {"fake": "token", "other": "x"}


@pytest.mark.parametrize(
    "text", ['{"files": []}', '{"files": {"a": 1}}', '{"generations": {"a": null}}', '{"generations": 1}', "[]", "{"]
)
def test_manifest_that_is_none_is_told(place: OutputFolder, text: str) -> None:
    """What has another form is damaged, and nothing is guessed from it."""
    place.manifest.write_text(text)
    with pytest.raises(EmitError, match="is damaged"):
        Manifest(place)


@pytest.mark.parametrize("text", ['{"a": "b"}', '{"a": [1]}', '{"a": {}}', "3"])
def test_pending_that_is_none_is_told(place: OutputFolder, text: str) -> None:
    """The same holds for the mark of a reload."""
    place.pending.write_text(text)
    with pytest.raises(EmitError, match="is damaged"):
        Pending(place)


@pytest.mark.parametrize("text", ['{"entries": {}}', '{"entries": [["a"]]}', '{"entries": [["a", 1]]}', '{"x": []}'])
def test_journal_that_is_none_is_told(place: OutputFolder, text: str) -> None:
    """Nothing is brought back by a journal that says something else."""
    place.journal.write_text(text)
    with pytest.raises(EmitError, match="is damaged"):
        journal.undo(place)


def test_pending_paths_are_added_once_and_cleared_by_target(place: OutputFolder) -> None:
    """What is owed to one target stays when another's is done; a file without any is removed."""
    Pending(place).add({"a": ["1", "2"], "b": ["3"]})
    Pending(place).add({"a": ["2", "4"]})
    pending = Pending(place)
    assert pending.paths == {"a": ["1", "2", "4"], "b": ["3"]}
    assert pending.of(["a", "c"]) == {"a"}
    pending.clear(["a", "c"])
    assert Pending(place).paths == {"b": ["3"]}
    Pending(place).clear(["b"])
    assert not place.pending.exists()


def test_journal_brings_back_what_was_there(place: OutputFolder) -> None:
    """Replaced, removed and new files are as they were; an unfinished journal can be undone again."""
    (place.directory / "conf").mkdir()
    for name in ("replaced", "removed"):
        (place.directory / "conf" / name).write_text("old")
    inode = (place.directory / "conf/removed").stat().st_ino
    journal.keep_old_files(
        place, [change("conf/replaced", "old", "n"), change("conf/removed", "old"), change("conf/new", "", "n")]
    )
    text = place.journal.read_text()
    (place.directory / "conf/removed").unlink()
    for name in ("replaced", "new"):
        (place.directory / "conf" / "x").write_text("n")
        os.replace(place.directory / "conf" / "x", place.directory / "conf" / name)
    assert journal.undo(place) is True
    found = {path.name: path.read_text() for path in (place.directory / "conf").iterdir()}
    assert found == {"replaced": "old", "removed": "old"}
    assert (place.directory / "conf/removed").stat().st_ino == inode
    assert not place.backups.exists()
    assert journal.undo(place) is False
    assert json.loads(text) == {"entries": [["conf/replaced", "0"], ["conf/removed", "1"], ["conf/new", ""]]}


def test_program_is_found_where_shells_of_operators_do_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH comes first, then the folders of servers; a relative path stays where it was meant."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert program_environment()["PATH"] == (
        "/nonexistent:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
    assert find_program("sh") in ("/usr/bin/sh", "/bin/sh")
    monkeypatch.delenv("PATH")
    assert program_environment()["PATH"].startswith("/usr/local/sbin:")
    with pytest.raises(EmitError, match=r"^The program no-such-program is not installed, or cannot be run\.$"):
        find_program("no-such-program")


@pytest.mark.parametrize(
    ("program", "package"), [("nginx", "nginx"), ("uwsgi", "uwsgi-core"), ("systemd-analyze", "systemd")]
)
def test_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, program: str, package: str) -> None:
    """Debian's package is said for each parser that there is."""
    monkeypatch.setattr("wagtail_multihost.emitters.apply.programs.FOLDERS", "/nonexistent")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EmitError, match=f"the package {package}"):
        find_program(f"/usr/nowhere/{program}")


def test_program_has_few_variables_no_input_and_a_session_of_its_own() -> None:
    """It runs in the root folder, sees the end of its input, and a signal to our group does not reach it."""
    script = "import os, sys; print(os.getcwd(), os.getsid(0) == os.getpid(), sys.stdin.read() == '', os.environ['A'])"
    with run_program([sys.executable, "-c", script], program_environment(A="b"), output=subprocess.PIPE) as process:
        assert process.communicate(timeout=30)[0].split() == ["/", "True", "True", "b"]
    assert program_environment(A="b")["A"] == "b"


@pytest.mark.parametrize("kept", [{}, {"LANG": "de_DE.UTF-8"}, {"LANG": "C", "HOME": "/root"}])
def test_program_keeps_language_and_home_where_there_are_any(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, str]
) -> None:
    """Beside the path and what is given it sees these, as they are, and nothing else."""
    monkeypatch.setattr(os, "environ", {**kept, "PATH": "/x", "UWSGI_INI": "evil", "SECRET": "s"})
    path = program_environment()["PATH"]
    assert path.startswith("/x:")
    assert program_environment(A="b") == {"PATH": path, **kept, "A": "b"}


@pytest.mark.parametrize("kind", ["file", "link to a file", "dangling link"])
def test_folder_of_the_lock_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    """Whatever stands in its place is left, and nothing is made where a link leads."""
    directory = tmp_path / "out"
    directory.mkdir()
    target = tmp_path / "target"
    if kind == "file":
        (directory / ".multihost").touch(0o600)
    else:
        (directory / ".multihost").symlink_to(target)
        if kind == "link to a file":
            target.touch(0o600)
    with pytest.raises(EmitError, match=r"File exists|Not a directory"):
        prepare_output(directory)
    assert target.exists() == (kind == "link to a file")


@pytest.mark.parametrize(
    ("command", "words"), [("exit 7", "ended with exit code 7"), ("kill -9 $$", "killed by signal 9")]
)
def test_hook_that_fails_says_how(place: OutputFolder, command: str, words: str) -> None:
    """An exit code and a signal are told apart."""
    with pytest.raises(ApplyError, match=words):
        hook.run_reload_hook(place, ("sh", "-c", command), 30, {})


def test_hook_is_given_the_targets_and_the_changed_paths(place: OutputFolder, tmp_path: Path) -> None:
    """Names are in a variable, paths in a file, each once, with the folder before them."""
    log = tmp_path / "log"
    command = ("sh", "-c", f'echo "$MULTIHOST_TARGETS" > {log}; cat "$MULTIHOST_CHANGED" >> {log}')
    hook.run_reload_hook(place, command, 30, {"a": ["1", "2"], "b": ["2", "3"]})
    paths = [f"{place.directory}/{name}" for name in ("1", "2", "3")]
    assert log.read_text().splitlines() == ["a b", *paths]


def test_signal_is_heeded_while_it_is_handled_and_not_afterwards() -> None:
    """The earlier handler is back, and one that a parent had ignored stays so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        term = signal.getsignal(signal.SIGTERM)
        with pytest.raises(Stopped, match="SIGTERM"), handle_signals(raise_stopped):
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        assert signal.getsignal(signal.SIGTERM) is term
        with handle_signals(ignore_signal):
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handler_that_python_does_not_know_becomes_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was set by another language's code cannot be set again, and ours must not stay."""
    done: list[tuple[int, object]] = []
    monkeypatch.setattr(signal, "signal", lambda number, handler: done.append((number, handler)))
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    with handle_signals(raise_stopped):
        assert done == [(number, raise_stopped) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)]
    assert done[3:] == [(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)]


def test_other_threads_leave_signals_alone() -> None:
    """Only the main thread may set handlers: elsewhere the block runs as it is."""
    ran: list[bool] = []

    def run() -> None:
        with handle_signals(raise_stopped):
            ran.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ran == [True]


def test_scratch_copy_has_the_inodes_of_the_original(place: OutputFolder) -> None:
    """Files are linked, changed ones anew, and what is not there goes; drafts and folders are left out."""
    original, copy = place.directory / "conf", place.stage / "conf"
    (original / "inner").mkdir(parents=True)
    for name in ("a", "b", ".a.01234567.tmp"):
        (original / name).write_text(name)
    mirror_folder(original, copy)
    assert read_inodes(copy) == read_inodes(original)
    assert set(read_inodes(copy)) == {"a", "b"}
    assert (mode(copy), mode(place.stage)) == (0o700, mode(place.stage))
    (original / "a").unlink()
    (original / "c").write_text("new")
    os.replace(original / "c", original / "b")
    (copy / "foreign").touch()
    mirror_folder(original, copy)
    assert (set(read_inodes(copy)), read_inodes(copy)) == ({"b"}, read_inodes(original))
    assert read_inodes(place.directory / "missing") == {}


def test_scratch_copy_has_links_as_links(place: OutputFolder) -> None:
    """An operator's link is read where it leads by the parser, and not laid as the file that it leads to."""
    original, copy = place.directory / "conf", place.stage / "conf"
    original.mkdir()
    (place.directory / "elsewhere").touch()
    (original / "link").symlink_to("../elsewhere")
    (original / "dangling").symlink_to("nowhere")
    mirror_folder(original, copy)
    assert {path.name: os.readlink(path) for path in copy.iterdir()} == {"link": "../elsewhere", "dangling": "nowhere"}
    assert read_inodes(copy) == read_inodes(original)


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("conf", "conf", True),
        ("conf/sites", "conf", False),
        ("units/multihost-a.d", "units/multihost*.d", True),
        ("other/multihost-a.d", "units/multihost*.d", False),
        ("x/units/multihost-a.d", "units/multihost*.d", False),
        ("units/../multihost.d", "units/multihost*.d", False),
        (".multihost", ".multihost", False),
        (".multihost/tickets", ".multihost/tickets", False),
        (".", "conf", False),
        (".", "*", False),
    ],
)
def test_path_is_in_a_folder_of_a_target(path: str, folder: str, expected: bool) -> None:
    """A star stands for characters of one name; nothing is in our own folder, or above."""
    assert matches_folder(PurePosixPath(path), PurePosixPath(folder)) is expected


def test_many_paths_are_counted() -> None:
    """Twenty are named, of more the number."""
    paths = [str(number) for number in range(22)]
    assert list_paths(paths) == f"{', '.join(paths[:20])} and 2 more"
    assert list_paths(paths[:21]).endswith("19 and 1 more")
    assert list_paths(paths[:20]) == ", ".join(paths[:20])


def test_answer_of_another_run_is_its_result_or_its_error() -> None:
    """What it did is told as done together; what it was refused for is raised."""
    done = ApplyResult(changed=("a",), removed=("b", "c"), reloaded=True, verified=True, generation="g", seconds=2.5)
    told = json.loads(json.dumps({"result": asdict(done)}))
    assert read_answer(told) == replace(done, together=True)
    with pytest.raises(ApplyError, match=r"^It was refused\.$"):
        read_answer({"error": "It was refused."})


def test_generation_is_new_where_something_differs_or_a_reload_is_owed(world: World) -> None:
    """A target that shows one gets another for its changes, and for those of an earlier run that nobody reloaded."""
    world.apply()
    place = OutputFolder(world.directory)
    old = Manifest(place).generations["fake"]

    def found(*renewed: str) -> Differences:
        return compare_targets([world.emitter], world.plan(), Manifest(place), renewed=frozenset(renewed))

    for same in (found(), found("other")):
        assert (same.changes, same.generations, same.kept, same.paths) == ([], {}, 3, {})
    owed = found("fake")
    assert owed.paths == {"fake": ["conf/generation"]}
    assert set(owed.generations) == {"fake"} and owed.generations["fake"] != old
    assert re.fullmatch("[0-9a-f]{16}", owed.generations["fake"])
    world.texts["conf/main"] = "two"
    changed = found()
    assert changed.paths == {"fake": ["conf/main", "conf/generation"]}
    assert changed.generations["fake"] not in (old, owed.generations["fake"])
    (world.directory / "conf/generation").unlink()
    world.texts["conf/main"] = "one"
    assert found().paths == {"fake": ["conf/generation"]}


def test_run_of_another_kind_of_change_reports_what_it_did(world: World) -> None:
    """What is changed, removed, reloaded and served is said as it is, and the time it took is told."""
    first = world.apply(reload=world.hook)
    del world.texts["conf/sites/aurora"]
    world.texts["conf/main"] = "two"
    result = world.apply()
    assert (result.changed, result.removed) == (("conf/main", "conf/generation"), ("conf/sites/aurora",))
    assert (result.reloaded, result.verified, result.together) == (False, False, False)
    assert result.generation != first.generation
    assert 0 < result.seconds < 60
    assert world.remembered() >= {"pending.json"}
