"""What every command's help has, and what every command prints for machines."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import pkgutil
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class
from django.core.management.base import DjangoHelpFormatter

from tests.commands.conftest import BROKEN, Called
from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.management import commands
from wagtail_multihost.management.command import MultihostCommand

Call = Callable[..., Called]
NAMES = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
PROGRAMS = {
    "multihost-as": "wagtail_multihost.as_site.command",
    "multihost-health": "wagtail_multihost.health.command",
}
#: What the command that it starts prints is its own.
WITHOUT_DATA = "multihost_as"
#: Commands that read the whole registry, with what they need beside it.
READING = {"apply": ["nginx", "--output", "o"], "emit": ["nginx"], "sites": [], "snapshot": ["--output", "o"]}
EXIT_CODES = re.compile(r"\n\nExit codes:\n(?:  (?:\d+|any) +\S.*\n(?: {5,}\S.*\n)*)+(?:\n|$)")


def parser_of(name: str) -> argparse.ArgumentParser:
    return load_command_class("wagtail_multihost", name).create_parser("manage.py", name)


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_command_is_laid_out_as_all_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fits 80 columns, has exit codes in one layout and examples, and Django's own options last."""
    monkeypatch.setenv("COLUMNS", "80")
    parser = parser_of(name)
    text = parser.format_help()
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert len(EXIT_CODES.findall(text)) == 1 and text.lower().count("exit codes") == 1
    assert ("\nExamples:\n  manage.py " in text) is (name not in ("multihost_adopt", "multihost_hostname"))
    shown = re.findall(r"^  (-\S+)", text, re.MULTILINE)
    own = [at for at, option in enumerate(shown) if not option_is_djangos(parser, option) and option != "-h,"]
    djangos = [at for at, option in enumerate(shown) if option_is_djangos(parser, option)]
    assert djangos and max(own) < min(djangos)


def option_is_djangos(parser: argparse.ArgumentParser, shown: str) -> bool:
    (action,) = [found for found in parser._actions if shown.rstrip(",") in found.option_strings]
    return bool(DjangoHelpFormatter.show_last.intersection(action.option_strings))


@pytest.mark.parametrize("name", NAMES)
def test_command_with_data_prints_json(name: str) -> None:
    """All but the one whose output is another command's."""
    assert ("--json" in parser_of(name)._option_string_actions) is (name != WITHOUT_DATA)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_of_a_program_is_laid_out_as_that_of_commands(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The programs that start without Django look like the commands."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    with pytest.raises(SystemExit):
        importlib.import_module(PROGRAMS[program]).run()
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert len(EXIT_CODES.findall(text)) == 1 and "\nExamples:\n" in text


def test_epilog_has_its_parts_in_columns() -> None:
    """Codes of different lengths are aligned, long meanings wrapped, and what is not given is left out."""
    assert format_epilog({"0": "done"}) == "Exit codes:\n  0  done"
    text = format_epilog({"2": "word " * 20, "124": "late"}, ["do it"], "A note.")
    codes, examples, note = text.split("\n\n")
    assert codes.splitlines()[1].startswith("  2    word") and codes.splitlines()[2].startswith("       word")
    assert codes.splitlines()[-1] == "  124  late" and max(map(len, codes.splitlines())) <= 78
    assert (examples, note) == ("Examples:\n  do it", "A note.")


@pytest.mark.parametrize("name", READING)
def test_problems_are_json_too(call: Call, registry: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its site, key, file and line; the report is still on stderr, with the same exit code."""
    monkeypatch.chdir(registry.parent)
    registry.write_text(BROKEN)
    code, out, err = call(f"multihost_{name}", *READING[name], "--json")
    found = json.loads(out)["problems"]
    line = BROKEN.splitlines().index("[sites.Draco]") + 1
    (draco,) = [problem for problem in found if problem["site"] == "Draco"]
    assert (code, draco["key"], draco["file"], draco["line"]) == (2, "sites.Draco", str(registry), line)
    assert set(draco) == {"site", "key", "message", "file", "line"}
    assert all(problem["message"] in err for problem in found) and len(found) >= 3


def test_problem_without_a_place_says_so(call: Call, tmp_path: Path) -> None:
    """What is not known, or concerns no site, is null."""
    code, out, _ = call("multihost_emit", "--list", "nginx", "--json")
    (problem,) = json.loads(out)["problems"]
    assert code == 2 and problem.pop("message")
    assert problem == {"site": None, "key": None, "file": None, "line": None}


def test_syntax_error_has_its_line(call: Call, registry: Path) -> None:
    """As a number beside the file, and no key."""
    registry.write_text("[platform]\nname = \n")
    code, out, err = call("multihost_sites", "--json")
    (problem,) = json.loads(out)["problems"]
    assert (code, problem["key"], problem["file"], problem["line"]) == (2, None, str(registry), 2)
    assert f"{registry}, line 2: " in err


class Telling(MultihostCommand):
    """A command that prints its data, and then ends with an error."""

    json_help = "print JSON"

    def run(self, **options: Any) -> None:
        from django.core.management.base import CommandError

        if options["prints"]:
            self.stdout.write("[]")
        raise CommandError("2 files differ.", returncode=1)


@pytest.mark.parametrize(("prints", "as_json", "lines"), [(True, True, 1), (False, False, 0)])
def test_data_stays_the_only_document(prints: bool, as_json: bool, lines: int) -> None:
    """What was printed before is not followed by a second document; without --json problems are on stderr alone."""
    out = io.StringIO()
    with pytest.raises(Exception, match="2 files differ"):
        Telling(stdout=out, stderr=io.StringIO()).handle(prints=prints, json=as_json)
    assert len(out.getvalue().splitlines()) == lines


def test_changes_are_json(call: Call, tmp_path: Path) -> None:
    """The files that would be written, those that were, and none; each command says it in one document."""
    output = tmp_path / "out"
    words = ["multihost_emit", "uwsgi", "--output", output, "--json"]
    code, out, _ = call(*words, "--check")
    assert code == 1 and "uwsgi/aurora.ini" in json.loads(out)["changed"]
    assert json.loads(call(*words)[1]) == json.loads(out)
    assert json.loads(call(*words, "--check")[1]) == {"changed": [], "removed": []}


def test_files_are_json(call: Call) -> None:
    """Without a folder each file has its path, site and text."""
    found = {file["path"]: file for file in json.loads(call("multihost_emit", "uwsgi", "--json")[1])}
    vassal = found["/etc/multihost/uwsgi/aurora.ini"]
    assert vassal["site"] == "aurora" and "[uwsgi]" in vassal["text"]


def test_snapshots_are_json(call: Call, registry: Path, tmp_path: Path) -> None:
    """Each file that changed has its name and what became of it."""
    registry.write_text('[platform]\nname = "a"\n[sites.aurora]\nhostnames = ["aurora.example.org"]\n')
    words = ["multihost_snapshot", "--output", tmp_path / "out", "--json"]
    assert json.loads(call(*words)[1]) == [{"file": "aurora.json", "state": "created"}]
    assert json.loads(call(*words)[1]) == []
