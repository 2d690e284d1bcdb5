"""A small project in a temporary folder, and its ``manage.py``."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

KEY = "a-platform-key-that-is-never-printed-0123456789"
PASSWORD = "a-password-that-is-never-printed"
REGISTRY = f"""\
# The registry of the tests.
[platform]
name = "aviary"
secret_key = "{KEY}"

[sites.aurora]
hostnames = ["aurora.example.org", "www.aurora.example.org"]
aliases = ["aurora.example.net"]

[sites.borealis]
hostnames = ["borealis.example.org"]
database = {{ engine = "postgresql", host = "db.internal", password = "{PASSWORD}" }}

[sites.corona]
hostnames = ["corona.example.org"]
enabled = false
"""
BROKEN = REGISTRY + f'[sites.Draco]\nhostnames = ["draco"]\n[sites.eridanus]\ndatabase = "mysql://u:{PASSWORD}@h/d"\n'
MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")
execute_from_command_line(sys.argv)
"""
SETTINGS = """\
from pathlib import Path

from wagtail_multihost.resolver import resolve

BASE_DIR = Path(__file__).resolve().parent.parent
INSTALLED_APPS = ["website", "wagtail_multihost", "django.contrib.contenttypes", "django.contrib.staticfiles"]
MIDDLEWARE = ["wagtail_multihost.health.middleware.HealthMiddleware"]
ROOT_URLCONF = "website.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
STATIC_ROOT = BASE_DIR / "static"
STATIC_URL = "static/"
USE_TZ = True

resolve(BASE_DIR / "sites.toml").apply(globals())
"""
MODELS = """\
from django.db import models


class Page(models.Model):
    id = models.BigAutoField(primary_key=True)
"""
TESTS = """\
from django.test import TestCase

from website.models import Page


class PageTests(TestCase):
    def test_page(self):
        Page.objects.create()
        self.assertEqual(self.client.get("/-/ready/").status_code, 200)
"""
PROBE = """\
import json
import os
import signal
import sys

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def run_from_argv(self, argv):
        print(json.dumps({"site": os.environ["MULTIHOST_SITE"], "hosts": settings.ALLOWED_HOSTS, "argv": argv[2:]}))
        if "kill" in argv:
            os.kill(os.getpid(), signal.SIGTERM)
        sys.exit(int(argv[-1]) if argv[-1].isdigit() else 0)
"""
PROJECT = {
    "manage.py": MANAGE,
    "website/__init__.py": "",
    "website/settings.py": SETTINGS,
    "website/overridden.py": 'from website.settings import *\n\nALLOWED_HOSTS = ["*"]\nSECRET_KEY = "set again"\n',
    "website/urls.py": "urlpatterns = []\n",
    "website/models.py": MODELS,
    "website/tests.py": TESTS,
    "website/static/website.css": "p {}\n",
    "website/migrations/__init__.py": "",
    "website/management/__init__.py": "",
    "website/management/commands/__init__.py": "",
    "website/management/commands/probe.py": PROBE,
    "sites.toml": REGISTRY,
}
Manage = Callable[..., subprocess.CompletedProcess[str]]
Called = tuple[int, str, str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three sites, one of them disabled."""
    for name, text in PROJECT.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "project"


@pytest.fixture
def manage(project: Path) -> Manage:
    """Run the project's manage.py as an operator does, with no site named unless ``environ`` says so."""

    def run(
        *arguments: str, environ: Mapping[str, str] | None = None, answer: str = ""
    ) -> subprocess.CompletedProcess[str]:
        # A variable of pytest makes every process below it a test run, with a site of its own.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST", "MULTIHOST_S", "MULTIHOST_P", "MULTIHOST_R", "DJANGO_"))
        }
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=project,
            env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **(environ or {})},
            input=answer,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """A registry of three sites, one of them disabled."""
    path = tmp_path / "sites.toml"
    path.write_text(REGISTRY, encoding="utf-8")
    return path


@pytest.fixture
def call(registry: Path) -> Callable[..., Called]:
    """Call a command in this process with ``--registry``; return its exit code, output and report."""

    def run(*arguments: str | Path, **options: object) -> Called:
        out, err = io.StringIO(), io.StringIO()
        name, *rest = (str(argument) for argument in arguments)
        try:
            call_command(name, "--registry", str(registry), *rest, stdout=out, stderr=err, **options)
        except CommandError as error:
            return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
        return 0, out.getvalue(), err.getvalue()

    return run
