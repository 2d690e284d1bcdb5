"""The alerts and the dashboard: Prometheus and Grafana read them, and they are about metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.examples.tools import EXAMPLES, ROOT, read_yaml, run_tool
from tests.health.samples import ask, endpoint

RULES, DASHBOARD = EXAMPLES / "prometheus-rules.yaml", EXAMPLES / "grafana-dashboard.json"
ALERTS = read_yaml("prometheus-rules.yaml")["groups"][0]["rules"]
PAGE = "https://github.com/wagtail-multihost/wagtail-multihost/blob/main/docs/how-to/answer-alerts.md"
#: Prometheus' own, for each target.
AMBIENT = {"up"}
#: Grafana's variables, and what it puts in their place.
VARIABLES = {"$site": ".*", "$__rate_interval": "1m"}


def scrape() -> str:
    """Return what Prometheus collects from a process."""
    return ask(endpoint(), "metrics", accept="text/plain").body.decode()


def known_metrics() -> set[str]:
    return {re.split(r"[{ ]", line)[0] for line in scrape().splitlines() if not line.startswith("#")} | AMBIENT


def named_metrics(expression: str) -> set[str]:
    """Return the names of metrics in an expression: what is neither a label nor text."""
    bare = re.sub(r"""\{[^}]*\}|by \([^)]*\)""", "", expression)
    return set(re.findall(r"\b(?:multihost_\w+|up)\b", bare))


def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def expressions() -> list[str]:
    """Return the expressions of the dashboard's panels, as Grafana sends them."""
    found = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    for variable, value in VARIABLES.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


def test_metrics_are_well_formed() -> None:
    """Prometheus' own program has nothing to say against what it collects."""
    run_tool("promtool", "check", "metrics", text=scrape())


def test_configuration_and_rules_are_valid() -> None:
    """Prometheus reads both files."""
    run_tool("promtool", "check", "config", "--syntax-only", EXAMPLES / "prometheus.yaml")
    printed = run_tool("promtool", "check", "rules", "--lint-fatal", RULES)
    assert f"{len(ALERTS)} rules found" in printed


def test_alerts_are_raised_and_end() -> None:
    """Each alert is raised by what it is for, after its time and not before, and by nothing else."""
    run_tool("promtool", "test", "rules", Path(__file__).parent / "alerts.yaml")
    raised = (Path(__file__).parent / "alerts.yaml").read_text(encoding="utf-8")
    assert [alert["alert"] for alert in ALERTS if f"alertname: {alert['alert']}" not in raised] == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_alert_says_what_to_do(alert: Any) -> None:
    """It has a severity, a sentence, and a link to its heading on the page of what to do."""
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].endswith(".")
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/how-to/answer-alerts.md").read_text("utf-8"), re.MULTILINE)
    assert (page, anchor) == (PAGE, alert["alert"].lower())
    assert alert["alert"] in headings


def test_every_metric_exists() -> None:
    """Neither an alert nor a panel looks at a metric that no process has."""
    used = set().union(*map(named_metrics, [*(alert["expr"] for alert in ALERTS), *expressions()]))
    assert len(used) > 7
    assert used <= known_metrics()


def test_panels_ask_what_prometheus_understands(tmp_path: Path) -> None:
    """Each expression of the dashboard is PromQL."""
    rules = [{"record": f"panel_{number}", "expr": expression} for number, expression in enumerate(expressions())]
    file = tmp_path / "panels.json"  # which YAML is a superset of
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run_tool("promtool", "check", "rules", file)


def test_dashboard_has_only_what_grafana_knows() -> None:
    """Grafana's own classes read it and lose nothing, and no panel covers another."""
    register_default_plugins()
    stated = dashboard()
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(stated)))
    assert list(lost(stated, kept)) == []
    squares = [
        (x, y)
        for panel in stated["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(squares) == len(set(squares))
    assert len({panel["id"] for panel in stated["panels"]}) == len(stated["panels"])


def lost(stated: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of what is stated and not kept."""
    if isinstance(stated, dict) and isinstance(kept, dict):
        for key, value in stated.items():
            yield from lost(value, kept.get(key, "nothing"), f"{path}.{key}")
    elif isinstance(stated, list) and isinstance(kept, list) and len(stated) == len(kept):
        for number, pair in enumerate(zip(stated, kept, strict=True)):
            yield from lost(*pair, f"{path}[{number}]")
    elif stated != kept:
        yield path
