"""Nodes with reports that a test writes, as if the nodes had said so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from tests.control.fleet import OPERATOR
from wagtail_multihost.control.models import Report
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, APPLIED, FALSE, TRUE

NODES, WAVES, HOLDS = "/admin/fleet/nodes/", "/admin/fleet/waves/", "/admin/fleet/holds/"
SINCE = "2026-11-28T10:00:00+00:00"
SILENT = timedelta(seconds=100)


def add_nodes(*names: str, group: str = "web", holds: str = ALL, **values: Any) -> None:
    save_group(OPERATOR, group, holds)
    for name in names:
        save_node(OPERATOR, name, group, **{"state": ACTIVE, **values})


def report(node: str, applied: int, *conditions: dict[str, Any], ago: timedelta = timedelta(), **sites: Any) -> None:
    values = {"applied": applied, "seen_at": timezone.now() - ago, "boot": uuid4(), "version": "0.2", "sites": sites}
    stated = list(conditions) or [condition(APPLIED)]
    Report.objects.update_or_create(node_id=node, defaults={**values, "conditions": stated})


def condition(kind: str, status: str = TRUE, message: str = "", reason: str = "") -> dict[str, Any]:
    said = {"type": kind, "status": status, "message": message, "reason": reason}
    return {**said, "since": SINCE, "revision": 3}


def failing(message: str) -> dict[str, Any]:
    return condition(APPLIED, FALSE, message)
