"""A probe of one's own: whether scheduled pages are published in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from django.db import connection
from django.utils import timezone

from wagtail_multihost.health.probe import Outcome, Probe, passed, warned
from wagtail_multihost.health.status import Criticality


@dataclass(frozen=True, kw_only=True)
class PublishingProbe(Probe):
    """Counts revisions whose time has come and which are not live: `publish_scheduled` does not run."""

    codes: ClassVar[Mapping[str, str]] = {"overdue": "Pages should have been published and are not."}

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    late: float = field(default=3600, metadata={"meaning": "How many seconds late a page may be."})

    def measure(self) -> Iterator[Outcome]:
        from wagtail.models import Revision

        moment = timezone.now() - timedelta(seconds=self.late)
        try:
            overdue = Revision.objects.filter(approved_go_live_at__lt=moment).count()
        finally:
            connection.close()  # the probe has a thread of its own, and so a connection of its own
        yield warned("overdue", overdue, "pages") if overdue else passed(0, "pages")
