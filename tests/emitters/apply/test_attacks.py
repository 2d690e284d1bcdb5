"""Hostile and unlucky surroundings of an apply: strange files, strange servers, strange targets."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.emitters.apply.conftest import World, emitted, text_of
from wagtail_multihost.emitters import EmittedFile, Emitter, Plan, Stage
from wagtail_multihost.emitters.apply import journal, transaction
from wagtail_multihost.emitters.apply.differences import compare_targets
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.output_folder import OutputFolder, prepare_output
from wagtail_multihost.emitters.apply.tickets import WaitingTicket, answer_tickets
from wagtail_multihost.emitters.apply.verification import parse_url, verify
from wagtail_multihost.exceptions import ApplyError, EmitError
from wagtail_multihost.management import emitting


def making(world: World, *files: EmittedFile) -> Emitter:
    return replace(world.emitter, emit=lambda plan: iter(files), generation=None)


def interrupted(world: World) -> OutputFolder:
    """Return the place of a run that has died with its journal written."""
    world.apply()
    world.texts["conf/main"] = "two"
    place = prepare_output(world.directory)
    journal.keep_old_files(place, compare_targets((world.emitter,), world.plan(), Manifest(place)).changes)
    return place


@pytest.mark.parametrize(
    "path", ["{victim}", "../victim", "conf/../../victim", "conf/..", ".multihost/lock", "other/x"]
)
def test_a_target_writes_and_removes_nothing_out_of_its_folders(world: World, path: str) -> None:
    """A path of another package's target that leads anywhere else is refused, and nothing there is touched."""
    world.apply()
    victim = world.folder / "victim"
    victim.write_text("precious")
    path = path.replace("{victim}", str(victim))
    emitter = replace(making(world, emitted(path, "x")), folders=("conf", "conf/sites", "*"))
    with pytest.raises(EmitError, match="outside its folders") as caught:
        world.apply(emitters=(replace(emitter, folders=emitter.folders[: 2 + path.startswith(".multi")]),))
    assert not isinstance(caught.value, ApplyError)
    assert victim.read_text() == "precious"
    assert world.found() == world.texts


def test_a_folder_with_a_star_has_the_files_of_its_folders_alone(world: World) -> None:
    """The star stands for characters of one name, and never for the way up."""
    starred = replace(making(world, emitted("conf/a.d/x", "x")), folders=("conf/*.d",))
    assert world.apply(emitters=(starred,)).changed == ("conf/a.d/x",)
    for path in ("conf/a.d/b.d/x", "conf/a/x", "x/conf/a.d/x"):
        with pytest.raises(EmitError, match="outside its folders"):
            world.apply(emitters=(replace(starred, emit=lambda plan, path=path: iter([emitted(path, "x")])),))


def test_a_path_that_is_emitted_twice_is_refused(world: World) -> None:
    """Two files for one path would take each other's place, and reload the servers, with every run."""
    twice = making(world, emitted("conf/a", "x"), emitted("conf/a", "y"))
    other = replace(making(world, emitted("conf/a", "y")), name="other")
    for emitters in ((twice,), (making(world, emitted("conf/a", "x")), other)):
        with pytest.raises(EmitError, match="another one has already"):
            world.apply(emitters=emitters)
    assert world.found() == {}


def test_what_a_target_raises_is_reported_by_its_name(world: World) -> None:
    """Another package's mistake changes nothing, and is told as what could not be tried, not as a refusal."""
    world.apply()

    def emit(plan: Plan) -> Iterator[EmittedFile]:
        yield emitted("conf/main", "half")
        raise LookupError("no such thing")

    def validate(stage: Stage) -> Iterator[object]:
        raise LookupError("no such thing")

    for emitter in (replace(world.emitter, emit=emit), replace(world.emitter, validate=validate)):
        world.texts["conf/main"] = "two"
        with pytest.raises(EmitError, match="target fake failed with LookupError: no such thing") as caught:
            world.apply(emitters=(emitter,))
        assert not isinstance(caught.value, ApplyError)
    assert text_of(world.directory / "conf/main") == "one"


@pytest.mark.parametrize("is_link_before", [True, False])
def test_a_folder_that_is_a_link_is_not_laid_into_before_it_is_validated(world: World, is_link_before: bool) -> None:
    """The scratch copy of a linked folder is a folder of its own: what the parser refuses is never in use."""
    elsewhere, link = world.folder / "elsewhere", world.directory / "conf/sites"
    if is_link_before:  # a scratch copy of an earlier run may have the link
        stage = world.directory / ".multihost/stage/conf"
        stage.mkdir(parents=True)
        stage.parent.parent.chmod(0o700)
        (stage / "sites").symlink_to(elsewhere)
    elsewhere.mkdir()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    world.apply()
    world.texts["conf/sites/aurora"] = "broken"
    world.validations = [("false",)]
    with pytest.raises(ApplyError, match="nothing was changed"):
        world.apply()
    assert text_of(elsewhere / "aurora") == "a"
    assert text_of(world.directory / ".multihost/stage/conf/sites/aurora") == "broken"
    world.validations = []
    assert world.apply().changed == ("conf/sites/aurora", "conf/generation")
    assert text_of(elsewhere / "aurora") == "broken"


