"""The answer to a request for metrics where the package that writes them is not installed."""

from __future__ import annotations

from wagtail_multihost.health.seen import TEXT, Health

PACKAGE = "prometheus_client"
SENTENCE = "Metrics need the package prometheus-client. Install it: pip install 'wagtail-multihost[metrics]'.\n"


def write(health: Health) -> tuple[bytes, str]:
    """Return a sentence for those who may see details; strangers learn nothing of what is installed."""
    return (SENTENCE if health.details else "unavailable\n").encode(), TEXT
