"""A task of a project, as django-tasks makes it under the TASKS of whoever imports this."""

from __future__ import annotations

from django_tasks import task

done: list[str] = []


@task()
def publish(pk: str) -> None:
    done.append(pk)
