"""Finding 11 and the foreign worker: tasks of sites that share a queue."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from django.test import override_settings
from django_tasks import default_task_backend
from django_tasks.exceptions import InvalidTaskError
from wagtail.tasks import delete_file_from_storage_task

from tests.findings import tasks
from tests.findings.conftest import SettingsOf
from wagtail_multihost.exceptions import IdentityError

QUEUE = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend", "QUEUES": ["default"]}}


def queued(settings: dict[str, Any]) -> tuple[ModuleType, dict[str, Any]]:
    """Return a project's tasks as its process imports them, and the arguments that it queues for one."""
    with override_settings(TASKS=settings["TASKS"]):
        project = importlib.reload(tasks)
        project.publish.enqueue("7")
        (result,) = default_task_backend.results
    return project, {"args": result.args, "kwargs": result.kwargs}


def work(project: ModuleType, row: dict[str, Any]) -> Callable[[], None]:
    """Return what a worker calls when it takes ``row`` off the queue."""
    return lambda: project.publish.func(*row["args"], **row["kwargs"])


def test_worker_refuses_a_task_of_another_site(settings_of: SettingsOf) -> None:
    """On a shared queue a stock worker does whatever it takes, on its own rows; a site's does its own tasks only."""
    stock, row = queued({"TASKS": QUEUE})
    work(stock, row)()
    assert stock.done == ["7"]
    own, row = queued(settings_of("aurora", project={"TASKS": QUEUE}))
    work(own, row)()
    assert own.done == ["7"]
    settings_of("borealis", project={"TASKS": QUEUE})
    with pytest.raises(IdentityError) as caught:
        work(own, row)()
    assert own.done == ["7"]
    assert "aurora" in str(caught.value) and "borealis" in str(caught.value)


def test_queue_of_a_sites_own_name_is_not_accepted_by_wagtail(settings_of: SettingsOf) -> None:
    """Wagtail's tasks belong to the queue ``default``: a queue per site is refused, and the resolver makes none."""
    backend = {"BACKEND": "django_tasks.backends.dummy.DummyBackend", "QUEUES": ["site_a"]}
    arguments = (("storage", (), {}), "a.png")
    with override_settings(TASKS={"default": backend}), pytest.raises(InvalidTaskError):
        delete_file_from_storage_task.enqueue(*arguments)
    with override_settings(TASKS=settings_of("aurora", project={"TASKS": QUEUE})["TASKS"]):
        delete_file_from_storage_task.enqueue(*arguments)
        assert len(default_task_backend.results) == 1
