"""The alerts about a fleet: Prometheus reads them, each is raised by what it is for, and says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.examples.test_prometheus import PAGE
from tests.examples.tools import EXAMPLES, ROOT, read_yaml, run_tool

RULES = EXAMPLES / "prometheus-fleet-rules.yaml"
ALERTS = read_yaml("prometheus-fleet-rules.yaml")["groups"][0]["rules"]
CASES = Path(__file__).parent / "fleet-alerts.yaml"


def test_configuration_and_rules_are_valid() -> None:
    run_tool("promtool", "check", "config", "--syntax-only", EXAMPLES / "prometheus-fleet.yaml")
    assert f"{len(ALERTS)} rules found" in run_tool("promtool", "check", "rules", "--lint-fatal", RULES)


def test_alerts_are_raised_and_not_before() -> None:
    run_tool("promtool", "test", "rules", CASES)
    raised = CASES.read_text(encoding="utf-8")
    assert [alert["alert"] for alert in ALERTS if f"alertname: {alert['alert']}\n" not in raised] == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_alert_says_what_to_do(alert: Any) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].endswith(".")
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/how-to/answer-alerts.md").read_text("utf-8"), re.MULTILINE)
    assert (page, anchor) == (PAGE, alert["alert"].lower())
    assert alert["alert"] in headings
