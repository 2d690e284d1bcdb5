"""Without the package prometheus-client everything but metrics is as it is with it."""

from __future__ import annotations

import sys

import pytest

from tests.health.samples import TOKEN, Told, ask, endpoint
from wagtail_multihost.checks.health import check_health_metrics
from wagtail_multihost.health.formats import find_form

ACCEPT = "application/openmetrics-text"
OTHERS = ("live", "ready", "health", "health.json", "health.txt", "health.html", "health.rss", "site/aurora")


@pytest.fixture(autouse=True)
def _without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the package, where it is installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "wagtail_multihost.health.formats.openmetrics", raising=False)


@pytest.mark.parametrize(("path", "accept"), [("metrics", ""), ("metrics", "text/plain"), ("health", ACCEPT)])
def test_metrics_say_what_is_missing(path: str, accept: str) -> None:
    """Whoever may see details reads one sentence; a stranger one word; neither is taken for metrics."""
    known, stranger = (ask(endpoint(), path, token=token, accept=accept) for token in (TOKEN, ""))
    assert (known.status, stranger.status) == (501, 501)
    assert known.body.decode().splitlines() == [
        "Metrics need the package prometheus-client. Install it: pip install 'wagtail-multihost[metrics]'."
    ]
    assert stranger.body == b"unavailable\n"
    assert known.content_type == stranger.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", OTHERS)
def test_other_answers_need_no_package(path: str) -> None:
    """Nothing else of the endpoint loads it."""
    assert ask(endpoint(), path).status == 200


def test_wrong_token_is_refused_first() -> None:
    """Who is refused does not learn what is installed, and nobody is asked for a report."""
    source = Told(None)
    assert (ask(endpoint(source), "metrics", token="wrong").status, source.asked) == (401, 0)


def test_another_missing_module_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the absence of that package is explained by it."""
    monkeypatch.setitem(sys.modules, "wagtail_multihost.health.formats.rss", None)
    with pytest.raises(ModuleNotFoundError):
        find_form("health.rss", "")


@pytest.mark.parametrize(("stated", "ids"), [(True, ["wagtail_multihost.W038"]), (False, [])])
def test_configured_metrics_without_the_package_are_w038(settings: object, stated: bool, ids: list[str]) -> None:
    """A project that says how its metrics are to be is told that there are none."""
    settings.MULTIHOST_HEALTH = {"METRICS_SUBJECTS": stated}  # type: ignore[attr-defined]
    assert [message.id for message in check_health_metrics(None)] == ids
