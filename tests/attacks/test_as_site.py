"""Commands that root runs for a site whose code is hostile."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.accounts import needs_root, passable_folder
from tests.attacks.launching import at_terminal
from tests.commands.conftest import PROJECT
from tests.servers.workshop import open_python

pytestmark = [needs_root, pytest.mark.servers]

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


class Project(NamedTuple):
    """A project in ``folder`` that every account may read, but for its registry, and a Python that all can run."""

    folder: Path
    python: Path

    def words(self, *words: str) -> list[str | Path]:
        return [self.python, *words]

    def run(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python from root's shell."""
        options = {"cwd": self.folder, "env": surroundings(), "input": given}
        return subprocess.run(self.words(*words), **options, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(name="python", scope="module")
def _python() -> Iterator[Path]:
    with passable_folder() as folder:
        yield open_python(folder)


@pytest.fixture
def project(python: Path) -> Iterator[Project]:
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
        yield Project(folder, python)


def surroundings() -> dict[str, str]:
    """Return the variables of root's shell."""
    left_out = ("PYTEST", "MULTIHOST", "DJANGO_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return environ | {"PLATFORM_KEY": KEY}


@pytest.mark.parametrize("program", [["manage.py", "multihost_as"], ["-m", "wagtail_multihost.as_site"]])
def test_the_site_gets_its_own_record_and_nothing_of_roots(project: Project, program: list[str]) -> None:
    """The registry is root's alone; what the site reads in its place is gone afterwards, and has no platform key."""
    result = project.run(*program, "aurora", "look")
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert seen["uid"] == 5 and seen["key"] and seen["listed"] == []
    assert KEY not in result.stdout and "PLATFORM_KEY" not in seen["environ"] and "PYTHONPATH" not in seen["environ"]
    assert seen["registry"].startswith("/run/multihost-run-") and not Path(seen["registry"]).exists()


def test_without_an_account_in_production_nothing_runs_as_root(project: Project) -> None:
    """A site without a folder has no owner to ask: its pickles would be read by root."""
    (project.folder / "data" / "sites" / "aurora").rmdir()
    pins = 'uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"\nnames.database = "a__a"\nnames.role = "a__a"\n'
    pins += 'names.bucket = "a--a"\nnames.key_prefix = "a.a"\nnames.index_prefix = "a_a_"\nnames.socket = "a.sock"\n'
    text = REGISTRY.replace('user = "games"', 'environment = "production"')
    (project.folder / "sites.toml").write_text(f"{text}{pins}")
    result = project.run("manage.py", "multihost_as", "aurora", "look")
    assert (result.returncode, result.stdout) == (2, "") and "No account is stated" in result.stderr
    assert not (project.folder / "data" / "sites" / "aurora").exists()


@pytest.mark.parametrize(("user", "said"), [("nonesuch", "has no account nonesuch"), ("root", "is root")])
def test_accounts_that_are_none_are_one_sentence(project: Project, user: str, said: str) -> None:
    """No traceback, and nothing runs."""
    (project.folder / "sites.toml").write_text(REGISTRY.replace("games", user))
    result = project.run("manage.py", "multihost_as", "aurora", "look")
    assert (result.returncode, result.stdout) == (2, "") and said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_project_behind_a_closed_folder_is_one_sentence(project: Project) -> None:
    """The account that cannot read manage.py is named."""
    project.folder.chmod(0o700)
    result = project.run("manage.py", "multihost_as", "aurora", "look")
    project.folder.chmod(0o755)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "The account games cannot" in result.stderr


def test_standard_input_is_left_to_the_loop(project: Project) -> None:
    """A loop that reads sites from its input goes on after the first."""
    with (project.folder / "list").open("w+") as file:
        file.write("aurora\nborealis\n")
        file.flush()
        file.seek(0)
        command = project.words("-m", "wagtail_multihost.as_site", "aurora", "look")
        subprocess.run(
            command, cwd=project.folder, env=surroundings(), stdin=file, stdout=subprocess.DEVNULL, check=True
        )
        assert os.read(file.fileno(), 99) == b"aurora\nborealis\n"


def test_a_command_that_reads_gets_standard_input(project: Project) -> None:
    """The command shell gets what it is to run."""
    result = project.run("manage.py", "multihost_as", "aurora", "shell", given="print(6*7)\n")
    assert "42" in result.stdout, result.stderr


def test_a_command_at_a_terminal_has_one_of_its_own(project: Project) -> None:
    """What it writes to is a terminal, and not root's."""
    code = "import os; print('ttys', os.isatty(0), os.isatty(1))"
    script = f'cd {project.folder} && exec {project.python} -m wagtail_multihost.as_site aurora shell -c "{code}"'
    _, shown, _ = at_terminal(["/bin/sh", "-c", script], environ=surroundings())
    assert b"ttys True True" in shown


def test_health_of_a_site_is_looked_at_as_its_account(project: Project) -> None:
    """The option --registry is root's, and the site's process need not read it."""
    result = project.run("manage.py", "multihost_health", "--registry", "sites.toml", "--site", "aurora", "--token")
    assert result.returncode == 0 and len(result.stdout) == 65, result.stderr


#: The account of the attacker: neither root nor the site's.
THIRD = "news"
QUICK = ["-m", "wagtail_multihost.as_site"]
#: Instead of manage.py, or of a module that Python looks for: says who runs it.
PLANTED = "import os\nprint('PLANTED', os.getuid())\n"


def given_to(account: str, path: Path, mode: int | None = None) -> Path:
    shutil.chown(path, account, account)
    if mode is not None:
        path.chmod(mode)
    return path


def own_script(folder: Path) -> None:
    given_to(THIRD, folder / "manage.py")


def own_folder(folder: Path) -> None:
    given_to(THIRD, folder)


def own_group(folder: Path) -> None:
    shutil.chown(folder, "root", THIRD)
    folder.chmod(0o775)


def linked_script(folder: Path) -> None:
    """Have manage.py be a link of the attacker's to a file of root's."""
    (folder / "manage.py").rename(folder / "real.py")
    (folder / "manage.py").symlink_to("real.py")
    os.lchown(folder / "manage.py", pwd.getpwnam(THIRD).pw_uid, 0)


def no_script(folder: Path) -> None:
    """Leave the module django to be found in the attacker's folder."""
    (folder / "manage.py").unlink()
    (folder / "django.py").write_text(PLANTED)
    own_folder(folder)


def open_folder(folder: Path) -> None:
    """Plant a module beside a script of root's, where everybody may: Python looks there first."""
    folder.chmod(0o1777)
    (folder / "website.py").write_text(PLANTED)
    given_to(THIRD, folder / "website.py")
    shutil.rmtree(folder / "website")


def own_registry(folder: Path) -> None:
    given_to(THIRD, folder / "sites.toml", 0o644)


def sites_registry(folder: Path) -> None:
    given_to("games", folder / "sites.toml", 0o644)


NAMED, FOUND = ["--registry", "sites.toml"], []


@pytest.mark.parametrize(
    ("attack", "options", "user"),
    [
        *((attack, NAMED, "games") for attack in (own_script, own_folder, own_group, linked_script, no_script)),
        (open_folder, NAMED, "games"),
        *((attack, FOUND, "games") for attack in (own_script, own_folder, own_registry, sites_registry)),
        (own_script, NAMED, ""),
    ],
)
def test_root_starts_nothing_that_a_third_account_can_change(
    project: Project, attack: Callable[[Path], None], options: list[str], user: str
) -> None:
    """What the working folder has would run as the site, or as root where no account is stated."""
    if not user:
        (project.folder / "sites.toml").write_text(REGISTRY.replace('user = "games"\n', ""))
        shutil.rmtree(project.folder / "data")
    attack(project.folder)
    result = project.run(*QUICK, *options, "aurora", "look")
    assert (result.returncode, result.stdout) == (2, ""), result.stdout
    assert "Root starts nothing that other accounts can change" in result.stderr and result.stderr.count("\n") == 1


def test_registry_that_is_not_there_yet_is_nobodys(project: Project) -> None:
    """Between a look at an open folder and the reading, another account can write one there."""
    (project.folder / "sites.toml").unlink()
    project.folder.chmod(0o1777)
    result = project.run(*QUICK, "aurora", "look")
    assert (result.returncode, result.stdout) == (2, ""), result.stdout
    assert "Root starts nothing that other accounts can change" in result.stderr


def test_project_of_the_sites_own_account_is_started(project: Project) -> None:
    """What runs as the account gains nothing by a file that the account has written."""
    for path in (project.folder, project.folder / "manage.py"):
        given_to("games", path)
    result = project.run(*QUICK, "--registry", "sites.toml", "aurora", "look")
    assert result.returncode == 0 and json.loads(result.stdout)["uid"] == 5, result.stderr


def test_module_of_the_working_folder_does_not_run_as_root(project: Project) -> None:
    """A file that is named like a module which the command imports is not found."""
    for name in ("__future__", "argparse", "tomllib", "secrets", "tempfile"):
        (project.folder / f"{name}.py").write_text("print('PLANTED', flush=True)\nraise SystemExit(9)\n")
    result = project.run(*QUICK, "--help")
    assert (result.returncode, "PLANTED" in result.stdout) == (0, False), result.stdout + result.stderr


@pytest.mark.parametrize("words", [QUICK, ["MANAGE", "multihost_as"]])
@pytest.mark.parametrize("is_named", [True, False])
def test_working_folder_that_is_gone_is_one_sentence(project: Project, words: list[str], is_named: bool) -> None:
    """A shell that stands in a folder that was deleted gets no traceback."""
    options = ["--registry", str(project.folder / "sites.toml")] if is_named else []
    command = [str(project.folder / "manage.py") if word == "MANAGE" else word for word in words]
    script = 'mkdir gone && cd gone && rmdir "$PWD" && exec "$0" "$@"'
    result = subprocess.run(
        ["/bin/sh", "-c", script, project.python, *command, *options, "aurora", "look"],
        cwd=project.folder,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout, "Traceback" in result.stderr) == (2, "", False), result.stderr
    assert "The working folder no longer exists" in result.stderr
