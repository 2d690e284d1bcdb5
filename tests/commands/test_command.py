"""What all commands have in common, and what they say of the project that they belong to."""

from __future__ import annotations

import gc
import io
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError, OutputWrapper

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management import progress
from wagtail_multihost.management.collector import collector_paused
from wagtail_multihost.management.command import (
    MultihostCommand,
    Printed,
    has_no_reader,
)
from wagtail_multihost.registry import Contents
from wagtail_multihost.registry.base import chosen_ids
from wagtail_multihost.running import Running, registry_of


class Own(MultihostCommand):
    """A command that does as it is told."""

    def __init__(self, **options: Any) -> None:
        self.error: BaseException | None = None
        self.seen: dict[str, Any] = {}
        super().__init__(**options)

    def run(self, **options: Any) -> None:
        self.seen = options
        self.stdout.write("done\x1b[31m")
        self.stderr.write("told\x07")
        if self.error:
            raise self.error


def streams() -> tuple[io.StringIO, io.StringIO]:
    return io.StringIO(), io.StringIO()


def test_command_prints_nothing_that_steers_a_terminal() -> None:
    """What a site may have written is shown escaped, on both streams; a stream has its other abilities still."""
    out, err = streams()
    own = Own(stdout=out, stderr=err)
    own.execute(force_color=False, no_color=True, skip_checks=True, stdout=None, stderr=None)
    assert "\x1b" not in out.getvalue() and "\x07" not in err.getvalue()
    assert out.getvalue().startswith("done") and err.getvalue().startswith("told")
    assert not Printed(OutputWrapper(out)).isatty()


def test_stream_of_a_command_takes_a_style_and_an_ending() -> None:
    """As Django's own does."""
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    stream = Printed(OutputWrapper(out))
    stream.write("a", lambda text: f"<{text}>", ending="!")
    stream.write("b")
    stream.write()
    assert out.getvalue() == "<a!>b\n\n" or out.getvalue() == "<a>!b\n\n"


def test_error_of_the_package_is_exit_code_2_and_others_are_errors() -> None:
    """The report is the sentence; the output is complete before it, and a mistake in the code stays one."""
    out, err = streams()
    own = Own(stdout=out, stderr=err)
    own.error = ConfigurationError.because("It is wrong.", where="sites.aurora")
    with pytest.raises(CommandError, match=r"sites.aurora.*It is wrong") as caught:
        own.handle(a=1)
    assert caught.value.returncode == 2
    assert own.seen == {"a": 1} and out.getvalue()
    own.error = KeyError("x")
    with pytest.raises(KeyError):
        own.handle()


def test_output_is_flushed_however_a_command_ends() -> None:
    """Where the reader has gone it is found out while there is somebody to tell."""
    for error in (None, ConfigurationError.because("It is wrong.")):
        flushed: list[str] = []
        out = io.StringIO()
        out.flush = lambda flushed=flushed: flushed.append("out")  # type: ignore[method-assign,misc]
        own = Own(stdout=out, stderr=io.StringIO())
        own.error = error
        try:
            own.handle()
        except CommandError:
            flushed.append("told")
        assert flushed == (["out", "told"] if error else ["out"])


@pytest.mark.parametrize(("verbosity", "told"), [(0, 0), (1, 2), (2, 2)])
def test_cautions_are_told_unless_nothing_is_to_be_said(verbosity: int, told: int) -> None:
    """Each is a line of its own on stderr."""
    out, err = streams()
    Own(stdout=out, stderr=err).caution(["First.", "Second."], verbosity)
    assert err.getvalue().splitlines() == ["Caution: First.", "Caution: Second."][:told]
    assert out.getvalue() == ""


def test_commands_look_at_nothing_before_they_run() -> None:
    """The checks of a project would need a site."""
    assert Own.requires_system_checks == []


@pytest.fixture(name="pipe")
def _pipe() -> Iterator[list[int]]:
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def test_reader_of_a_pipe_is_seen_to_go(pipe: list[int], tmp_path: Path) -> None:
    """A pipe with a reader, a file, and what is neither have not lost one."""
    with open(os.dup(pipe[1]), "w") as stream:
        assert has_no_reader(stream) is False
        os.close(pipe[0])
        pipe[0] = os.open(os.devnull, os.O_RDONLY)
        assert has_no_reader(stream) is True
    with open(tmp_path / "file", "w") as file:
        assert has_no_reader(file) is False
    assert has_no_reader(io.StringIO()) is False
    assert has_no_reader(file) is False


