"""multihost_as: another command, as a site, in a process of its own."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.commands.conftest import Manage
from wagtail_multihost.management import as_site


@pytest.mark.parametrize(
    "arguments",
    [
        ["a b", "", "'\"$HOME", "*", "é"],
        ["--site", "--registry", "x", "--version", "-h"],
        ["--", "x", "--"],
    ],
)
def test_as_passes_arguments_verbatim(manage: Manage, arguments: list[str]) -> None:
    """The command gets its arguments as they were given, and the site's settings."""
    result = manage("multihost_as", "aurora", "probe", *arguments)
    assert result.returncode == 0, result.stderr
    hosts = ["aurora.example.org", "www.aurora.example.org", "aurora.example.net"]
    assert json.loads(result.stdout) == {"site": "aurora", "hosts": hosts, "argv": arguments}


def test_as_passes_the_exit_code(manage: Manage) -> None:
    """The exit code is the command's own."""
    assert manage("multihost_as", "aurora", "probe", "7").returncode == 7


def test_as_ends_by_the_signal_that_ends_the_command(manage: Manage) -> None:
    """The command takes the place of multihost_as, so whoever sends or awaits signals deals with the command."""
    assert manage("multihost_as", "aurora", "probe", "kill").returncode == -signal.SIGTERM


def test_as_without_a_command_is_refused(manage: Manage) -> None:
    """A script whose command is missing fails."""
    result = manage("multihost_as", "aurora")
    assert (result.returncode, result.stdout) == (2, "")
    assert "No command is given" in result.stderr


def test_as_replaces_the_site_and_takes_the_registry(manage: Manage, project: Path, tmp_path: Path) -> None:
    """The named site and registry hold for the command, whatever the surroundings say."""
    other = tmp_path / "other.toml"
    other.write_text((project / "sites.toml").read_text().replace("borealis", "draco").replace("postgresql", "sqlite"))
    text = "\n".join(line for line in other.read_text().splitlines() if not line.startswith("database"))
    other.write_text(text)
    settings = project / "website/settings.py"
    settings.write_text(settings.read_text().replace('BASE_DIR / "sites.toml"', ""))
    result = manage("multihost_as", "--registry", str(other), "draco", "probe", environ={"MULTIHOST_SITE": "aurora"})
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["hosts"] == ["draco.example.org"]


@pytest.mark.parametrize("site", ["draco", "corona", "", "../aurora"])
def test_as_refuses_a_site_that_is_not_served(manage: Manage, site: str) -> None:
    """An unknown, disabled or blank site is exit code 2 and a report; the command does not start."""
    result = manage("multihost_as", site, "probe")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr and "Traceback" not in result.stderr


def test_program_is_the_manage_py_that_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command starts in the same way as this one: by manage.py, or by the module django."""
    script = tmp_path / "manage.py"
    script.touch()
    started = {}
    for name in (str(script), str(tmp_path / "none.py"), "/usr/bin/django-admin", "/x/django/__main__.py"):
        monkeypatch.setattr(sys, "argv", [name, "multihost_as"])
        started[name] = as_site.restart_words()
    module = [sys.executable, "-m", "django"]
    assert list(started.values()) == [[sys.executable, str(script)], module, module, module]
