"""What parses a staged gunicorn.conf.py really parses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.emitters.conftest import make_plan, make_site
from wagtail_multihost.emitters.emitter import Stage
from wagtail_multihost.emitters.systemd.checking import validate


@pytest.mark.parametrize(("text", "is_accepted"), [('bind = "ü"\n', True), ("bind = (\n", False), ("1 = 2\n", False)])
def test_configuration_of_gunicorn_is_parsed_and_not_run(tmp_path: Path, text: str, is_accepted: bool) -> None:
    """Python of the codebase's environment reads it as UTF-8, and none of it is carried out."""
    config = tmp_path / "stage/systemd/gunicorn.conf.py"
    config.parent.mkdir(parents=True)
    config.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{text}", encoding="utf-8")
    stage = Stage(make_plan(make_site("aurora")), tmp_path / "stage", frozenset())
    [validation] = validate(stage)
    assert (validation.what, validation.command[1]) == ("gunicorn.conf.py", "-I")
    completed = subprocess.run([sys.executable, *validation.command[1:]], capture_output=True, check=False)
    assert (completed.returncode == 0) is is_accepted, completed.stderr
    assert not (tmp_path / "ran").exists()


def test_shared_units_are_checked_as_systemd_reads_them(tmp_path: Path) -> None:
    """Every shared unit is named, and without --recursive-errors a fault in one would be passed over."""
    folder = tmp_path / "systemd"
    (folder / "multihost@a.service.d").mkdir(parents=True)
    for name in ("multihost@.service", "multihost.slice", "other.service"):
        (folder / name).touch()
    [validation] = validate(Stage(make_plan(make_site("aurora")), tmp_path, frozenset()))
    assert validation.what == "the units"
    assert validation.command == (
        *("systemd-analyze", "verify", "--man=no", "--generators=no", "--recursive-errors=no"),
        *(f"{folder}/{name}" for name in ("multihost.slice", "multihost@.service")),
    )
