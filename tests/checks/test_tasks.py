"""The check of tasks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.conftest import Serve, ids_of
from wagtail_multihost.checks.tasks import check_tasks
from wagtail_multihost.resolver.tasks import task_settings
from wagtail_multihost.spec.site import SiteSpec

RQ = "django_tasks.backends.rq.RQBackend"


@pytest.mark.parametrize("backend", [RQ, "django_tasks_rq.RQBackend", "project.tasks.Backend"])
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_queue_outside_the_site_is_w004(aurora: SiteSpec, settings: Any, backend: str, is_wrapped: bool) -> None:
    """A broker that other sites may use too is warned about, before and after the resolver wraps the backend."""
    tasks: Any = {"default": {"BACKEND": backend}}
    settings.TASKS = next(task_settings({"TASKS": tasks})).value if is_wrapped else tasks
    messages = check_tasks(None)
    assert ids_of(messages) == ["W004"]
    assert repr(backend) in messages[0].msg


@pytest.mark.parametrize(
    "backend",
    [
        "django.tasks.backends.immediate.ImmediateBackend",
        "django.tasks.backends.dummy.DummyBackend",
        "django_tasks.backends.database.DatabaseBackend",
        "django_tasks.backends.dummy.DummyBackend",
        "django_tasks.backends.immediate.ImmediateBackend",
        "django_tasks_db.DatabaseBackend",
    ],
)
def test_queue_of_the_site_is_quiet(aurora: SiteSpec, settings: Any, backend: str) -> None:
    """Tasks that run at once, or that wait in the site's database, have no message."""
    settings.TASKS = {"default": {"BACKEND": backend}}
    assert check_tasks(None) == []


def test_each_queue_is_named(aurora: SiteSpec, settings: Any) -> None:
    """Messages name the alias that they are about, and a project without tasks has none."""
    own = {"BACKEND": "django_tasks_db.DatabaseBackend"}
    settings.TASKS = {"default": own, "first": {"BACKEND": RQ}, "second": {}}
    assert [message.msg.split()[0] for message in check_tasks(None)] == ["TASKS['first']", "TASKS['second']"]
    del settings.TASKS
    assert check_tasks(None) == []


def test_queue_of_no_site_is_quiet(serve: Serve, settings: Any) -> None:
    """In build mode nothing is queued."""
    serve(None)
    settings.TASKS = {"default": {"BACKEND": RQ}}
    assert check_tasks(None) == []
