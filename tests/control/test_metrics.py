"""Metrics of the fleet, as a collector with a token gets them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.control.clients import HOST, ROOT, token_of
from tests.control.fleet import OPERATOR, Fleet
from tests.control.seen import prepare_monitors, see, speak
from tests.control.test_incidents import concern, keep
from tests.examples.tools import read_yaml, run_tool
from wagtail_multihost.control.models import Alert, Heartbeat
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.recipients import save_recipient
from wagtail_multihost.nodeapi.probe_states import DOWN, UP

#: Prometheus' own, for each target; and what is there once there is a history.
AMBIENT = {"up", "multihost_site_availability_seconds"}


def scrape(token: str, query: str = "", accept: str = "text/plain") -> Any:
    return Client(HTTP_HOST=HOST).get(
        f"{ROOT}/metrics{query}", headers={"Authorization": f"Bearer {token}", "Accept": accept}
    )


@pytest.fixture(name="busy")
def _busy(fleet: Fleet) -> Fleet:
    """Return a fleet with something of everything."""
    prepare_monitors()
    for name in ("aurora", "borealis"):
        fleet.add(name)
    see("aurora.example.com", DOWN, "refused")
    see("borealis.example.com", UP)
    speak(seconds=30)
    save_group(OPERATOR, "web", "all")
    save_node(OPERATOR, "web1", group="web")
    incident = keep(kind="site-down", cause="site", subject="aurora", site=fleet.site("aurora"))
    concern(incident, fleet, "aurora")
    recipient = save_recipient(OPERATOR, "on-call")
    Alert.objects.create(incident=incident, recipient=recipient, word="opened", made_at=Now(), due_at=Now())
    Heartbeat.objects.create(process="operator", seen_at=Now(), period=10)
    return fleet


def values(text: str) -> dict[str, float]:
    """Return the samples, each by its name and labels as they are written."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_operators_are_told_of_everything(busy: Fleet) -> None:
    answer = scrape(token_of(busy.user("olga", operator=True), "read"), "?sites=true")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    found = values(answer.content.decode())
    assert found['multihost_incidents{cause="site",kind="site-down"}'] == 1
    assert found['multihost_alerts_waiting{recipient="on-call"}'] == 1
    assert found['multihost_hostnames{place="outside",state="down"}'] == 1
    assert found['multihost_site_in_incident{site="aurora"}'] == 1
    assert found['multihost_site_in_incident{site="borealis"}'] == 0
    assert 30 <= found['multihost_monitor_silent_seconds{place="outside"}'] < 600
    assert 0 <= found['multihost_process_silent_seconds{process="operator"}'] < 600
    assert 'multihost_node_silent_seconds{node="web1"}' in found
    run_tool("promtool", "check", "metrics", text=answer.content.decode())


def test_openmetrics_is_well_formed(busy: Fleet) -> None:
    token = token_of(busy.user("olga", operator=True), "read")
    answer = scrape(token, "?sites=true", "application/openmetrics-text; version=1.0.0")
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    families = {family.name for family in text_string_to_metric_families(answer.content.decode())}
    assert {"multihost_incidents", "multihost_site_in_incident"} <= families


def test_others_are_told_of_their_own_sites_alone(busy: Fleet) -> None:
    """Also operators with a token for some sites, and without a token nobody is told anything."""
    tokens = [
        token_of(busy.user("ada", aurora="view"), "read"),
        token_of(busy.user("olga", operator=True), "read", [busy.site("aurora")]),
    ]
    for token in tokens:
        found = values(scrape(token, "?sites=true").content.decode())
        assert found.pop('multihost_site_in_incident{site="aurora"}') == 1
        assert len(found) == 4 * 2
        assert all(name.startswith('multihost_site_availability_seconds{site="aurora",') for name in found)
        assert values(scrape(token).content.decode()) == {}
    assert scrape("").status_code == 401


def test_rules_are_about_metrics_that_there_are(busy: Fleet) -> None:
    text = scrape(token_of(busy.user("olga", operator=True), "read"), "?sites=true").content.decode()
    known = {name.partition("{")[0] for name in values(text)} | AMBIENT
    rules = read_yaml("prometheus-fleet-rules.yaml")["groups"][0]["rules"]
    bare = [re.sub(r"\{[^}]*\}|by \([^)]*\)", "", rule["expr"]) for rule in rules]
    used = {name for expression in bare for name in re.findall(r"\b(?:multihost_\w+|up)\b", expression)}
    assert len(used) > 6
    assert used <= known


def test_history_that_there_is_is_shown(busy: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """In seconds of each state, of which the unknown ones are no part of the share."""
    from wagtail_multihost.control import fleet_metrics

    class Measured:
        up, down, maintenance, unknown = 80.0, 4.0, 3.0, 13.0

    def measure(uids: list[Any], windows: list[Any], now: Any) -> dict[Any, dict[Any, Measured]]:
        return {uid: dict.fromkeys(windows, Measured()) for uid in uids}

    monkeypatch.setattr(fleet_metrics, "measure_availability", measure)
    token = token_of(busy.user("ada", aurora="view"), "read")
    found = values(scrape(token, "?sites=true").content.decode())
    assert found['multihost_site_availability_seconds{site="aurora",state="unknown",window="24h"}'] == 13
    assert len(found) == 1 + 4 * 2
