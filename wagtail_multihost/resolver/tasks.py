"""TASKS."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.resolver.setting import Project, Setting, aliases_of

TASKS = "TASKS"
SITE_TASKS = "wagtail_multihost.backends.tasks.site_task_backend"
#: The key of an alias under which the project's backend stays.
WRAPPED = "SITE_TASKS_OF"


def task_settings(project: Project) -> Iterator[Setting]:
    """
    Yield TASKS of the project with every backend wrapped, so that its tasks carry their site. Nothing where the project
    has none: Django then runs tasks at once, in the same process.
    """
    aliases = aliases_of(project, TASKS)
    for options in aliases.values():
        if isinstance(options.get("BACKEND"), str) and options["BACKEND"] != SITE_TASKS:
            options[WRAPPED], options["BACKEND"] = options["BACKEND"], SITE_TASKS
    if aliases:
        yield Setting(TASKS, aliases, "the project's backends, whose tasks carry the site's uid", "")
