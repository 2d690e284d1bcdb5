"""How long tasks of the package django-tasks-db wait. Needs the extra ``tasks``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple

from django.db import router
from django.db.models import Case, Count, F, Min, When
from django.db.models.functions import Greatest
from django.utils import timezone

from wagtail_multihost.health.hostnames import check_texts
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.probes.connection import thread_connection
from wagtail_multihost.health.status import Criticality

if find_spec("django_tasks_db") is None:
    raise ImportError("The extra tasks is missing: pip install 'wagtail-multihost[tasks]'.")

#: How many queues are shown: those that have waited longest.
MOST_QUEUES = 20


class Queue(NamedTuple):
    """A queue: how many tasks wait in it, and since when the first of them."""

    name: str
    waiting: int
    since: datetime | None


@dataclass(frozen=True, kw_only=True)
class TaskQueueProbe(Probe):
    """
    Measures how long the tasks in each queue have been waiting that could run now. Tasks that run, or are scheduled for
    later, do not count.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        "lagging": "A task has waited too long: there are no workers, or too few.",
        "crowded": "Too many tasks are waiting.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=5, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=30, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=10, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})
    queues: tuple[str, ...] = field(default=(), metadata={"meaning": "The queues; none: all in which tasks wait."})
    warn_seconds: float = field(default=60, metadata={"meaning": "The seconds above which it warns."})
    fail_seconds: float = field(default=600, metadata={"meaning": "The seconds above which it fails."})
    warn_waiting: int = field(default=0, metadata={"meaning": "The number of tasks above which it warns; 0: any."})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "queues", check_texts("queues", self.queues))
        if not 0 <= self.warn_seconds <= self.fail_seconds:
            raise ValueError("The limits are not accepted: 0 <= warn_seconds <= fail_seconds.")
        if self.warn_waiting < 0:
            raise ValueError("The warn_waiting is not accepted: it must be 0 or more tasks.")

    def measure(self) -> Iterator[Outcome]:
        found = {queue.name: queue for queue in self.waiting()}
        names = self.queues or tuple(found)
        if not names:
            yield passed(0, "seconds")
        for name in names:
            queue = found.get(name, Queue(name, 0, None))
            yield self.lag(queue)
            yield self.length(queue)

    def lag(self, queue: Queue) -> Outcome:
        seconds = round(max(0.0, (timezone.now() - queue.since).total_seconds()), 1) if queue.since else 0.0
        if seconds > self.fail_seconds:
            return failed("lagging", seconds, "seconds", subject=queue.name)
        if seconds > self.warn_seconds:
            return warned("lagging", seconds, "seconds", subject=queue.name)
        return passed(seconds, "seconds", subject=queue.name)

    def length(self, queue: Queue) -> Outcome:
        if self.warn_waiting and queue.waiting > self.warn_waiting:
            return warned("crowded", queue.waiting, "tasks", subject=queue.name)
        return passed(queue.waiting, "tasks", subject=queue.name)

    def waiting(self) -> list[Queue]:
        """Query the database once."""
        from django_tasks_db.models import DBTaskResult  # needs the apps

        alias = router.db_for_read(DBTaskResult)
        with thread_connection(alias, self.timeout):
            tasks = DBTaskResult.objects.using(alias).ready()
            if self.queues:
                tasks = tasks.filter(queue_name__in=self.queues)
            return list(group_by_queue(tasks))


def group_by_queue(tasks: Any) -> Iterator[Queue]:
    from django_tasks_db.models import get_date_max  # needs the apps

    # A task without a scheduled time has the latest possible one.
    since = Case(When(run_after=get_date_max(), then=F("enqueued_at")), default=Greatest("run_after", "enqueued_at"))
    rows = tasks.order_by().values("queue_name").annotate(waiting=Count("pk"), since=Min(since)).order_by("since")
    for row in rows[:MOST_QUEUES]:
        yield Queue(row["queue_name"], row["waiting"], row["since"])
