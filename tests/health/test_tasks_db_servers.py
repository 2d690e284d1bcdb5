"""The probe of waiting tasks, with django-tasks-db itself."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.servers


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other accounts may pass."""
    path = Path(tempfile.mkdtemp(prefix="mh-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


QUEUE_SETTINGS = """
INSTALLED_APPS = ["django_tasks_db"]
DATABASES = {{"default": {database}}}
TASKS = {{"default": {{"BACKEND": "django_tasks_db.DatabaseBackend"}}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "tests"
USE_TZ = True
"""
QUEUE_SCRIPT = """
import json
from datetime import timedelta
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult, get_date_max
from wagtail_multihost.health.options import read_probe

call_command("migrate", verbosity=0)
now = timezone.now()

def add(queue, age, status="READY", run_after=None):
    task = DBTaskResult.objects.create(queue_name=queue, backend_name="default", status=status, task_path="hunter2",
        args_kwargs={"args": [], "kwargs": {}}, run_after=get_date_max() if run_after is None else run_after,
        exception_class_path="", traceback="")
    DBTaskResult.objects.filter(pk=task.pk).update(enqueued_at=now - timedelta(seconds=age))

def measured(**options):
    path = "wagtail_multihost.health.contrib.tasks_db.TaskQueueProbe"
    found = list(read_probe("tasks", {"BACKEND": path, "OPTIONS": options}).measure())
    return [[str(one.status), one.code, one.value, one.unit, one.subject] for one in found]

results = {"empty": measured(), "empty_named": measured(queues=["mail"])}
add("default", 30)
add("default", 200)
add("mail", 5000, status="RUNNING")
add("mail", 5000, status="SUCCESSFUL")
add("later", 5000, run_after=now + timedelta(hours=1))
add("due", 5000, run_after=now - timedelta(seconds=100))
add("past", 70, run_after=now - timedelta(days=9))
add("old", 1000)
results["all"] = measured(warn_waiting=1)
results["named"] = measured(queues=["default", "mail"])
results["connected"] = connection.connection is not None
print(json.dumps(results))
"""


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_tasks_that_wait_are_told(folder: Path, engine: str) -> None:
    """The oldest task that could run counts, by queue, and the number of them; the connection is closed."""
    with contextlib.ExitStack() as servers:
        database: dict[str, Any] = {"ENGINE": f"django.db.backends.{engine}3", "NAME": str(folder / "queue.sqlite3")}
        if engine == "postgresql":
            from tests.servers.postgres import running_postgres  # with SQLite nothing but the extra is needed

            postgres = servers.enter_context(running_postgres(folder / "postgres"))
            database = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres"}
            database |= {"PASSWORD": postgres.password, "HOST": "127.0.0.1", "PORT": postgres.port}
        found = queue_results(folder, database)
    assert found["empty"] == [["pass", "ok", 0, "seconds", ""]]
    assert found["empty_named"] == [["pass", "ok", 0, "seconds", "mail"], ["pass", "ok", 0, "tasks", "mail"]]
    lags = {subject: (status, code, value) for status, code, value, unit, subject in found["all"] if unit == "seconds"}
    expected = {"old": 1000, "default": 200, "due": 100, "past": 70}
    assert list(lags) == list(expected)
    for subject, (status, code, value) in lags.items():
        assert (status, code) == ("fail" if subject == "old" else "warn", "lagging")
        assert expected[subject] <= value < expected[subject] + 300
    lengths = [row for row in found["all"] if row[3] == "tasks"]
    assert ["warn", "crowded", 2, "tasks", "default"] in lengths and ["pass", "ok", 1, "tasks", "old"] in lengths
    assert {row[4] for row in found["named"]} == {"default", "mail"}
    assert not found["connected"] and "hunter2" not in str(found)


def queue_results(folder: Path, database: dict[str, Any]) -> Any:
    (folder / "settings_of_queue.py").write_text(QUEUE_SETTINGS.format(database=database))
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings_of_queue", "PYTHONPATH": os.pathsep.join(paths)}
    environ["PYTHONWARNINGS"] = "error"
    completed = subprocess.run(
        [sys.executable, "-c", QUEUE_SCRIPT], cwd=folder, env=environ, check=False, capture_output=True, text=True
    )
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)