@pytest.mark.parametrize("name", ["journal", "manifest", "pending"])
@pytest.mark.parametrize("text", ['{"entries":3,"files":[]}', '{"entries":[["a"]],"files":{"a":1}}', "[]", "", "\x00"])
def test_a_memory_that_cannot_be_read_is_named(world: World, name: str, text: str) -> None:
    """Files of another version, or damaged ones, are told with what to do, and nothing is changed."""
    world.apply()
    (world.directory / f".multihost/{name}.json").write_text(text)
    world.texts["conf/main"] = "two"
    with pytest.raises(EmitError, match=rf"{name}\.json is damaged.*reload the servers yourself"):
        world.apply()
    assert text_of(world.directory / "conf/main") == "one"
    (world.directory / f".multihost/{name}.json").unlink()
    world.apply(force=True)
    assert world.found() == world.texts


def test_a_folder_that_somebody_removed_after_a_crash_comes_back(world: World) -> None:
    """The run after a crash makes the folders that it needs to bring back files."""
    interrupted(world)
    shutil.rmtree(world.directory / "conf")
    world.apply()
    assert world.found() == world.texts


def test_a_backup_that_is_lost_is_told_with_the_way_out(world: World) -> None:
    """Where the old files are gone the report names the file without which the next run goes on."""
    place = interrupted(world)
    shutil.rmtree(place.backups)
    with pytest.raises(EmitError, match=r"Cannot restore.*remove .*journal\.json\."):
        world.apply()
    place.journal.unlink()
    world.apply()
    assert world.found() == world.texts


def test_a_rollback_that_fails_says_what_it_was_for(world: World) -> None:
    """The report has both what went wrong first and what kept the old files from coming back."""
    world.apply()
    world.texts["conf/main"] = "two"
    hook = ("sh", "-c", f"rm -r {world.directory}/.multihost/backups; exit 3")
    with pytest.raises(EmitError, match=r"exit code 3.*Cannot restore.*The next run tries again"):
        world.apply(reload=hook)


def test_a_commit_that_fails_late_does_not_claim_a_rollback(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the journal is gone the new files stay, and the report does not say that the old ones are back."""
    world.apply()
    world.texts["conf/main"] = "two"

    def forget(place: OutputFolder) -> None:
        if place.journal.exists():
            place.journal.unlink()
            raise OSError(5, "Input/output error", "folder")

    monkeypatch.setattr(
        transaction.journal, "forget", lambda place: None if not place.journal.exists() else forget(place)
    )
    with pytest.raises(EmitError, match="The new files are in place") as caught:
        world.apply(reload=world.hook)
    assert "are back" not in str(caught.value)
    assert text_of(world.directory / "conf/main") == "two"


def test_a_full_disk_does_not_make_a_success_of_one_run_a_failure(tmp_path: Path) -> None:
    """A run that cannot tell another one what was done goes on: the other one does it itself."""
    folder = tmp_path / "folder.ticket"
    folder.mkdir()
    ticket = tmp_path / "1.ticket"
    ticket.write_text("{}\n")
    answer_tickets([WaitingTicket(folder, frozenset()), WaitingTicket(ticket, frozenset())], {"result": {}})
    assert ticket.read_text() == '{}\n{"result": {}}\n'


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_is_not_roots_is_written_anew(world: World) -> None:
    """Whoever owns a file can change it: root takes what its servers read from other accounts."""
    world.apply()
    main = world.directory / "conf/main"
    os.chown(main, 65534, 0)
    assert "conf/main" in world.apply().changed
    assert main.stat().st_uid == 0


@pytest.fixture
def dripping() -> Iterator[int]:
    """A server on a port that sends a byte now and then, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip(stream: socket.socket) -> None:
        with stream:
            while not stop.wait(0.05):
                try:
                    stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                except OSError:
                    return

    def serve_all() -> None:
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=drip, args=[stream]))
            threads[-1].start()

    threads = [threading.Thread(target=serve_all)]
    threads[0].start()
    yield listener.getsockname()[1]
    stop.set()
    listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    listener.close()


def test_a_server_that_never_ends_its_answer_is_left(dripping: int) -> None:
    """Each byte starts a socket's own limit anew, so the whole answer has one: a site cannot hold the lock for ever."""
    ended: list[str] = []

    def ask() -> None:
        with pytest.raises(ApplyError) as caught:
            verify(f"http://127.0.0.1:{dripping}/", 0.2, "token")
        ended.append(str(caught.value))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(20)
    assert ended
    assert "within 0.2 seconds" in ended[0]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://[::1]/-/generation", ("::1", 80)),
        ("https://[2001:db8::443]/", ("2001:db8::443", 443)),
        ("http://[::1]:8080/", ("::1", 8080)),
    ],
)
def test_the_end_of_an_address_is_no_port(url: str, expected: tuple[str, int]) -> None:
    """An IPv6 address is asked at its own port."""
    target = parse_url(url)
    assert (target.host, target.port) == expected


def test_runs_of_other_code_are_not_taken_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that started before the settings or the package changed does not do the work of one that started after."""
    registry = tmp_path / "sites.toml"
    registry.write_text("")
    options = {"registry": str(registry), "targets": [Namespace(name="nginx")], "site": []}
    first = emitting.fingerprint(options)
    assert emitting.fingerprint({**options, "site": ["aurora"]}) == first
    monkeypatch.setattr(emitting, "own_version", lambda: "99")
    second = emitting.fingerprint(options)
    monkeypatch.setattr(emitting, "own_codebase", lambda: "another")
    assert len({first, second, emitting.fingerprint(options)}) == 3
