"""What each command takes: the options that it knows, what they are when nobody gives them, and what goes together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, load_command_class
from django.core.management.base import BaseCommand

from wagtail_multihost.emitters import emitters

ADOPT = {"site": "aurora", "registry": None, "retire": False, "dry_run": False, "interactive": True, "json": False}
HOSTNAME = {"site": "aurora", "registry": None, "check": False, "dry_run": False, "json": False}
AS = {
    "site": "aurora",
    "registry": None,
    "timeout": None,
    "stdin": False,
    "raw": False,
    "env": [],
    "command": ["check"],
}
CHOICE = {"site": [], "node": "", "codebase": None, "force": False, "allow_mass_delete": False}
EMIT = {
    "registry": None,
    "targets": [],
    "output": None,
    **CHOICE,
    "list": False,
    "json": False,
    "dry_run": False,
    "diff": False,
    "check": False,
}
APPLY = {
    "registry": None,
    "targets": ["nginx"],
    "output": Path("o"),
    **CHOICE,
    "reload": (),
    "reload_timeout": 60,
    "verify": "",
    "verify_timeout": 10,
    "lock_timeout": 600,
    "json": False,
    "dry_run": False,
    "diff": False,
}
EXPLAIN = {
    "registry": None,
    "site": None,
    "all": False,
    "rotation": False,
    "against": None,
    "variables": False,
    "schema": False,
    "json": False,
}
HEALTH = {
    "registry": None,
    "site": None,
    "url": None,
    "probe": False,
    "json": False,
    "drain": False,
    "undrain": False,
    "wait": 0.0,
    "timeout": 2,
    "token_file": None,
    "ca_file": None,
    "token": False,
}
SITES = {"registry": None, "json": False, "pin": False, "keep": None, "new": []}
SNAPSHOT = {
    "registry": None,
    "output": Path("o"),
    "site": [],
    "signing_key": None,
    "codebase": [],
    "dry_run": False,
    "check": False,
    "json": False,
}
COMMANDS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "adopt": (["aurora"], ADOPT),
    "hostname": (["aurora"], HOSTNAME),
    "as": (["aurora", "check"], AS),
    "emit": ([], EMIT),
    "apply": (["nginx", "--output", "o"], APPLY),
    "explain": ([], EXPLAIN),
    "health": ([], HEALTH),
    "sites": ([], SITES),
    "snapshot": (["--output", "o"], SNAPSHOT),
}


def parsed(name: str, *words: str) -> dict[str, Any]:
    """Return what a command takes from its words, without the options that every command of Django has."""
    parser = load_command_class("wagtail_multihost", f"multihost_{name}").create_parser("manage.py", name)
    parser.called_from_command_line = False
    given = vars(parser.parse_args([*words]))
    common = vars(BaseCommand().create_parser("manage.py", "x").parse_args([]))
    found = {key: value for key, value in given.items() if key not in common}
    if "targets" in found:
        found["targets"] = [emitter.name for emitter in found["targets"]]
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_command_without_options_does_what_it_is_for(name: str) -> None:
    """What is not given is as stated here, and the command knows nothing else."""
    words, expected = COMMANDS[name]
    assert parsed(name, *words) == expected
    assert {key: type(value) for key, value in parsed(name, *words).items()} == {
        key: type(value) for key, value in expected.items()
    }


@pytest.mark.parametrize(
    ("name", "words", "changes"),
    [
        *((name, ["--registry", "env:"], {"registry": "env:"}) for name in COMMANDS if name != "as"),
        ("adopt", ["--retire", "--dry-run", "--noinput"], {"retire": True, "dry_run": True, "interactive": False}),
        ("adopt", ["--no-input"], {"interactive": False}),
        ("hostname", ["--check"], {"check": True}),
        ("hostname", ["--dry-run"], {"dry_run": True}),
        *(
            (name, ["--site", "a", "b", "--site", "c", "--node", "n"], {"site": ["a", "b", "c"], "node": "n"})
            for name in ("emit", "apply")
        ),
        *(
            (name, ["--force", "--allow-mass-delete"], {"force": True, "allow_mass_delete": True})
            for name in ("emit", "apply")
        ),
        ("emit", ["--output", "/x"], {"output": Path("/x")}),
        ("emit", ["nginx", "uwsgi"], {"targets": ["nginx", "uwsgi"]}),
        ("emit", ["--list", "--json"], {"list": True, "json": True}),
        *(("emit", [f"--{flag}"], {flag.replace("-", "_"): True}) for flag in ("dry-run", "diff", "check")),
        *(("apply", [f"--{flag}"], {flag.replace("-", "_"): True}) for flag in ("dry-run", "diff", "json")),
        ("apply", ["--reload", "nginx -s 're load'"], {"reload": ("nginx", "-s", "re load")}),
        ("apply", ["--verify", "http://h/"], {"verify": "http://h/"}),
        *(("apply", [f"--{kind}-timeout", "7.5"], {f"{kind}_timeout": 7.5}) for kind in ("reload", "verify", "lock")),
        ("explain", ["aurora", "--all", "--json"], {"site": "aurora", "all": True, "json": True}),
        ("explain", ["aurora", "--against", "site.live"], {"site": "aurora", "against": "site.live"}),
        ("explain", ["--variables", "--rotation"], {"variables": True, "rotation": True}),
        ("health", ["--site", "a", "--url", "u"], {"site": "a", "url": "u"}),
        *(("health", [f"--{flag}"], {flag: True}) for flag in ("probe", "json", "drain", "undrain", "token")),
        ("sites", ["--json", "--pin"], {"json": True, "pin": True}),
        ("sites", ["--keep"], {"keep": []}),
        ("sites", ["--keep", "a", "b", "--new", "c", "d"], {"keep": ["a", "b"], "new": ["c", "d"]}),
        ("snapshot", ["--site", "a", "--site", "b", "c"], {"site": ["a", "b", "c"]}),
        ("snapshot", ["--signing-key", "/k"], {"signing_key": Path("/k")}),
        ("snapshot", ["--dry-run"], {"dry_run": True}),
        ("snapshot", ["--check"], {"check": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_option_changes_what_it_says(name: str, words: list[str], changes: dict[str, Any]) -> None:
    """Each option has the name and the value that the command looks at, and leaves the others alone."""
    first, expected = COMMANDS[name]
    assert parsed(name, *first, *words) == {**expected, **changes}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("adopt", []),
        ("hostname", []),
        ("hostname", ["aurora", "--check", "--dry-run"]),
        ("as", []),
        ("emit", ["apache"]),
        ("emit", ["nginx", "--dry-run", "--diff"]),
        ("emit", ["nginx", "--diff", "--check"]),
        ("emit", ["nginx", "--check", "--dry-run"]),
        ("emit", ["nginx", "--site"]),
        ("apply", ["--output", "o"]),
        ("apply", ["nginx"]),
        ("apply", ["apache", "--output", "o"]),
        ("apply", ["nginx", "--output", "o", "--dry-run", "--diff"]),
        *(("apply", ["nginx", "--output", "o", "--lock-timeout", text]) for text in ("0", "-1", "86400", "nan", "x")),
        *(("apply", ["nginx", "--output", "o", "--reload", text]) for text in ("", " ", "'")),
        ("health", ["--token", "--json"]),
        ("health", ["--token", "--drain"]),
        ("health", ["--toke"]),
        ("sites", ["--new"]),
        ("snapshot", []),
        ("snapshot", ["--output", "o", "--site"]),
        ("snapshot", ["--output", "o", "--dry-run", "--check"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_options_that_do_not_fit_are_refused(name: str, words: list[str]) -> None:
    """What is needed is asked for, what contradicts itself is not taken, and health takes no abbreviation."""
    with pytest.raises(CommandError):
        parsed(name, *words)


@pytest.mark.parametrize("text", ["0.001", "86399.9"])
def test_time_limit_may_be_anything_within_a_day(text: str) -> None:
    """Just above nothing, and just below a day."""
    assert parsed("apply", "nginx", "--output", "o", "--reload-timeout", text)["reload_timeout"] == float(text)


def test_targets_are_those_that_there_are() -> None:
    """The name of each is accepted."""
    assert parsed("emit", *emitters())["targets"] == list(emitters())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_what_scripts_rely_on(name: str) -> None:
    """The exit codes, and the examples on lines of their own, are as they were written."""
    command = load_command_class("wagtail_multihost", f"multihost_{name}")
    parser = command.create_parser("manage.py", f"multihost_{name}")
    text = parser.format_help()
    assert parser.epilog and "exit codes" in parser.epilog.lower()
    assert text.rstrip().endswith(parser.epilog.rstrip())
    assert text.count("\n") > parser.epilog.count("\n")
    assert "--registry URL" in text
