"""Commands whose output goes into a pipe, and whose warnings do not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import Called, Manage
from wagtail_multihost.management.command import NO_READER
from wagtail_multihost.management.commands import multihost_sites

COMMANDS = (
    ["multihost_sites"],
    ["multihost_explain", "aurora"],
    ["multihost_emit", "nginx", "--verbosity", "0"],
    ["multihost_emit", "nginx", "--output", "out", "--check", "--verbosity", "1"],
)


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def environ() -> dict[str, str]:
    named = ("PYTEST", "MULTIHOST_", "DJANGO_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(named)}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.projects
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_without_a_reader_ends_quietly(project: Path, unread: int, command: list[str]) -> None:
    """A command whose reader has gone prints no traceback, and ends like a program that SIGPIPE ended."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=project,
        env=environ(),
        stdout=unread,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == NO_READER
    assert [line for line in done.stderr.splitlines() if not line.startswith("Caution: ")] == []


@pytest.mark.projects
def test_both_streams_without_a_reader_end_quietly(project: Path, unread: int) -> None:
    """With ``2>&1`` in front of the pipe there is nobody to tell, and still the exit code says so."""
    command = [sys.executable, "manage.py", "multihost_sites"]
    done = subprocess.run(
        command, cwd=project, env=environ(), stdout=unread, stderr=subprocess.STDOUT, timeout=120, check=False
    )
    assert done.returncode == NO_READER


@pytest.mark.projects
def test_command_whose_output_is_read_ends_as_ever(manage: Manage) -> None:
    """Through a pipe that is read to its end, output and exit code are those of the command."""
    done = manage("multihost_sites")
    assert (done.returncode, done.stderr) == (0, "")
    assert "aurora" in done.stdout


def test_pipe_that_is_not_the_output_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that breaks while the output is still read is not taken for a reader that has gone."""

    def broken(self: object, **options: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(multihost_sites.Command, "run", broken)
    with pytest.raises(BrokenPipeError):
        multihost_sites.Command().run_from_argv(["manage.py", "multihost_sites"])


def test_cautions_go_to_stderr_and_can_be_silenced(call: Callable[..., Called]) -> None:
    """What is seldom meant is told on stderr, beside output that stays what it was, and not with verbosity 0."""
    code, out, err = call("multihost_emit", "uwsgi")
    assert (code, "Caution" in out) == (0, False)
    assert "Caution: The cache of the sites aurora and borealis is in local memory" in err
    assert call("multihost_emit", "uwsgi", verbosity=0) == (0, out, "")
