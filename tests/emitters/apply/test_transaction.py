"""An apply from its beginning to its end."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.emitters.apply.conftest import FAILING, World, text_of
from tests.servers.processes import is_running, wait_for
from wagtail_multihost.emitters.apply import ApplyResult, journal, validation
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.signals import SIGNALS
from wagtail_multihost.exceptions import ApplyError, ConfigurationError, EmitError

LEFT = {"lock", "manifest.json", "stage", "tickets", "changed"}
REFUSING = "import sys; print(open(sys.argv[1]).read()); sys.exit(sys.argv[1])"
NEVER = (sys.executable, "-c", "import time; time.sleep(600)")


def seconds(path: Path) -> int:
    return path.stat().st_mtime_ns // 10**9


def test_apply_writes_validates_and_reloads_once(world: World) -> None:
    """The files are there, the hook ran once after that, and nothing is left to do or to clean."""
    world.validations = [("test", "-f", "STAGE/conf/main")]
    result = world.apply(reload=world.hook)
    assert world.found() == world.texts
    assert world.reloads == ["fake|aurora,borealis,generation,main|one"]
    assert set(result.changed) == {*world.texts, "conf/generation"}
    assert (result.removed, result.reloaded, result.verified, result.together) == ((), True, False, False)
    assert result.generation == text_of(world.directory / "conf/generation")
    assert world.remembered() == LEFT


def test_apply_again_changes_and_reloads_nothing(world: World) -> None:
    """Without a difference no file is touched and no hook runs."""
    first = world.apply(reload=world.hook)
    before = {path: path.stat().st_mtime_ns for path in world.directory.rglob("conf/**/*")}
    second = world.apply(reload=world.hook)
    assert replace(second, seconds=0.0) == ApplyResult(generation=first.generation)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(world.reloads) == 1


def test_apply_after_a_change_touches_that_file_and_the_generation(world: World) -> None:
    """One changed file and one file less leave the inodes of all others."""
    world.apply(reload=world.hook)
    inode = (world.directory / "conf/sites/aurora").stat().st_ino
    world.texts["conf/main"] = "two"
    del world.texts["conf/sites/borealis"]
    result = world.apply(reload=world.hook)
    assert (result.changed, result.removed) == (("conf/main", "conf/generation"), ("conf/sites/borealis",))
    assert world.found() == world.texts
    assert (world.directory / "conf/sites/aurora").stat().st_ino == inode
    assert world.reloads[1:] == ["fake|borealis,generation,main|two"]


def test_apply_for_a_site_leaves_the_others(world: World) -> None:
    """With a site named its files and the shared ones are written, and no file of another goes."""
    world.apply()
    world.texts |= {"conf/main": "two", "conf/sites/aurora": "aa", "conf/sites/borealis": "bb"}
    assert world.apply("aurora").changed == ("conf/main", "conf/sites/aurora", "conf/generation")
    assert world.found() == {**world.texts, "conf/sites/borealis": "b"}


def test_files_that_the_parser_refuses_are_not_used(world: World) -> None:
    """The error has the parser's words, with the paths that the files would have; nothing is changed or reloaded."""
    world.apply(reload=world.hook)
    world.texts["conf/main"] = "broken"
    world.validations = [
        (
            sys.executable,
            "-c",
            REFUSING,
            "STAGE/conf/main",
        )
    ]
    with pytest.raises(ApplyError) as caught:
        world.apply(reload=world.hook)
    assert "broken" in str(caught.value)
    assert str(world.directory / "conf/main") in str(caught.value)
    assert "stage" not in str(caught.value)
    assert text_of(world.directory / "conf/main") == "one"
    assert (len(world.reloads), world.remembered()) == (1, LEFT)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "exit code 3"),
        ("printf ' \\n'; exit 3", "exit code 3"),
        ("printf ' a\\nb '; exit 3", "a\nb"),
        ("printf out; printf err >&2; exit 1", "outerr"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_refusal_has_what_the_parser_says(world: World, script: str, said: str) -> None:
    """Its words without blanks around them, or, where it says nothing, its exit code."""
    world.validations = [("sh", "-c", script)]
    with pytest.raises(ApplyError) as caught:
        world.apply()
    first, _, rest = str(caught.value).partition("\n")
    assert first.startswith("sh does not accept the files") and rest == said


def test_refusal_has_the_last_words_of_a_long_report(world: World) -> None:
    """What a parser ends with says why it does: no more than 4,000 characters of it."""
    world.validations = [("sh", "-c", "printf '%05000d end' 0; exit 1")]
    with pytest.raises(ApplyError) as caught:
        world.apply()
    rest = str(caught.value).partition("\n")[2]
    assert (len(rest), rest[-4:]) == (4000, " end")


@pytest.mark.parametrize("program", [NEVER, ("no-rights",)])
def test_parser_that_cannot_be_heard_is_no_refusal(
    world: World, monkeypatch: pytest.MonkeyPatch, program: tuple[str, ...]
) -> None:
    """One that reads without an end is ended, and one that cannot be run is named: neither refuses the files."""
    monkeypatch.setattr(validation, "SECONDS", 0.2)
    broken = world.folder / "no-rights"
    broken.write_text("#!/no/interpreter\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{world.folder}:{os.environ['PATH']}")
    world.validations = [program]
    words = (
        "did not finish reading the files within 0.2 seconds"
        if program is NEVER
        else "Cannot run no-rights: No such file"
    )
    with pytest.raises(EmitError, match=words) as caught:
        world.apply()
    assert not isinstance(caught.value, ApplyError)
    assert world.found() == {}


def test_the_parser_sees_all_files_as_they_will_be(world: World) -> None:
    """The scratch copy has changed, unchanged and foreign files, and not those that go."""
    world.apply()
    (world.directory / "conf/sites/snippet").write_text("of the operator\n")
    world.texts |= {"conf/main": "two", "conf/sites/corona": "c"}
    del world.texts["conf/sites/borealis"]
    log = world.folder / "log"
    world.validations = [("cp", "-r", "STAGE", str(log))]
    world.apply()
    assert {path.name for path in (log / "conf/sites").iterdir()} == {"aurora", "corona", "snippet"}
    assert text_of(log / "conf/main") == "two"


def test_a_parser_that_is_missing_is_named_with_its_package(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program is no refusal: the sentence says what to install."""
    monkeypatch.setattr("wagtail_multihost.emitters.apply.programs.PACKAGES", {"no-parser": "parsers"})
    world.validations = [("no-parser",)]
    with pytest.raises(EmitError, match=r"no-parser is not installed.*package parsers") as caught:
        world.apply()
    assert not isinstance(caught.value, ApplyError)
    assert world.found() == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reload": FAILING}, "exit code 3"),
        ({"reload": NEVER, "reload_timeout": 0.2}, "did not end within 0.2 seconds"),
        ({"verify": "http://127.0.0.1:9/"}, "did not answer with the generation"),
    ],
)
def test_what_fails_after_the_swap_brings_the_old_files_back(
    world: World, options: dict[str, object], words: str
) -> None:
    """A hook that fails or hangs, or a server that does not follow, leaves the old files, and none of the new."""
    world.apply()
    world.texts |= {"conf/main": "two", "conf/sites/corona": "c"}
    del world.texts["conf/sites/borealis"]
    old = {"conf/main": "one", "conf/sites/aurora": "a", "conf/sites/borealis": "b"}
    with pytest.raises(ApplyError, match=words):
        world.apply(**options)
    assert world.found() == old
    assert world.remembered() - {"pending.json"} <= LEFT
    world.apply(reload=world.hook)
    assert world.found() == world.texts
    assert len(world.reloads) == 1


FAILED = "The reload hook sh ended with exit code 1."
#: Fails for the new text alone.
WARY = ("sh", "-c", '! grep -q two $(cat "$MULTIHOST_CHANGED")')


@pytest.mark.parametrize(
    ("options", "report"),
    [
        (
            {"reload": ("sh", "-c", "exit 1")},
            f"{FAILED} The old files are back, but could not be reloaded: {FAILED} The next run tries again.",
        ),
        ({"reload": WARY}, f"{FAILED} The old files are back and reloaded."),
        ({"verify": "unix:/none"}, ": it cannot be asked (No such file or directory). The old files are back."),
    ],
)
def test_a_rollback_says_what_was_done(world: World, options: dict[str, object], report: str) -> None:
    """The report is why, then that the old files are back, then whether the servers use them."""
    world.apply()
    world.texts["conf/main"] = "two"
    with pytest.raises(ApplyError) as caught:
        world.apply(**options)
    said = str(caught.value)
    assert said == report if "reload" in options else said.endswith(report) and "Stopped" not in said


def test_files_that_come_back_are_newer_in_whole_seconds(world: World) -> None:
    """uWSGI's emperor sees a change twice: when the new file comes and when the old one is back."""
    world.apply()
    main = world.directory / "conf/main"
    before = seconds(main)
    seen = world.folder / "seen"
    world.texts["conf/main"] = "two"
    with pytest.raises(ApplyError):
        world.apply(reload=("sh", "-c", f"stat -c %Y {shlex.quote(str(main))} >> {shlex.quote(str(seen))}; exit 1"))
    times = [int(line) for line in seen.read_text().split()]
    assert before < times[0] < times[1] == seconds(main)
    assert text_of(main) == "one"


def test_two_changes_in_one_second_have_two_times(world: World) -> None:
    """A file that is replaced at once is newer in whole seconds all the same."""
    world.apply()
    before = seconds(world.directory / "conf/main")
    world.texts["conf/main"] = "two"
    world.apply()
    assert seconds(world.directory / "conf/main") > before


def test_a_rollback_reloads_the_old_files(world: World) -> None:
    """When the servers do not follow, the hook runs a second time, with the old files in place."""
    world.apply()
    world.texts["conf/main"] = "two"
    with pytest.raises(ApplyError, match="The old files are back and reloaded"):
        world.apply(reload=world.hook, verify="http://127.0.0.1:9/")
    assert [line.rpartition("|")[2] for line in world.reloads] == ["two", "one"]


def test_a_reload_that_failed_is_tried_by_the_next_run(world: World) -> None:
    """The mark of a reload to be done stays until a hook succeeds, also where no file differs any more."""
    world.apply(reload=world.hook)
    world.texts["conf/main"] = "two"
    with pytest.raises(ApplyError, match="could not be reloaded"):
        world.apply(reload=FAILING)
    assert "pending.json" in world.remembered()
    world.texts["conf/main"] = "one"
    assert world.apply(reload=world.hook).reloaded
    assert len(world.reloads) == 2
    assert world.remembered() == LEFT


def test_a_refused_run_makes_up_for_the_reload_of_an_earlier_one(world: World) -> None:
    """Where a reload is owed and the new files are refused, the old ones are reloaded."""
    world.apply()
    world.texts["conf/main"] = "broken"
    world.validations = [("false",)]
    with pytest.raises(ApplyError, match="does not accept"):
        world.apply(reload=world.hook)
    assert [line.rpartition("|")[2] for line in world.reloads] == ["one"]


def test_a_broken_registry_changes_nothing(world: World) -> None:
    """What the registry raises is raised, and nothing is written."""

    def load() -> None:
        raise ConfigurationError.because("It is broken.")

    with pytest.raises(ConfigurationError):
        world.apply(load=load)
    assert world.found() == {}


@pytest.mark.parametrize("text", ["server {}\n", "# Managed by wagtail-multihost; do not edit.\nedited\n"])
def test_foreign_and_edited_files_are_replaced_by_force_alone(world: World, text: str) -> None:
    """A file of others, or one of ours that was edited, is named and kept, until --force is given."""
    world.apply(reload=world.hook)
    main = world.directory / "conf/main"
    main.write_text(text)
    world.texts["conf/main"] = "two"
    with pytest.raises(ApplyError, match=r"conf/main\..*--force"):
        world.apply(reload=world.hook)
    assert (main.read_text(), len(world.reloads)) == (text, 1)
    world.apply(force=True)
    assert text_of(main) == "two"


def test_an_edited_file_is_not_removed(world: World) -> None:
    """A file whose site is gone is kept when somebody has edited it."""
    world.apply()
    (world.directory / "conf/sites/aurora").write_text("# Managed by wagtail-multihost; do not edit.\nedited\n")
    del world.texts["conf/sites/aurora"]
    with pytest.raises(ApplyError, match="conf/sites/aurora"):
        world.apply()
    assert world.apply(force=True).removed == ("conf/sites/aurora",)


def test_a_forced_file_comes_back_when_the_reload_fails(world: World) -> None:
    """A rollback brings others' files back too, links as links."""
    world.directory.joinpath("conf").mkdir(parents=True)
    link = world.directory / "conf/main"
    link.symlink_to("elsewhere")
    with pytest.raises(ApplyError):
        world.apply(force=True, reload=FAILING)
    assert os.readlink(link) == "elsewhere"


def test_many_files_are_not_removed_unasked(world: World) -> None:
    """More than ten files, and more than half, go only when that is said."""
    world.texts |= {f"conf/sites/s{number}": "s" for number in range(20)}
    world.apply(reload=world.hook)
    world.texts = {"conf/main": "one", "conf/sites/aurora": "a"}
    with pytest.raises(ApplyError, match=r"21 of the 23 files.*--allow-mass-delete"):
        world.apply(reload=world.hook)
    assert (len(world.found()), len(world.reloads)) == (23, 1)
    assert len(world.apply(allow_mass_delete=True).removed) == 21


def test_modes_and_groups_are_differences(world: World) -> None:
    """A file with another mode, or for root with another group, is written anew."""
    world.apply()
    main = world.directory / "conf/main"
    main.chmod(0o600)
    assert "conf/main" in world.apply().changed
    assert stat.S_IMODE(main.stat().st_mode) == 0o644
    if os.geteuid() == 0:
        os.chown(main, -1, 1)
        assert "conf/main" in world.apply().changed
        assert main.stat().st_gid == 0


@pytest.fixture
def heeded() -> Iterator[None]:
    """Signals that the tests' own parent may have had ignored, as nohup and shells do with background jobs."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_the_hook_runs_rolls_back(world: World, heeded: None, number: signal.Signals) -> None:
    """A process that is told to stop in the middle brings the old files back first."""
    world.apply()
    world.texts["conf/main"] = "two"
    mark = world.folder / "mark"
    script = f"[ -e {mark} ] && exit 0; touch {mark}; kill -{number.name[3:]} {os.getpid()}; sleep 600"
    handler = signal.getsignal(number)
    with pytest.raises(ApplyError, match=f"Stopped by {number.name}.*back and reloaded"):
        world.apply(reload=("sh", "-c", script))
    assert text_of(world.directory / "conf/main") == "one"
    assert signal.getsignal(number) is handler


def test_a_signal_before_the_swap_changes_nothing(world: World) -> None:
    """A process that is told to stop before the files are swapped leaves no draft."""
    world.apply()
    world.texts["conf/main"] = "two"
    world.validations = [("sh", "-c", f"kill -TERM {os.getpid()}; sleep 600")]
    with pytest.raises(ApplyError, match="nothing was changed"):
        world.apply(reload=world.hook)
    assert world.found() == {"conf/main": "one", "conf/sites/aurora": "a", "conf/sites/borealis": "b"}
    assert world.reloads == []


def test_a_signal_while_a_program_starts_leaves_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that tells us to stop before we know that it runs is ended like any other."""
    world.apply()
    world.texts["conf/main"] = "two"
    started = []
    real = subprocess.Popen.__init__

    def slow(process: subprocess.Popen[str], *args: object, **options: object) -> None:
        real(process, *args, **options)  # type: ignore[call-overload]
        started.append(process)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(subprocess.Popen, "__init__", slow)
    world.validations = [("sleep", "600")]
    with pytest.raises(ApplyError, match="nothing was changed"):
        world.apply(reload=world.hook)
    assert [process.returncode for process in started] == [-signal.SIGKILL]
    assert world.found()["conf/main"] == "one"


@pytest.mark.parametrize("part", [journal, Manifest], ids=["journal", "manifest"])
def test_a_failure_before_the_swap_is_told_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, part: object
) -> None:
    """Nothing was changed, so nothing came back and nothing is reloaded, by this run or the next."""
    world.apply(reload=world.hook)
    world.texts["conf/main"] = "two"
    before = (world.directory / "conf/main").stat().st_mtime_ns

    def fail(*args: object) -> None:
        raise ApplyError("It has failed.")

    monkeypatch.setattr(part, "keep_old_files" if part is journal else "expect", fail)
    with pytest.raises(ApplyError, match=r"^It has failed\.$"):
        world.apply(reload=world.hook)
    assert world.found()["conf/main"] == "one"
    assert (world.directory / "conf/main").stat().st_mtime_ns == before
    assert (len(world.reloads), world.remembered()) == (1, LEFT)
    world.texts["conf/main"] = "one"
    monkeypatch.undo()
    world.apply(reload=world.hook)
    assert len(world.reloads) == 1


@pytest.mark.parametrize("name", ["replace", "link", "fsync"])
def test_a_disk_that_is_full_brings_the_old_files_back(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Wherever the disk is full the old files are there, and the next run does it all."""
    world.apply(reload=world.hook)
    world.texts |= {"conf/main": "two", "conf/sites/aurora": "aa"}
    real, calls = getattr(os, name), 0
    failed = []
    for number in range(40):
        calls = 0

        def fail(*args: object, number: int = number, **options: object) -> None:
            nonlocal calls
            calls += 1
            if calls == number + 1:
                failed.append(number)
                raise OSError(28, "No space left on device", str(args[0]))
            real(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            try:
                world.apply(reload=world.hook)
            except EmitError as error:
                assert "No space left on device" in str(error)
            else:
                break
        assert text_of(world.directory / "conf/main") in ("one", "two")
    assert len(failed) > 1
    world.apply(reload=world.hook)
    assert world.found() == world.texts
    assert world.reloads[-1].endswith("|two")


def test_everything_that_is_kept_is_for_the_owner_alone(world: World) -> None:
    """The folder of the lock and the manifest is closed to others."""
    world.apply()
    assert stat.S_IMODE((world.directory / ".multihost").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_to_is_refused(world: World, mode: int) -> None:
    """Configurations that servers read as root do not go where somebody else could change them."""
    world.directory.mkdir()
    world.directory.chmod(mode)
    with pytest.raises(EmitError, match=r"is not safe|is not accepted"):
        world.apply()


def test_a_folder_below_that_others_can_write_to_is_refused(world: World) -> None:
    """Nor into one of a target's own folders in it."""
    (world.directory / "conf").mkdir(parents=True)
    (world.directory / "conf").chmod(0o777)
    with pytest.raises(EmitError, match="conf is not safe for server configurations"):
        world.apply()


@pytest.mark.parametrize("what", ["link", "open"])
def test_a_folder_of_the_lock_that_is_not_ours_is_refused(world: World, what: str) -> None:
    """The folder of the lock is no link, and nobody else looks into it."""
    world.directory.mkdir()
    if what == "link":
        (world.directory / ".multihost").symlink_to(world.folder)
    else:
        (world.directory / ".multihost").mkdir()
        (world.directory / ".multihost").chmod(0o755)
    with pytest.raises(EmitError, match="0700 that belongs to this account"):
        world.apply()


def test_programs_get_few_variables_and_no_input(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook sees no variable of the caller but PATH, LANG and HOME, and its input is empty."""
    monkeypatch.setenv("UWSGI_INI", "/etc/evil.ini")
    monkeypatch.setenv("A_PASSWORD", "not-for-hooks")
    log = world.folder / "log"
    world.apply(reload=("sh", "-c", f"env > {log}; cat >> {log}"))
    names = {line.partition("=")[0] for line in log.read_text().splitlines()}
    assert {"MULTIHOST_TARGETS", "MULTIHOST_CHANGED"} <= names
    assert names <= {"MULTIHOST_TARGETS", "MULTIHOST_CHANGED", "PATH", "LANG", "HOME", "PWD", "SHLVL", "OLDPWD", "_"}


def test_what_a_hook_started_is_killed_with_it(world: World) -> None:
    """A hook that hangs is ended together with its children."""
    log = world.folder / "pid"
    with pytest.raises(ApplyError):
        world.apply(reload=("sh", "-c", f"sleep 600 & echo $! > {log}; wait"), reload_timeout=0.5)
    wait_for(lambda: not is_running(int(log.read_text())), "the hook's child to end")


def test_a_hook_that_is_missing_is_told_before_anything_is_done(world: World) -> None:
    """A hook that cannot be run is no reason to swap files and roll them back."""
    with pytest.raises(EmitError, match="no-such-hook is not installed"):
        world.apply(reload=("no-such-hook",))
    assert not world.directory.exists()


def test_a_lock_that_is_held_too_long_is_told(world: World) -> None:
    """Who waits too long says for what, and for whom."""
    started, go = threading.Event(), threading.Event()

    def load() -> object:
        started.set()
        go.wait(30)
        return world.plan()

    thread = threading.Thread(target=lambda: world.apply(load=load))
    thread.start()
    started.wait(30)
    try:
        with pytest.raises(EmitError, match=rf"process {os.getpid()}\) has held .*--lock-timeout"):
            world.apply(lock_timeout=0.1)
    finally:
        go.set()
        thread.join()
    assert world.found() == world.texts
