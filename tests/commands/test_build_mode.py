"""Django's own commands with no site named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.conftest import Manage
from wagtail_multihost.backends.build_mode import MESSAGE


@pytest.mark.parametrize("command", [("migrate",), ("dumpdata",), ("dbshell",)])
def test_command_that_needs_a_database_says_what_to_do(manage: Manage, command: tuple[str, ...]) -> None:
    """It fails, and the last line says that no site is named and how to name one."""
    result = manage(*command)
    assert result.returncode != 0
    assert result.stderr.strip().splitlines()[-1].endswith(MESSAGE)


def test_commands_that_need_no_database_work(manage: Manage, project: Path) -> None:
    """Static files are collected, migrations made and compared, and the project is checked."""
    assert manage("makemigrations", "website").returncode == 0
    assert manage("makemigrations", "--check").returncode == 0
    assert manage("collectstatic", "--noinput").returncode == 0
    assert (project / "static/website.css").exists()
    checked = manage("check")
    assert (checked.returncode, "no issues" in checked.stdout) == (0, True), checked.stderr
    assert not (project / "db.sqlite3").exists() and not (project / "data").exists()


def test_migrations_of_a_postgresql_project_need_no_server(manage: Manage, project: Path) -> None:
    """Migrations are made and compared where the project's server is not even reachable."""
    settings = project / "website/settings.py"
    address = '{"ENGINE": "django.db.backends.postgresql", "NAME": "dev", "HOST": "192.0.2.1"}'
    text = settings.read_text()
    start, end = text.index('{"ENGINE"'), text.index("}}\n")
    text = text[:start] + address + text[end + 1 :]
    settings.write_text(text.replace('"website", ', '"website", "django.contrib.postgres", '))
    assert manage("makemigrations", "website").returncode == 0
    result = manage("makemigrations", "--check")
    assert result.returncode == 0, result.stderr
    assert MESSAGE in result.stderr


def test_check_of_changed_migrations_fails(manage: Manage) -> None:
    """A model without its migration is found with no site named."""
    assert manage("makemigrations", "--check").returncode == 1


def test_test_runner_has_a_site_of_its_own(manage: Manage, project: Path) -> None:
    """The project's tests run on a throw-away database, and leave nothing."""
    manage("makemigrations", "website")
    result = manage("test")
    assert (result.returncode, "Ran 1 test" in result.stderr) == (0, True), result.stderr
    assert not (project / "db.sqlite3").exists() and not (project / "data").exists()


def test_site_has_its_own_database(manage: Manage, project: Path) -> None:
    """With a site named, migrate makes that site's database."""
    result = manage("migrate", environ={"MULTIHOST_SITE": "aurora"})
    assert result.returncode == 0, result.stderr
    assert (project / "data/sites/aurora/db.sqlite3").stat().st_size > 0


HANDLER = "from django.core.wsgi import get_wsgi_application; get_wsgi_application()"
REQUEST = f"{HANDLER}; from django.test import Client; Client().get('/-/live')"


def test_server_without_a_site_does_not_start(project: Path) -> None:
    """A server's entry point raises before it could answer anybody."""
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith(("PYTEST", "MULTIHOST"))}
    variables = {"PYTHONPATH": os.pathsep.join(sys.path), "DJANGO_SETTINGS_MODULE": "website.settings"}
    result = subprocess.run(
        [sys.executable, "-c", HANDLER],
        cwd=project,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode != 0
    assert "MULTIHOST_SITE" in result.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(("code", "is_refused"), [(HANDLER, False), (REQUEST, True)])
def test_command_without_a_site_has_a_handler_that_answers_nothing(manage: Manage, code: str, is_refused: bool) -> None:
    """A command may load what a server does, and its first request is refused."""
    result = manage("shell", "--no-imports", "-c", code)
    assert (result.returncode != 0) is is_refused
    assert ("Set MULTIHOST_SITE" in result.stderr) is is_refused


def test_settings_set_again_are_found(manage: Manage) -> None:
    """A module that sets values after apply gets an error for each, without its value."""
    result = manage("check", "--settings", "website.overridden", environ={"MULTIHOST_SITE": "aurora"})
    assert result.returncode == 1
    assert {line.split()[2] for line in result.stderr.splitlines() if "wagtail_multihost.E002" in line} == {
        "ALLOWED_HOSTS",
        "SECRET_KEY",
    }
    assert "wagtail_multihost.E003" in result.stderr
    assert "set again'" not in result.stderr
