"""A fleet of nodes with monitors, as the database knows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.utils import timezone

from tests.control.fleet import OPERATOR, Fleet
from tests.control.waves import acting, make_role
from wagtail_multihost.control.models import ManagedSite, NodeIdentity, Report
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.nodeapi import healing_v1, node_v1
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, PLACED
from wagtail_multihost.nodeapi.probe_states import UP

SEE = """
INSERT INTO control_probe_latest
    (hostname, place, site_id, state, code, reason, since, first_at, allowance, noted_at)
VALUES (%s, %s, %s, %s, 0, '', now(), now(), 0, now())
ON CONFLICT (hostname, place) DO UPDATE SET state = excluded.state
"""
SEEN = """
INSERT INTO control_monitor (place, seen_at, version, revision, fence)
VALUES (%s, now() - make_interval(secs => %s), '', 0, 0)
ON CONFLICT (place) DO UPDATE SET seen_at = excluded.seen_at
"""


def run_sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


class HealingFleet:
    """Nodes that hold all sites, or those that are placed on them, each seen by its own monitor."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.nodes: list[str] = []
        save_group(OPERATOR, "every", ALL)
        save_group(OPERATOR, "few", PLACED)

    def add_node(self, node: str, group: str = "every", zone: str = "", state: str = ACTIVE) -> None:
        """Make a node that speaks, as its monitor does."""
        save_node(OPERATOR, node, group, zone=zone)
        save_node(OPERATOR, node, state=state)
        NodeIdentity.objects.create(node_id=node, role=make_role(node))
        self.nodes.append(node)
        self.report(node)
        self.hear_monitor(node)

    def report(self, node: str, seconds: float = 0, **values: Any) -> None:
        """Let a node have reported so many seconds ago."""
        seen_at = timezone.now() - timedelta(seconds=seconds)
        Report.objects.update_or_create(pk=node, defaults={"seen_at": seen_at, "boot": uuid4(), **values})

    def hear_monitor(self, node: str, seconds: float = 0) -> None:
        """Let the monitor of a node have spoken so many seconds ago."""
        run_sql(SEEN, node, seconds)

    def see(self, site: ManagedSite, hostname: str = "", **states: str) -> None:
        """Let the monitors of nodes see a hostname of a site, the first one if none is named, in states."""
        for node, state in states.items():
            run_sql(SEE, hostname or site.record["hostnames"][0], node, site.uid, state)

    def add_site(self, name: str, **states: str) -> ManagedSite:
        """Make a site that all nodes serve well, but for those that it has another state at."""
        site = self.fleet.add(name)
        self.see(site, **{**dict.fromkeys(self.nodes, UP), **states})
        return site

    def ask_whole(self, node: str, site: ManagedSite | None, step: str) -> tuple[str, UUID | None]:
        """Ask for a step; return the answer, and what the step is known as."""
        answer, row = self.call(node, healing_v1.MAY_HEAL, site.uid if site else None, step)
        return answer, row

    def ask(self, node: str, site: ManagedSite | None, step: str) -> str:
        return self.ask_whole(node, site, step)[0]

    def end(self, node: str, step: UUID | None, outcome: str) -> bool:
        return self.call(node, healing_v1.END_STEP, step, outcome)[0] is True

    def call(self, node: str, statement: str, *values: Any) -> Any:
        """Call a function as a node."""
        with acting(f"{node_v1.ROLE}_{node}"), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()

    def age_steps(self, seconds: float) -> None:
        """Let all steps have been taken so many seconds earlier."""
        run_sql("UPDATE control_heal_step SET at = at - make_interval(secs => %s)", seconds)
