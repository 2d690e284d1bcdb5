"""
Projects of the usual layouts, before and after their move onto the resolver.

The files are those that docs/how-to/move-an-existing-project.md shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MOVED = HERE.parents[1] / "docs" / "examples" / "moved.toml"
LAYOUTS = ("single", "split", "environ", "configurations")
SITES = {"aurora": "www.aurora.example.org", "borealis": "www.borealis.example.org"}
OLD_KEY = "the-key-that-the-project-had-0123456789-0123456789"
# What the old project's process has in its environment. The moved one has it too, and must not take a site's part.
VARIABLES = {
    "SECRET_KEY": OLD_KEY,
    "DJANGO_SECRET_KEY": OLD_KEY,
    "DATABASE_PASSWORD": "secret-of-the-old-database",
    "DATABASE_URL": "postgresql://old:secret-of-the-old-database@old.internal:5432/old",
    "PGHOST": "old.internal",
    "PGPASSWORD": "secret-of-the-old-database",
    "REDIS_URL": "redis://:secret-of-the-cache@cache.internal:6379/0",
    "ELASTICSEARCH_URL": "https://wagtail:secret-of-the-search@search.internal:9200",
    "EMAIL_HOST_PASSWORD": "secret-of-the-mail",
    "AWS_ACCESS_KEY_ID": "secret-of-the-old-bucket",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-old-bucket",
}
# In settings alone: where the project calls Sentry, an address would be needed that can be imported.
DSN = "https://secret-of-sentry@sentry.example.org/1"


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own."""

    folder: Path
    settings: str
    variables: dict[str, str]

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the project's folder, with no site named unless ``environ`` says so."""
        # A variable of pytest makes every process below it a test run, with a site of its own.
        left_out = ("PYTEST", "MULTIHOST_S", "MULTIHOST_P", "MULTIHOST_R", "DJANGO_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        own = {"PYTHONPATH": os.pathsep.join(sys.path), "DJANGO_SETTINGS_MODULE": self.settings}
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**inherited, **own, **self.variables, **environ},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def manage(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the project's manage.py."""
        return self.run("manage.py", *words, **environ)


def made(layout: str, form: str, folder: Path) -> Project:
    """Return the project of ``layout`` in its form ``before`` or ``after``, in a new ``folder``."""
    own = HERE / layout
    for source, target in ((HERE / "shared", "."), (own / "shared", "."), (own / form, "website")):
        if source.is_dir():
            shutil.copytree(source, folder / target, dirs_exist_ok=True)
    dotenv = folder / "website" / "dotenv"
    if dotenv.exists():
        dotenv.rename(folder / ".env")
    settings = "website.settings.production" if layout == "split" else "website.settings"
    variables = VARIABLES if layout == "environ" or layout == "single" else {**VARIABLES, "SENTRY_DSN": DSN}
    return Project(folder, settings, variables)


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def before(layout: str, tmp_path: Path) -> Project:
    """The project before the change."""
    return made(layout, "before", tmp_path / "before")


@pytest.fixture
def after(layout: str, tmp_path: Path) -> Project:
    """The project on the resolver."""
    return made(layout, "after", tmp_path / "after")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both sites' data and migrated databases: migrating for every layout would take a minute."""
    project = made("single", "after", tmp_path_factory.mktemp("migrated") / "project")
    for site in SITES:
        result = project.manage("multihost_as", site, "migrate")
        assert result.returncode == 0, result.stderr
    return project.folder / "data"