def test_command_without_a_stdout_writes_into_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started with ``>&-`` it ends as it would with an output."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(Own, "execute", lambda self, *words, **options: self.stdout.write("said"))
    own = Own(stderr=io.StringIO())
    own.run_from_argv(["manage.py", "own"])
    assert sys.stdout is not None and sys.stdout.name == os.devnull
    sys.stdout.close()


@pytest.mark.parametrize("was_enabled", [True, False])
def test_collector_is_as_it_was_afterwards(was_enabled: bool) -> None:
    """It pauses meanwhile, and a process that does without goes on so, after an error as well."""
    (gc.enable if was_enabled else gc.disable)()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert gc.isenabled() is was_enabled
        with pytest.raises(KeyError), collector_paused():
            raise KeyError
        assert gc.isenabled() is was_enabled
    finally:
        gc.enable()


@pytest.fixture(name="applied")
def _applied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The settings module names a registry."""
    made = Running(registry=tmp_path / "of-settings.toml", project={"STATIC_URL": "/of-project/"})
    monkeypatch.setattr(running, "_current", made)
    monkeypatch.delenv("MULTIHOST_REGISTRY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_registry_is_the_one_that_is_named_first(applied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option goes before the variable, that before the settings module, and that before the usual place."""
    assert Path(registry_of(None).url) == applied / "of-settings.toml"
    assert Path(registry_of(str(applied / "option.toml")).url) == applied / "option.toml"
    monkeypatch.setenv("MULTIHOST_REGISTRY", str(applied / "variable.toml"))
    assert Path(registry_of(None).url) == applied / "variable.toml"
    assert Path(registry_of(str(applied / "option.toml")).url) == applied / "option.toml"
    monkeypatch.delenv("MULTIHOST_REGISTRY")
    monkeypatch.setattr(running, "_current", None)
    assert Path(registry_of(None).url).name == "sites.toml"


def test_chosen_sites_are_the_enabled_ones_or_some_of_them() -> None:
    """Without a choice all that are enabled; one that is not, or is unknown, is named with all others like it."""
    sites = (a_site(), a_site(id="borealis"), a_site(id="corona", enabled=False))
    contents = Contents(a_platform(), sites)
    assert chosen_ids(contents, []) == {"aurora", "borealis"}
    assert chosen_ids(contents, ["borealis"]) == {"borealis"}
    with pytest.raises(ConfigurationError) as caught:
        chosen_ids(contents, ["corona", "aurora", "draco"])
    assert [(problem.where, problem.message) for problem in caught.value.problems] == [
        ("--site", "The site corona is disabled: its record has enabled = false."),
        ("--site", "The registry has no site 'draco'. The sites are: aurora, borealis, corona."),
    ]
    with pytest.raises(ConfigurationError, match=r"no site 'aurroa'\. Did you mean aurora\?"):
        chosen_ids(contents, ["aurroa"])


@pytest.mark.parametrize(
    ("is_terminal", "options", "variable", "has_bar"),
    [
        (True, {}, "", True),
        (False, {}, "", False),
        (True, {"verbosity": 0}, "", False),
        (True, {"no_color": True}, "", True),
        (True, {}, "1", True),
    ],
)
def test_progress_is_shown_to_who_waits(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_terminal: bool,
    options: dict[str, Any],
    variable: str,
    has_bar: bool,
) -> None:
    """On a terminal, unless nothing is to be said; what is wrapped comes out as it went in, and the bar goes away."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    monkeypatch.setenv("NO_COLOR", variable)
    watch = progress.choose_watch({"verbosity": 1, "no_color": False, **options})
    assert list(watch(20, "sites")(pause(range(20)))) == list(range(20))
    drawn = capsys.readouterr()
    assert drawn.out == "" and ("/20 [" in drawn.err and " sites" in drawn.err) is has_bar
    is_plain = bool(options.get("no_color") or variable)
    assert ("\x1b[3" in drawn.err) is (has_bar and not is_plain)
    assert drawn.err.isascii() is (is_plain or not has_bar)
    assert drawn.err.endswith("\r") is has_bar


def pause(items: Iterable[int]) -> Iterator[int]:
    for item in items:
        time.sleep(0.02)
        yield item


def test_progress_is_not_shown_for_what_is_quick(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing flickers in the first two seconds."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert progress.SHOWN_AFTER == 2
    assert list(progress.choose_watch({"verbosity": 1, "no_color": False})(20, "sites")(pause(range(20))))
    assert capsys.readouterr().err == ""
