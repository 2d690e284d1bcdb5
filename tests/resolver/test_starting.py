"""What a process was started for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wagtail_multihost.resolver import resolve, starting
from wagtail_multihost.resolver.starting import Start, start_of, start_of_process


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/srv/manage.py", "migrate", "--plan"], Start("migrate", False)),
        (["/srv/manage.py", "runserver"], Start("runserver", True)),
        (["/srv/manage.py", "check"], Start("check", True)),
        (["/srv/manage.py"], Start("", False)),
        (["/srv/manage.py", "--help"], Start("", False)),
        (["/v/bin/django-admin", "shell"], Start("shell", False)),
        (["/v/site-packages/django/__main__.py", "shell"], Start("shell", False)),
        (["/v/site-packages/gunicorn/__main__.py", "wsgi"], Start("wsgi", True)),
        (["/v/bin/gunicorn", "site.wsgi"], Start("", True)),
        (["/v/bin/aviary", "migrate"], Start("migrate", True)),
        (["uwsgi"], Start("", True)),
        ([], Start("", True)),
    ],
)
def test_command_line_says_what_a_process_is_for(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], expected: Start
) -> None:
    """Of Django's programs the first word is the command; whatever else runs serves."""
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.delenv("PYTEST_VERSION")
    assert start_of_process() == expected


@pytest.mark.parametrize(("command", "serves"), [("", True), ("check", True), ("migrate", False), ("template", False)])
def test_command_that_is_stated_says_it_alone(command: str, serves: bool) -> None:
    """A blank one is a server's."""
    assert start_of(command) == Start(command, serves)


class Untouchable(dict[str, Any]):
    """What nobody may look at."""

    def __getitem__(self, name: str) -> Any:
        pytest.fail(f"{name} was read")

    def __contains__(self, name: object) -> bool:
        pytest.fail(f"{name} was looked for")

    def __iter__(self) -> Iterator[str]:
        pytest.fail("All of it was read")

    get = __getitem__


@pytest.mark.parametrize("environ", [{"MULTIHOST_SITE": "borealis"}, {}])
def test_resolve_with_variables_reads_nothing_but_its_arguments(
    registry_file: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    """Neither the command line nor the variables or the modules of the process decide."""
    monkeypatch.setattr(starting, "start_of_process", lambda: pytest.fail("The process was asked"))
    monkeypatch.setattr(sys, "argv", ["manage.py", "test"])
    monkeypatch.setattr(os, "environ", Untouchable())
    resolved = resolve(registry_file, environ=environ)
    monkeypatch.undo()
    assert (resolved.ephemeral, resolved.command, resolved.serves) == (None, "", True)
    assert resolved.is_build_mode is not bool(environ)


def test_resolve_knows_the_command_that_it_is_told(registry_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before the process's own, and each has an outcome of its own."""
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.delenv("MULTIHOST_SITE", raising=False)
    monkeypatch.setattr(sys, "argv", ["manage.py", "migrate"])
    own, stated = resolve(registry_file), resolve(registry_file, command="test")
    assert (own.command, own.serves, own.is_build_mode) == ("migrate", False, True)
    assert stated.ephemeral is not None and stated.command == "test"
    assert resolve(registry_file, command="test") is stated and resolve(registry_file) is own
