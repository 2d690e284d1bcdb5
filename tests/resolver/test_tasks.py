"""TASKS."""

from __future__ import annotations

import pytest

from tests.resolver.conftest import values_of
from wagtail_multihost.resolver.inert import ephemeral_site
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.tasks import SITE_TASKS, WRAPPED, task_settings

QUEUE = {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"], "OPTIONS": {"a": 1}}


def test_tasks_of_every_alias_are_wrapped() -> None:
    """Each backend of the project stays with its options, behind the one that stamps; the project is not written to."""
    project: dict[str, object] = {"TASKS": {"default": QUEUE, "other": {"BACKEND": "a.B"}}}
    assert values_of(task_settings(project)) == {
        "TASKS": {
            "default": {**QUEUE, "BACKEND": SITE_TASKS, WRAPPED: QUEUE["BACKEND"]},
            "other": {"BACKEND": SITE_TASKS, WRAPPED: "a.B"},
        }
    }
    assert project == {"TASKS": {"default": QUEUE, "other": {"BACKEND": "a.B"}}}


@pytest.mark.parametrize("project", [{}, {"TASKS": {}}, {"TASKS": None}])
def test_tasks_of_a_project_without_any_stay_unset(project: dict[str, object]) -> None:
    """Without TASKS Django's default runs a task at once, in the process of its site."""
    assert values_of(task_settings(project)) == {}


def test_tasks_of_a_test_run_are_the_projects() -> None:
    """Tests of a project find the arguments that they gave in the results."""
    platform, site, folder = ephemeral_site()
    names = {
        setting.name for setting in ResolvedSettings(platform, site, folder).settings({"TASKS": {"default": QUEUE}})
    }
    assert "TASKS" not in names and "CACHES" in names
    folder.cleanup()
