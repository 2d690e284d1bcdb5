"""multihost_codebase: what plans take from the project, in a file."""

from __future__ import annotations

import io
import stat
from collections.abc import Callable
from pathlib import Path

from django.core.management import CommandError, call_command

from tests.commands.conftest import Called
from wagtail_multihost.project import own_codebase
from wagtail_multihost.registry.release import own_release, read_release

Call = Callable[..., Called]


def written(*words: object) -> Called:
    """Call the command; return its exit code, output and report."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("multihost_codebase", *map(str, words), stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), err.getvalue()


def test_codebase_is_printed_or_written(tmp_path: Path) -> None:
    """Both are one text, which is read as what the project is, and which everybody may read."""
    path = tmp_path / "codebase.json"
    code, out, err = written()
    assert (code, err) == (0, "")
    assert written("--output", path) == (0, "", "")
    assert path.read_text() == out
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert read_release(path) == own_release(own_codebase())


def test_codebase_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The file is named."""
    code, _, err = written("--output", tmp_path / "none" / "codebase.json")
    assert code == 2
    assert f"Cannot write {tmp_path}/none/codebase.json: No such file or directory." in err


def test_files_of_a_written_codebase_are_those_of_the_project(call: Call, tmp_path: Path) -> None:
    """Emitting with the file does what emitting in the project does; what the file says is what counts."""
    path = tmp_path / "codebase.json"
    written("--output", path)
    project = call("multihost_emit", "nginx", "uwsgi")
    assert call("multihost_emit", "nginx", "uwsgi", "--codebase", path) == project
    path.write_text(path.read_text().replace('"health_prefix": "/-/"', '"health_prefix": "/health/"'))
    assert call("multihost_emit", "nginx", "uwsgi", "--codebase", path) != project


def test_file_that_describes_no_codebase_is_an_error(call: Call, tmp_path: Path) -> None:
    """Nothing is emitted or published of it."""
    (tmp_path / "x").write_text("{}")
    for words in (["multihost_emit", "nginx"], ["multihost_snapshot", "--output", tmp_path / "out"]):
        code, out, err = call(*words, "--codebase", tmp_path / "x")
        assert (code, out) == (2, "")
        assert "It was not written by multihost_codebase" in err
    assert not (tmp_path / "out").exists()
