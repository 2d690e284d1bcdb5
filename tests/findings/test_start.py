"""Finding 12: errors while Django loads settings, and sites that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import environ
import pytest

from tests.findings.conftest import REGISTRY
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver import resolve

MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "website"
execute_from_command_line(sys.argv)
"""
COUNTED = """\
from pathlib import Path

with Path(__file__).with_name("runs").open("a") as runs:
    runs.write("run\\n")
"""
STOCK = """
from django.core.exceptions import ImproperlyConfigured

raise ImproperlyConfigured("The site is not known.")
"""
OWN = """
from wagtail_multihost.resolver import resolve

resolve(Path(__file__).with_name("sites.toml")).apply(globals())
"""
COMMANDS = ("check", "help", "version", "startapp")


def runs_and_codes(folder: Path, code: str) -> dict[str, tuple[int, int]]:
    """Return, for each command of a project with this settings module, how often it was executed and the exit code."""
    folder.mkdir()
    for name, text in {"manage.py": MANAGE, "website.py": COUNTED + code, "sites.toml": REGISTRY}.items():
        (folder / name).write_text(text)
    return {command: run(folder, command) for command in COMMANDS}


def run(folder: Path, command: str) -> tuple[int, int]:
    runs = folder / "runs"
    runs.unlink(missing_ok=True)
    words = [sys.executable, "manage.py", command, *(["an_app"] if command == "startapp" else [])]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO_"))}
    variables = {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "MULTIHOST_SITE": "corona"}
    completed = subprocess.run(words, cwd=folder, env=variables, capture_output=True, timeout=120, check=False)
    return len(runs.read_text().split()), completed.returncode


def test_settings_with_a_mistake_are_executed_once_and_no_command_succeeds(tmp_path: Path) -> None:
    """
    Django swallows ImproperlyConfigured once: settings are executed again, and ``help`` and the like exit with 0.
    For a site that does not exist they are executed once, and every command fails.
    """
    stock = runs_and_codes(tmp_path / "stock", STOCK)
    assert stock["check"][0] > 1 and stock["check"][1] != 0
    assert {stock[command][1] for command in ("help", "version", "startapp")} == {0}
    own = runs_and_codes(tmp_path / "own", OWN)
    assert own == dict.fromkeys(COMMANDS, (1, 2))


@pytest.mark.parametrize("site", ["corona", "Aurora", ""])
def test_site_that_is_not_known_gets_no_settings(site: str, tmp_path: Path) -> None:
    """django-environ reads a section or a file that is not there as nothing; here no settings come of it."""
    env = type("Env", (environ.Env,), {"ENVIRON": {}})()
    assert env.read_env(tmp_path / f"{site}.env") is None
    (tmp_path / "sites.toml").write_text(REGISTRY)
    with pytest.raises(ConfigurationError) as caught:
        resolve(tmp_path / "sites.toml", environ={"MULTIHOST_SITE": site})
    assert len(caught.value.problems) == 1
