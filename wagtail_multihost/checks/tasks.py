"""The queue of a site's tasks."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.running import own_site
from wagtail_multihost.spec.identifiers import shown

# Those that run a task at once, or drop it, and those whose queue is in the site's own database.
OWN_QUEUES = (
    "django.tasks.backends.dummy.",
    "django.tasks.backends.immediate.",
    "django_tasks.backends.database.",
    "django_tasks.backends.dummy.",
    "django_tasks.backends.immediate.",
    "django_tasks_db.",
)


@register(TAG)
def check_tasks(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W004: a queue that the workers of other sites may read."""
    if own_site() is None:
        return []
    from wagtail_multihost.resolver.tasks import WRAPPED  # only where checks run

    backends = {
        alias: str(options.get(WRAPPED) or options.get("BACKEND"))
        for alias, options in getattr(settings, "TASKS", {}).items()
    }
    return [
        Warning(
            f"TASKS[{shown(alias)}] has the backend {shown(backend)}, whose queue the workers of other sites may read.",
            hint="A worker refuses another site's task, and the task is lost. Give each site its own broker, or "
            "keep tasks in the site's database. The names of queues do not help: Wagtail's tasks go to default.",
            id="wagtail_multihost.W004",
        )
        for alias, backend in backends.items()
        if not backend.startswith(OWN_QUEUES)
    ]
