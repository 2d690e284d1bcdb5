"""Whether a command goes on in its own process or starts again as its site, and what it starts then."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError

from tests.spec.samples import a_platform, a_site
from wagtail_multihost.as_site.run import RunRequest
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.launch.guard import Ended
from wagtail_multihost.management import as_site
from wagtail_multihost.management.as_site import SiteCommand, own_identity_or_start, start_as_site, without_registry

OWN = OwnIdentity(a_platform(), a_site())
NAME = "multihost_adopt"


class StartedError(Exception):
    """What was started instead of this process."""


@pytest.fixture(name="process")
def _process(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """This process: whose it is, its command line, and its registry's variable."""
    process = SimpleNamespace(own=None)

    def start(site: str, words: list[str], request: RunRequest) -> NoReturn:
        raise StartedError(site, words, request)

    monkeypatch.setattr(as_site, "own_identity", lambda: process.own)
    monkeypatch.setattr(as_site, "start_as_site", start)
    monkeypatch.setattr(sys, "argv", ["manage.py", NAME, "aurora", "--yes"])
    monkeypatch.setenv("MULTIHOST_REGISTRY", "sites.toml")
    return process


@pytest.mark.parametrize("registry", [None, "sites.toml"])
def test_process_of_the_site_goes_on(process: SimpleNamespace, registry: str | None) -> None:
    """With the registry that it has, stated or not."""
    process.own = OWN
    assert own_identity_or_start(NAME, "aurora", registry) is OWN


def test_process_of_another_site_is_refused(process: SimpleNamespace) -> None:
    """The variable that names it is to be unset."""
    process.own = OWN
    with pytest.raises(ConfigurationError, match="names the site aurora, but the command is for 'borealis'") as caught:
        own_identity_or_start(NAME, "borealis", None)
    assert [problem.where for problem in caught.value.problems] == ["MULTIHOST_SITE"]


@pytest.mark.parametrize(("own", "registry"), [(None, None), (None, "sites.toml"), (None, "x.toml"), (OWN, "x.toml")])
def test_process_of_no_site_or_registry_starts_again(
    process: SimpleNamespace, own: OwnIdentity | None, registry: str | None
) -> None:
    """It gets the words of the command line without the registry, which is for who starts it, and the settings."""
    process.own = own
    sys.argv[2:2] = ["--registry", "x.toml"]
    with pytest.raises(StartedError) as caught:
        own_identity_or_start(NAME, "aurora", registry)
    request = RunRequest(settings="tests.settings", registry=registry)
    assert caught.value.args == ("aurora", [NAME, "aurora", "--yes"], request)


@pytest.mark.parametrize("argv", [["manage.py"], ["manage.py", "other", NAME], [NAME], []])
def test_command_that_was_called_otherwise_is_refused(
    process: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, argv: list[str]
) -> None:
    """The words of a command that manage.py does not run are not the command's."""
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(ConfigurationError, match=f"must name the site 'aurora' when {NAME} is not run") as caught:
        own_identity_or_start(NAME, "aurora", None)
    assert [problem.where for problem in caught.value.problems] == ["MULTIHOST_SITE"]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["a", "--registry", "x", "b"], ["a", "b"]),
        (["a", "--registry=x", "b"], ["a", "b"]),
        (["a", "--reg", "x", "b"], ["a", "b"]),
        (["a", "--r=x", "b"], ["a", "b"]),
        (["a", "--registry"], ["a"]),
        (["a", "--", "b"], ["a", "--", "b"]),
        (["a", "-", "--registryx", "b"], ["a", "-", "--registryx", "b"]),
        (["a", "x--registry", "b"], ["a", "x--registry", "b"]),
        (["--registry=x", "--registry", "y", "z"], ["z"]),
        (["--=x", "a"], ["--=x", "a"]),
    ],
)
def test_registry_is_taken_out_of_a_command_line(words: list[str], kept: list[str]) -> None:
    """With its value, joined or not, and abbreviated as argparse takes it."""
    assert without_registry(words) == kept


@pytest.mark.parametrize(("sentence", "shown"), [("", ""), ("It \x1b ended.", "It \\x1b ended.\n")])
def test_process_ends_as_what_it_has_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sentence: str, shown: str
) -> None:
    """With its code, and a sentence where there is one."""
    given: list[Any] = []
    monkeypatch.setattr(as_site, "registry_of", lambda url: f"opened {url}")
    monkeypatch.setattr(as_site, "run_as_site", lambda *arguments: given.extend(arguments) or Ended(7, sentence))
    request = RunRequest(registry="x.toml")
    with pytest.raises(SystemExit) as caught:
        start_as_site("aurora", ["probe"], request)
    assert caught.value.code == 7
    assert given == ["aurora", "opened x.toml", as_site.restart_words(), ["probe"], request]
    assert capsys.readouterr() == ("", shown)


def test_command_of_a_site_is_run_as_the_site(process: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the identity and its options; a database that fails is a sentence with a code of its own."""
    seen: list[Any] = []

    class Command(SiteCommand):
        def run_as(self, own: OwnIdentity, **options: Any) -> None:
            seen.append((own, options))
            if options.get("fails"):
                raise OperationalError("no\nserver")

    process.own = OWN
    command = Command()
    command.run(site="aurora", registry=None, yes=True)
    assert seen == [(OWN, {"site": "aurora", "registry": None, "yes": True})]
    with pytest.raises(CommandError, match="The database cannot be used: no server") as caught:
        command.run(site="aurora", registry=None, fails=True)
    assert caught.value.returncode == 2
    monkeypatch.setattr(as_site, "own_identity_or_start", lambda *arguments: arguments)
    assert command.own("aurora", "x.toml") == ("test_own_or_start", "aurora", "x.toml")


def test_site_is_a_word_of_the_command_line() -> None:
    """It is told in the help by its name."""

    class Command(SiteCommand):
        def run_as(self, own: OwnIdentity, **options: Any) -> None:
            pass

    parser = Command().create_parser("manage.py", "x")
    options = vars(parser.parse_args(["aurora", "--registry", "x.toml"]))
    assert (options["site"], options["registry"]) == ("aurora", "x.toml")
    assert "SITE" in parser.format_help()
