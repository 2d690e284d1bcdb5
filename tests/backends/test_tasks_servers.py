"""A queue of tasks in a real PostgreSQL, with django-tasks-db and its worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.postgres import Postgres, running_postgres

pytestmark = pytest.mark.servers

SITES = ("aurora", "borealis")
SETTINGS = """
from wagtail_multihost.resolver import resolve

INSTALLED_APPS = ["django_tasks_db"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
USE_TZ = True
LOGGING = {"version": 1, "handlers": {"file": {"class": "logging.FileHandler", "filename": "tasks.log"}}}
resolve().apply(globals())
"""
TASKS = """
from pathlib import Path
try:
    from django.tasks import task
except ImportError:
    from django_tasks import task

@task()
def touch(name):
    Path(name).touch()
"""
REGISTRY = """
[platform]
name = "aviary"
secret_key = "a-platform-key-0123456789-0123456789-0123456789"
[platform.database]
engine = "postgresql"
host = "127.0.0.1"
port = {port}
"""
SITE = """
[sites.{site}]
hostnames = ["{site}.example.org"]
database = {{ password = "{password}" }}
"""
ENQUEUE = "import sys; from tasks_of_project import touch; touch.enqueue(sys.argv[1])"
DUMP = """
import json
from django.core import serializers
from django_tasks_db.models import DBTaskResult
print(serializers.serialize("json", DBTaskResult.objects.all()))
"""
LOAD = """
import sys
from django.core import serializers
for row in serializers.deserialize("json", sys.argv[1]):
    row.save()
"""
HEAD = "import django; django.setup()\n"


class Project:
    """A project with two sites on one PostgreSQL, and its processes."""

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self.folder = folder
        text = REGISTRY.format(port=postgres.port)
        for site in SITES:
            name = f"aviary__{site}"
            postgres.add_role(name, "a-password")
            postgres.add_database(name, name)
            text += SITE.format(site=site, password="a-password")
        (folder / "sites.toml").write_text(text)
        (folder / "sites.toml").chmod(0o600)
        (folder / "settings_of_project.py").write_text(SETTINGS)
        (folder / "tasks_of_project.py").write_text(TASKS)

    def run(self, site: str, *words: str) -> str:
        paths = [str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        environ = {"DJANGO_SETTINGS_MODULE": "settings_of_project", "MULTIHOST_SITE": site, "PATH": os.environ["PATH"]}
        environ["PYTHONPATH"] = os.pathsep.join(paths)
        completed = subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=environ, check=False, capture_output=True, text=True
        )
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def python(self, site: str, code: str, *arguments: str) -> str:
        return self.run(site, "-c", HEAD + code, *arguments)

    def work(self, site: str) -> list[dict[str, object]]:
        """Run a worker until the queue of a site is empty; return the rows of the queue."""
        self.run(site, "-m", "django", "db_worker", "--batch", "--no-startup-delay")
        return [row["fields"] for row in json.loads(self.python(site, DUMP))]


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    folder.chmod(0o755)
    try:
        with running_postgres(folder / "postgres") as postgres:
            own = Project(folder, postgres)
            for site in SITES:
                own.run(site, "-m", "django", "migrate", "-v0")
            yield own
    finally:
        shutil.rmtree(folder)


def test_task_that_got_into_another_sites_queue_is_not_run(project: Project, tmp_path: Path) -> None:
    """A worker runs what its own site has queued, and records another site's task as failed, with both names."""
    touched = tmp_path / "touched"
    project.python("aurora", ENQUEUE, str(touched))
    queue = project.python("aurora", DUMP)
    assert json.loads(queue)[0]["fields"]["args_kwargs"]["kwargs"]["_multihost_site"]["site"] == "aurora"

    project.python("borealis", LOAD, queue)
    (foreign,) = project.work("borealis")
    assert (foreign["status"], touched.exists()) == ("FAILED", False)
    assert foreign["exception_class_path"] == "wagtail_multihost.exceptions.IdentityError"
    assert "aurora" in str(foreign["traceback"]) and "the site borealis" in str(foreign["traceback"])
    assert "a-password" not in str(foreign)

    (own,) = project.work("aurora")
    assert (own["status"], touched.exists()) == ("SUCCESSFUL", True)
