"""The example project, started as a site that its registry does not have."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.processes import free_port
from tests.servers.workshop import CHECKOUT, LEFT_OUT

BIN = Path(sys.executable).parent
REPORT = "The configuration has 1 problem:\n  - sites.toml has no site 'aurorra'. Did you mean aurora?\n"


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    return shutil.copytree(CHECKOUT / "example_project", tmp_path / "project", ignore=LEFT_OUT)


def start(project: Path, *words: str | Path, site: str = "aurorra") -> tuple[int, str]:
    """Return the exit code of a program, and all that it says."""
    inherited = {
        name: os.environ[name] for name in os.environ if not name.startswith(("PYTEST", "DJANGO", "MULTIHOST"))
    }
    completed = subprocess.run(
        [str(word) for word in words],
        cwd=project,
        env={**inherited, "PYTHONPATH": str(CHECKOUT), "MULTIHOST_SITE": site, "HOME": str(project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return completed.returncode, completed.stdout


@pytest.mark.parametrize("command", ["check", "migrate", "runserver", "help"])
def test_manage_ends_with_the_report_alone(project: Path, command: str) -> None:
    """Nothing but the mistake is told, and the exit code is 2."""
    assert start(project, sys.executable, "manage.py", command) == (2, REPORT)


def test_every_problem_of_a_registry_is_in_the_report(project: Path) -> None:
    """A site with two mistakes has two lines, each under its key."""
    registry = project / "sites.toml"
    registry.write_text(registry.read_text() + '[sites.draco]\nhostnames = ["a b"]\nepoch = "x"\n')
    code, said = start(project, sys.executable, "manage.py", "check", site="draco")
    assert code == 2 and "Traceback" not in said
    assert re.findall(r"^  - sites.toml, line \d+: sites.draco\.(\w+): ", said, re.MULTILINE) == ["hostnames", "epoch"]


@pytest.mark.servers
def test_gunicorn_that_preloads_ends_with_the_report_alone(project: Path) -> None:
    """As the emitted configuration has it: the master itself reads the settings."""
    words = (BIN / "gunicorn", "--preload", "-b", f"127.0.0.1:{free_port()}", "example.wsgi")
    assert start(project, *words) == (2, REPORT)


@pytest.mark.servers
def test_gunicorn_logs_the_report_and_no_frames(project: Path) -> None:
    """A worker that cannot boot ends the master by gunicorn's own exit code."""
    words = (BIN / "gunicorn", "-b", f"127.0.0.1:{free_port()}", "example.wsgi")
    code, said = start(project, *words)
    assert code == 3 and REPORT in said and "Traceback" not in said


@pytest.mark.servers
@pytest.mark.parametrize("options", [(), ("--lazy-apps",)], ids=["master", "worker"])
def test_uwsgi_prints_the_report_and_no_frames(project: Path, options: tuple[str, ...]) -> None:
    """It ends at once, by its own exit code, where the master loads the application and where workers do."""
    address = f"127.0.0.1:{free_port()}"
    words = (BIN / "uwsgi", "--http-socket", address, "--module", "example.wsgi", "--need-app", "--master")
    code, said = start(project, *words, *options)
    assert code == 22 and REPORT in said and "Traceback" not in said
