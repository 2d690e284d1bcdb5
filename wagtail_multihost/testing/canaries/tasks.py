"""Tasks in every queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Wagtail imports django_tasks, with every version of Django.
from django_tasks import task, task_backends
from django_tasks.base import DEFAULT_TASK_QUEUE_NAME
from django_tasks.exceptions import TaskResultDoesNotExist

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.testing.canaries.base import Canary, Crossing


@task()
def return_token(token: str) -> str:
    """Return the token: a task that a worker could run."""
    return token


class TasksCanary(Canary):
    """
    A task, enqueued in every alias of TASKS. The other site looks for it, and runs it as a worker would: it must not
    be there, or must be refused. Queues that are not backends of Django's tasks (Celery, RQ) need a canary of the
    project's own.
    """

    name = "tasks"

    def plant(self, token: str) -> dict[str, str]:
        return {alias: enqueue(alias, token) for alias in task_backends}

    def crossed(self, token: str, planted: dict[str, str]) -> Iterator[Crossing]:
        for alias in task_backends:
            if any(run_task(find_result(alias, result)) for result in planted.values()):
                yield Crossing(f'TASKS["{alias}"]', "The task is in the queue, and a worker runs it.")


def enqueue(alias: str, token: str) -> str:
    queues = task_backends[alias].queues
    queue = min(queues) if queues and DEFAULT_TASK_QUEUE_NAME not in queues else DEFAULT_TASK_QUEUE_NAME
    return str(return_token.using(backend=alias, queue_name=queue).enqueue(token).id)


def find_result(alias: str, result: str) -> Any:
    """Return the result of a task, with the task and its arguments; None if there is none or the queue cannot tell."""
    try:
        return task_backends[alias].get_result(result)
    except (TaskResultDoesNotExist, NotImplementedError):
        return None


def run_task(result: Any) -> bool:
    if result is None:
        return False
    try:
        result.task.call(*result.args, **result.kwargs)
    except IdentityError:
        return False
    return True
