"""Commands that root runs for a site whose code is hostile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import needs_root, passable_folder
from tests.attacks.launching import at_terminal
from tests.commands.conftest import PROJECT

pytestmark = needs_root

KEY = "the-platforms-key-0123456789-0123456789"
REGISTRY = """
[platform]
name = "aviary"
user = "games"
key_id = "a"
secret_keys = { a = "env:PLATFORM_KEY" }
[sites.aurora]
hostnames = ["aurora.example.org"]
"""
#: What hostile code in the project would do.
LOOK = """
import glob, json, os
from django.core.management.base import BaseCommand
from django.conf import settings
class Command(BaseCommand):
    def handle(self, **options):
        registry = os.environ["MULTIHOST_REGISTRY"]
        print(json.dumps({"uid": os.getuid(), "environ": dict(os.environ), "registry": registry,
            "key": settings.SECRET_KEY != "", "listed": glob.glob("/run/multihost-run-*/*")}))
"""


@pytest.fixture
def project() -> Iterator[Path]:
    """A project that every account may read, but for its registry."""
    with passable_folder() as folder:
        files = {**PROJECT, "website/management/commands/look.py": LOOK, "sites.toml": REGISTRY}
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (folder / "sites.toml").chmod(0o600)
        sites = folder / "data" / "sites" / "aurora"
        sites.mkdir(parents=True)
        os.chown(sites, 5, 60)
        yield folder


def surroundings() -> dict[str, str]:
    """Return the variables of root's shell."""
    left_out = ("PYTEST", "MULTIHOST", "DJANGO_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return environ | {"PLATFORM_KEY": KEY, "PYTHONPATH": os.pathsep.join(sys.path)}


def run(project: Path, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=project, env=surroundings(), input=given, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("program", [["manage.py", "multihost_as"], ["-m", "wagtail_multihost.as_site"]])
def test_the_site_gets_its_own_record_and_nothing_of_roots(project: Path, program: list[str]) -> None:
    """The registry is root's alone; what the site reads in its place is gone afterwards, and has no platform key."""
    result = run(project, *program, "aurora", "look")
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert seen["uid"] == 5 and seen["key"] and seen["listed"] == []
    assert KEY not in result.stdout and "PLATFORM_KEY" not in seen["environ"] and "PYTHONPATH" not in seen["environ"]
    assert seen["registry"].startswith("/run/multihost-run-") and not Path(seen["registry"]).exists()


def test_without_an_account_in_production_nothing_runs_as_root(project: Path) -> None:
    """A site without a folder has no owner to ask: its pickles would be read by root."""
    (project / "data" / "sites" / "aurora").rmdir()
    pins = 'uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"\nnames.database = "a__a"\nnames.role = "a__a"\n'
    pins += 'names.bucket = "a--a"\nnames.key_prefix = "a.a"\nnames.index_prefix = "a_a_"\nnames.socket = "a.sock"\n'
    text = REGISTRY.replace('user = "games"', 'environment = "production"')
    (project / "sites.toml").write_text(f"{text}{pins}")
    result = run(project, "manage.py", "multihost_as", "aurora", "look")
    assert (result.returncode, result.stdout) == (2, "") and "No account is stated" in result.stderr
    assert not (project / "data" / "sites" / "aurora").exists()


@pytest.mark.parametrize(("user", "said"), [("nonesuch", "has no account nonesuch"), ("root", "is root")])
def test_accounts_that_are_none_are_one_sentence(project: Path, user: str, said: str) -> None:
    """No traceback, and nothing runs."""
    (project / "sites.toml").write_text(REGISTRY.replace("games", user))
    result = run(project, "manage.py", "multihost_as", "aurora", "look")
    assert (result.returncode, result.stdout) == (2, "") and said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_project_behind_a_closed_folder_is_one_sentence(project: Path) -> None:
    """The account that cannot read manage.py is named."""
    project.chmod(0o700)
    result = run(project, "manage.py", "multihost_as", "aurora", "look")
    project.chmod(0o755)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "The account games cannot" in result.stderr


def test_standard_input_is_left_to_the_loop(project: Path) -> None:
    """A loop that reads sites from its input goes on after the first."""
    with (project / "list").open("w+") as file:
        file.write("aurora\nborealis\n")
        file.flush()
        file.seek(0)
        command = [sys.executable, "-m", "wagtail_multihost.as_site", "aurora", "look"]
        subprocess.run(command, cwd=project, env=surroundings(), stdin=file, stdout=subprocess.DEVNULL, check=True)
        assert os.read(file.fileno(), 99) == b"aurora\nborealis\n"


def test_a_command_that_reads_gets_standard_input(project: Path) -> None:
    """The command shell gets what it is to run."""
    result = run(project, "manage.py", "multihost_as", "aurora", "shell", given="print(6*7)\n")
    assert "42" in result.stdout, result.stderr


def test_a_command_at_a_terminal_has_one_of_its_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it writes to is a terminal, and not root's."""
    for name, value in surroundings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    code = "import os; print('ttys', os.isatty(0), os.isatty(1))"
    script = f'cd {project} && exec {sys.executable} -m wagtail_multihost.as_site aurora shell -c "{code}"'
    _, shown, _ = at_terminal(["/bin/sh", "-c", script])
    assert b"ttys True True" in shown


def test_health_of_a_site_is_looked_at_as_its_account(project: Path) -> None:
    """The option --registry is root's, and the site's process need not read it."""
    result = run(project, "manage.py", "multihost_health", "--registry", "sites.toml", "--site", "aurora", "--token")
    assert result.returncode == 0 and len(result.stdout) == 65, result.stderr
