"""
Metrics of a fleet for those who have Prometheus: incidents, alerts that wait, and who is silent; and of each site, for
who asks for that, whether an incident concerns it and how long it was up.

Who sees not all sites gets those of their own alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Min
from prometheus_client import CONTENT_TYPE_LATEST as TEXT_TYPE
from prometheus_client import generate_latest as generate_text
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.availability import measure_availability
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import (
    Alert,
    Heartbeat,
    Incident,
    IncidentHostname,
    Monitor,
    Node,
    ProbeLatest,
    Recipient,
)
from wagtail_multihost.nodeapi.node_states import AWAY

#: The windows of availability, as labels.
WINDOWS: Mapping[str, timedelta] = {"24h": timedelta(days=1), "30d": timedelta(days=30)}
STATES = ("up", "down", "maintenance", "unknown")


class Collector:
    """Gives prometheus_client what somebody may know; of each site too if they ``want_sites``."""

    def __init__(self, authority: Authority, *, want_sites: bool) -> None:
        self.authority, self.want_sites = authority, want_sites

    def collect(self) -> Iterator[Metric]:
        if self.authority.sees_all:
            yield from fleet_families()
        if self.want_sites:
            yield from site_families(self.authority)


def write_metrics(authority: Authority, *, want_sites: bool, is_openmetrics: bool) -> tuple[bytes, str]:
    """Return the body and its content type."""
    collector: Any = Collector(authority, want_sites=want_sites)
    if is_openmetrics:
        return generate_openmetrics(collector), CONTENT_TYPE_LATEST  # type: ignore[no-untyped-call]
    return generate_text(collector), TEXT_TYPE


def fleet_families() -> Iterator[Metric]:
    yield gauge(
        "multihost_incidents",
        "Incidents that last.",
        ["kind", "cause"],
        Incident.objects.filter(till=None).values_list("kind", "cause").annotate(count=Count("pk")),
    )
    waiting = Alert.objects.filter(ended_at=None).values("recipient").annotate(count=Count("pk"), first=Min("made_at"))
    counts = {row["recipient"]: row for row in waiting}
    now = database_time()
    labels = [*Recipient.objects.order_by("label").values_list("label", flat=True)]
    yield gauge(
        "multihost_alerts_waiting",
        "Alerts that wait to be sent.",
        ["recipient"],
        ((label, counts[label]["count"] if label in counts else 0) for label in labels),
    )
    yield gauge(
        "multihost_alert_oldest_seconds",
        "The age of the oldest alert that waits.",
        ["recipient"],
        ((label, (now - counts[label]["first"]).total_seconds() if label in counts else 0) for label in labels),
    )
    yield gauge(
        "multihost_process_silent_seconds",
        "How long ago the operator process and the courier said that they live.",
        ["process"],
        ((one.process, (now - one.seen_at).total_seconds()) for one in Heartbeat.objects.order_by("process")),
    )
    yield gauge(
        "multihost_node_silent_seconds",
        "How long ago a node that has not left reported.",
        ["node"],
        (
            (node, (now - (seen_at or joined_at)).total_seconds())
            for node, seen_at, joined_at in Node.objects.exclude(state=AWAY).values_list(
                "pk", "report__seen_at", "joined_at"
            )
        ),
    )
    yield gauge("multihost_monitor_silent_seconds", "How long ago a monitor spoke.", ["place"], monitor_rows(now))
    yield gauge("multihost_hostnames", "Hostnames by what was seen of them.", ["place", "state"], hostname_rows())


def site_families(authority: Authority) -> Iterator[Metric]:
    sites = dict(visible_sites(authority).order_by("identifier").values_list("uid", "identifier"))
    concerned = IncidentHostname.objects.filter(incident__till=None, till=None, site__in=sites)
    down = set(concerned.values_list("site_id", flat=True))
    yield gauge(
        "multihost_site_in_incident",
        "Whether an incident that lasts concerns a site.",
        ["site"],
        ((name, uid in down) for uid, name in sites.items()),
    )
    yield gauge(
        "multihost_site_availability_seconds",
        "How long a site was up, down, in maintenance, or not looked at, within a window.",
        ["site", "window", "state"],
        availability_rows(sites),
    )


def availability_rows(sites: Mapping[UUID, str]) -> Iterator[tuple[str, str, str, float]]:
    found = measure_availability(list(sites), list(WINDOWS.values()), database_time())
    for uid, name in sites.items():
        for window, length in WINDOWS.items():
            measured = found.get(uid, {}).get(length)
            if measured is not None:
                yield from ((name, window, state, getattr(measured, state)) for state in STATES)


def gauge(name: str, meaning: str, labels: list[str], rows: Iterable[tuple[Any, ...]]) -> Metric:
    """Return a family of numbers, each row of which has its labels first."""
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))
    return family


def monitor_rows(now: datetime) -> Iterator[tuple[str, float]]:
    for place, seen_at in Monitor.objects.values_list("place", "seen_at"):
        if seen_at is not None:
            yield place, (now - seen_at).total_seconds()


def hostname_rows() -> Iterable[tuple[str, str, int]]:
    return (
        ProbeLatest.objects.values_list("place", "state").annotate(count=Count("hostname")).order_by("place", "state")
    )
