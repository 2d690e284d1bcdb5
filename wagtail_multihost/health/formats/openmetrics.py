"""OpenMetrics 1.0 and Prometheus' text format, of the report that there is: a scrape runs no probe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST as TEXT_TYPE
from prometheus_client import generate_latest as generate_text
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric, StateSetMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from wagtail_multihost.health.probe import Outcome
from wagtail_multihost.health.report import ProbeResult
from wagtail_multihost.health.seen import WORDS, Health

#: Units in which probes of several things say what remains: less is worse.
REMAINING = frozenset({"days", "percent"})


class Collector:
    """Gives prometheus_client the metrics."""

    def __init__(self, health: Health) -> None:
        self.health = health

    def collect(self) -> Iterable[Metric]:
        yield word_family(self.health)
        if self.health.details:
            yield from detail_families(self.health)


def write(health: Health) -> tuple[bytes, str]:
    """Return the body and its content type."""
    return generate_openmetrics(Collector(health)), CONTENT_TYPE_LATEST  # type: ignore[no-untyped-call]


def write_text(health: Health) -> tuple[bytes, str]:
    """Return the same in the older format, for collectors that do not read OpenMetrics."""
    return generate_text(Collector(health)), TEXT_TYPE


def word_family(health: Health) -> Metric:
    family = StateSetMetricFamily("multihost_health", "The answer of the process to readiness probes.")
    family.add_metric([], {word: word == health.word for word in WORDS})
    return family


def detail_families(health: Health) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "multihost_process", "What is running.", value={"service": health.service, "version": health.version}
    )
    yield GaugeMetricFamily("multihost_draining", "Whether the process is draining.", value=health.word == "draining")
    if health.age is not None:
        yield GaugeMetricFamily("multihost_report_age_seconds", "The age of the report.", value=health.age)
    yield site_family(health)
    yield result_family(health, "status", "The status of a probe: 0 pass, 1 warn, 2 fail.", lambda it: it.status)
    yield result_family(health, "duration_seconds", "How long a probe's last run took.", lambda it: it.duration)
    yield result_family(health, "age_seconds", "How long ago a probe's last run ended.", health.age_of)
    yield value_family(health)


def site_family(health: Health) -> Metric:
    family = GaugeMetricFamily(
        "multihost_site_status", "The status of a site: 0 pass, 1 warn, 2 fail.", labels=["site"]
    )
    for site, status in health.sites.items():
        family.add_metric([site], status)
    return family


def result_family(health: Health, name: str, meaning: str, value: Callable[[ProbeResult], float]) -> Metric:
    family = GaugeMetricFamily(f"multihost_probe_{name}", meaning, labels=["site", "probe"])
    for result in health.results:
        family.add_metric([result.entry.site, result.entry.name], value(result))
    return family


def value_family(health: Health) -> Metric:
    """
    Return the observed values. A probe of several things has only the worst value of each unit, so that the number of
    series does not depend on them; with ``METRICS_SUBJECTS`` it has one for each.
    """
    labels = ["site", "probe", "unit", *(["subject"] if health.subjects else [])]
    family = GaugeMetricFamily("multihost_probe_value", "The last value that a probe observed.", labels=labels)
    for result in health.results:
        worst: dict[tuple[str, ...], Outcome] = {}
        for outcome in result.outcomes:
            key = (outcome.unit, *([outcome.subject] if health.subjects else []))
            if outcome.value is not None and (key not in worst or badness(outcome) > badness(worst[key])):
                worst[key] = outcome
        for key, outcome in worst.items():
            family.add_metric([result.entry.site, result.entry.name, *key], float(outcome.value or 0))
    return family


def badness(outcome: Outcome) -> tuple[int, float]:
    value = outcome.value or 0
    return outcome.status, -value if outcome.unit in REMAINING else value
