"""Tasks that say whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from uuid import UUID

import django_tasks
import pytest
from django.test import override_settings
from django.utils.module_loading import import_string

from wagtail_multihost import running
from wagtail_multihost.backends.tasks import STAMP, site_task_backend
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.resolver.tasks import SITE_TASKS, WRAPPED

Become = Callable[..., None]
OTHER = UUID("00000000-0000-5000-8000-000000000001")
OWN = {"site": "aurora", "uid": "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"}
FOREIGN = {"site": "borealis", "uid": str(OTHER)}
# Django has them since 6.0; Wagtail uses the package.
PACKAGES = ["django_tasks", *(["django.tasks"] if find_spec("django.tasks") else [])]


def add(one: int, other: int = 0) -> int:
    """Add two numbers."""
    return one + other


def attempt_of(context: Any, one: int) -> list[int]:
    return [context.attempt, one]


async def add_later(one: int, other: int = 0) -> int:
    return one + other


def backend_of(package: str, name: str) -> Any:
    path = f"{package}.backends.{name.lower()}.{name}Backend"
    return site_task_backend("default", {"BACKEND": SITE_TASKS, WRAPPED: path, "QUEUES": ["default"]})


def task_of(backend: Any, function: Any, **fields: Any) -> Any:
    # What @task gives; Django 6.0 has no defaults for them.
    given = {"priority": 0, "backend": "default", "queue_name": "default", "run_after": None}
    return backend.task_class(func=function, **{**given, **fields})


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_task_runs_at_once_with_its_own_arguments(become: Become, package: str) -> None:
    """The immediate backend runs sync and async tasks, and the function gets what the caller gave."""
    become()
    backend = backend_of(package, "Immediate")
    assert backend.enqueue(task_of(backend, add), (1,), {"other": 2}).return_value == 3
    assert backend.enqueue(task_of(backend, add_later), (1,), {"other": 2}).return_value == 3
    assert backend.enqueue(task_of(backend, attempt_of, takes_context=True), (5,), {}).return_value == [1, 5]
    assert asyncio.run(backend.aenqueue(task_of(backend, add), (1,), {})).return_value == 1


def test_queued_task_has_the_uid_of_its_site(become: Become, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a queue keeps says whose it is; the caller's own table of arguments stays as it was."""
    become()
    backend = backend_of(package, "Dummy")
    own = {"other": 2}
    task = task_of(backend, add)
    monkeypatch.setattr(f"{__name__}.add", task)  # where a decorator leaves it, and Django looks for it
    backend.enqueue(task, (1,), own)
    asyncio.run(backend.aenqueue(task, (1,), own))
    assert [result.kwargs for result in backend.results] == [{"other": 2, STAMP: OWN}] * 2
    assert own == {"other": 2}


@pytest.mark.parametrize("function", [add, add_later])
def test_task_of_another_site_is_refused(become: Become, package: str, function: Any) -> None:
    """However a worker calls the function, it does not run with another site's stamp; the error names both."""
    become()
    task = task_of(backend_of(package, "Immediate"), function)
    calls: list[Callable[[], Any]] = [
        lambda: task.call(1, **{STAMP: FOREIGN}),
        lambda: asyncio.run(task.acall(1, **{STAMP: FOREIGN})),
        lambda: task.func(1, **{STAMP: FOREIGN}),
    ]
    if function is add_later:
        calls[2] = lambda: asyncio.run(task.func(1, **{STAMP: FOREIGN}))
    for call in calls:
        with pytest.raises(IdentityError, match=r"borealis.*aurora"):
            call()


@pytest.mark.parametrize("stamp", ["", "aurora", {"site": "aurora"}, {"site": "aurora", "uid": str(OTHER)}, []])
def test_task_with_another_uid_or_a_broken_stamp_is_refused(become: Become, package: str, stamp: Any) -> None:
    """An id says nothing, since ids are used again; only the uid does."""
    become()
    task = task_of(backend_of(package, "Immediate"), add)
    with pytest.raises(IdentityError):
        task.call(1, **{STAMP: stamp})


def test_task_of_the_own_site_and_one_without_a_stamp_run(become: Become, package: str) -> None:
    """A worker runs what its own site has queued; code may call a task's function itself."""
    become()
    task = task_of(backend_of(package, "Immediate"), add)
    assert (task.call(1, **{STAMP: OWN}), task.call(1), task.func(1, 2)) == (1, 1, 3)


def test_task_of_a_worker_without_a_site_is_refused(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """A process that has no site runs nobody's tasks."""

    monkeypatch.setattr(running, "_current", None)
    with pytest.raises(IdentityError, match="no site"):
        task_of(backend_of(package, "Immediate"), add).call(1, **{STAMP: OWN})


def test_failed_task_says_why(become: Become, package: str) -> None:
    """A foreign task is recorded as failed, with the reason."""
    become()
    backend = backend_of(package, "Immediate")
    task = task_of(backend, add)
    queue = super(type(backend), backend).enqueue  # past our stamp
    failed = queue(task=task, args=(1,), kwargs={STAMP: FOREIGN})
    assert failed.errors[0].exception_class is IdentityError


def test_task_keeps_its_name_and_signature(become: Become, package: str) -> None:
    """Queues find tasks by their path, and tasks are of the package's own class."""
    become()
    task = task_of(backend_of(package, "Dummy"), add)
    assert (task.name, task.module_path, task.func.__doc__) == ("add", f"{__name__}.add", "Add two numbers.")
    assert type(task) is import_string(f"{package}.base.Task")
    assert task.using(queue_name="default").func is task.func


def test_wrapped_backend_is_an_instance_of_the_projects(become: Become, package: str) -> None:
    """Workers ask for their own class, and the project's options reach it without ours."""
    become()
    backend = backend_of(package, "Dummy")
    assert isinstance(backend, import_string(f"{package}.backends.dummy.DummyBackend"))
    assert (type(backend).__name__, backend.alias, backend.queues) == ("DummyBackend", "default", {"default"})


def test_tasks_of_wagtail_run_through_settings(become: Become) -> None:
    """A task that is declared as Wagtail does is run, or stamped and queued."""
    become()
    tasks = {
        alias: {"BACKEND": SITE_TASKS, WRAPPED: f"django_tasks.backends.{name}.{name.title()}Backend"}
        for alias, name in (("default", "immediate"), ("later", "dummy"))
    }
    with override_settings(TASKS=tasks):
        declared = django_tasks.task()(add)
        assert declared.enqueue(1, other=2).return_value == 3
        later = declared.using(backend="later").enqueue(1)
        assert later.kwargs == {STAMP: OWN}
        assert list(django_tasks.default_task_backend.check()) == []
