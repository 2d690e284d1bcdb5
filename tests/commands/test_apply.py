"""multihost_apply, and what multihost_emit shares with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.commands.conftest import KEY, PASSWORD, Called
from wagtail_multihost.emitters import emitters
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.management import emitting

Call = Callable[..., Called]


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for targets without their programs, which are not on every machine."""
    silent = {name: replace(emitter, validate=lambda stage: iter(())) for name, emitter in emitters().items()}
    monkeypatch.setattr(emitting, "emitters", lambda: silent)
    return tmp_path / "output"


def test_apply_reports_files_and_what_was_done(call: Call, output: Path) -> None:
    """Each file is named, and a last line says that the servers were reloaded."""
    code, out, _ = call("multihost_apply", "uwsgi", "--output", output, "--reload", "true")
    assert code == 0
    assert "Changed: uwsgi/aurora.ini" in out.splitlines()
    assert out.splitlines()[-1].startswith("Applied, reloaded in ")
    code, out, _ = call("multihost_apply", "uwsgi", "--output", output, "--reload", "true")
    assert (code, out) == (0, "Nothing differs.\n")


def test_apply_with_json_is_one_object(call: Call, output: Path) -> None:
    """Programs read the result as JSON."""
    _, out, _ = call("multihost_apply", "nginx", "--output", output, "--json")
    result = json.loads(out)
    assert {"nginx/nginx.conf", "nginx/generation.conf"} <= set(result["changed"])
    assert (result["removed"], result["reloaded"], len(result["generation"])) == ([], False, 16)


@pytest.mark.parametrize("flag", ["--dry-run", "--diff"])
def test_apply_that_only_looks_changes_nothing_and_shows_no_secret(call: Call, output: Path, flag: str) -> None:
    """Looking names or shows the files, writes none, and prints no secret of the registry."""
    code, out, err = call("multihost_apply", "nginx", "uwsgi", "--output", output, flag)
    assert (code, output.exists(), "uwsgi/aurora.ini" in out) == (0, False, True)
    assert KEY not in out + err and PASSWORD not in out + err


def test_apply_that_is_rolled_back_exits_1(call: Call, output: Path) -> None:
    """A hook that fails is exit code 1, and nothing new is left."""
    code, _, err = call("multihost_apply", "uwsgi", "--output", output, "--reload", "false")
    assert (code, "The old files are back" in err) == (1, True)
    assert list(output.glob("uwsgi/*")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--reload", "no-such-hook"], "no-such-hook is not installed"),
        (["--verify", "ftp://example.org/"], "is not a URL"),
        (["--site", "nobody"], "nobody"),
    ],
)
def test_apply_that_cannot_be_tried_exits_2(call: Call, output: Path, arguments: list[str], words: str) -> None:
    """What is wrong with the call itself is exit code 2."""
    code, _, err = call("multihost_apply", "uwsgi", "--output", output, *arguments)
    assert (code, words in err) == (2, True)


def test_apply_reloads_what_emit_wrote(call: Call, output: Path, tmp_path: Path) -> None:
    """Files that multihost_emit wrote are the apply's own, and the servers are reloaded for them."""
    call("multihost_emit", "uwsgi", "--output", output)
    mark = tmp_path / "mark"
    _, out, _ = call("multihost_apply", "uwsgi", "--output", output, "--reload", f"touch {mark}")
    assert (mark.exists(), "reloaded" in out, "Changed" in out) == (True, True, False)


def test_emit_keeps_what_was_edited(call: Call, output: Path) -> None:
    """A file that was edited after it had been written is named and kept, until --force is given."""
    call("multihost_emit", "uwsgi", "--output", output)
    edited = output / "uwsgi/aurora.ini"
    edited.write_text(f"{OWNERSHIP_LINE}\nedited\n")
    code, _, err = call("multihost_emit", "uwsgi", "--output", output)
    assert (code, str(edited) in err, "edited" in edited.read_text()) == (2, True, True)
    assert call("multihost_emit", "uwsgi", "--output", output, "--force")[1] == "Replaced: uwsgi/aurora.ini\n"


def test_emit_lists_every_target(call: Call) -> None:
    """The list has the name and the summary of each target, as lines and as JSON."""
    _, out, _ = call("multihost_emit", "--list")
    assert [line.split()[0] for line in out.splitlines()] == list(emitters())
    _, out, _ = call("multihost_emit", "--list", "--json")
    assert json.loads(out) == [{"name": name, "summary": found.summary} for name, found in emitters().items()]


@pytest.mark.parametrize("arguments", [[], ["nginx", "--list"]])
def test_emit_with_options_that_do_not_go_together_is_refused(call: Call, arguments: list[str]) -> None:
    """A target and the list are one or the other."""
    assert call("multihost_emit", *arguments)[0] == 2
