"""A fleet with nodes whose reports and turns in waves a test plays, all in the test's own transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from django.db import connection

from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.changes import CreateSite, EditPlatform, EditSite, Outcome
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import Node, NodeIdentity, Report, Wave
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.nodeapi import front_v1, node_v1
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, APPLIED, FALSE, PLACED, TRUE

FIELDS = ("incarnation", "revision", "oldest", "self", "platform", "sites", "count", "gone", "holds")


@contextmanager
def acting(role: str) -> Iterator[None]:
    """
    Let Django's connection be a role, also to those who ask for session_user. What functions have said of constraints
    is forgotten afterwards, as at the end of a transaction of their own.
    """
    with connection.cursor() as cursor:
        cursor.execute(f'SET SESSION AUTHORIZATION "{role}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET SESSION AUTHORIZATION; SET CONSTRAINTS ALL DEFERRED")


def make_role(node: str) -> str:
    """Make a node's role, which is gone when the test's transaction is."""
    role = f"{node_v1.ROLE}_{node}"
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE ROLE "{role}" LOGIN IN ROLE {node_v1.ROLE}')
    return role


class WaveFleet:
    """Nodes by id, each with what it knows by reading what has changed alone."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.known: dict[str, dict[str, Any]] = {}
        self.boots: dict[str, Any] = {}
        save_group(OPERATOR, "web", ALL)
        save_group(OPERATOR, "few", PLACED)

    def add_node(self, node: str, group: str = "web", state: str = ACTIVE, *, has_role: bool = False) -> None:
        """Make a node that has applied what there is."""
        role = f"{node_v1.ROLE}_{node}" if has_role else make_role(node)
        save_node(OPERATOR, node, group, state=state)
        NodeIdentity.objects.create(node_id=node, role=role)
        self.boots[node] = uuid4()
        self.report(node)

    def add_sites(self, count: int, prefix: str = "site", **record: Any) -> list[Any]:
        names = [f"{prefix}{number}" for number in range(count)]
        changes = [CreateSite(name, {"hostnames": [f"{name}.example.com"], **record}) for name in names]
        self.fleet.apply(*changes)
        return [self.fleet.site(name) for name in names]

    def change(self, *sites: Any, at_once: bool = False, **patch: Any) -> Outcome:
        """Change sites in one transaction."""
        return self.fleet.apply(*(EditSite(site.uid, merge_patch(patch)) for site in sites), at_once=at_once)

    def change_platform(self, at_once: bool = False, **patch: Any) -> Outcome:
        return self.fleet.apply(EditPlatform(merge_patch(patch)), at_once=at_once)

    def place(self, node: str, *sites: Any) -> None:
        place_sites(OPERATOR, node, sites)

    def read(self, node: str, since: int | None = None, also: list[str] | None = None) -> dict[str, Any]:
        """Return what a node reads, as its own role."""
        return self.ask(node, node_v1.READ, since, also)

    def read_front(self, node: str, since: int) -> dict[str, Any]:
        """Return the records that a front server reads, by id."""
        return {site: row["record"] for site, row in self.ask(node, front_v1.READ, since)["sites"].items()}

    def read_front_platform(self, node: str, since: int) -> dict[str, Any]:
        return dict(self.ask(node, front_v1.READ, since)["platform"]["record"])

    def ask(self, node: str, statement: str, since: int | None, also: list[str] | None = None) -> dict[str, Any]:
        with acting(f"{node_v1.ROLE}_{node}"), connection.cursor() as cursor:
            cursor.execute(statement, {"since": since, "sealed": 0, "also": also or []})
            row = cursor.fetchone()
        return {
            name: json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value
            for name, value in zip(FIELDS, row, strict=False)
        }

    def records(self, node: str) -> dict[str, Any]:
        """Return the records that a node is given, by id."""
        return {site: row["record"] for site, row in self.read(node)["sites"].items()}

    def platform(self, node: str) -> dict[str, Any]:
        return self.read(node)["platform"]["record"]

    def follow(self, node: str) -> dict[str, Any]:
        """Let a node read what has changed since it did last; return the records that it has then."""
        before = self.known.get(node)
        reading = self.read(node, before["revision"] if before else None, list(before["sites"]) if before else [])
        sites = dict(before["sites"]) if before else {}
        for one in reading["gone"]:
            if one["id"] in sites and sites[one["id"]]["uid"] == str(one["uid"]):
                del sites[one["id"]]
        since = before["revision"] if before else -1
        sites |= {site: row for site, row in reading["sites"].items() if row["revision"] > since or site not in sites}
        assert len(sites) == reading["count"], "the node would read everything"
        platform = reading["platform"]["record"] if reading["platform"] else before["platform"]  # type: ignore[index]
        self.known[node] = {"revision": reading["revision"], "sites": sites, "platform": platform}
        return {site: row["record"] for site, row in sites.items()}

    def report(self, node: str, *, applied: int | None = None, fails: bool = False, **refused: str) -> None:
        """Let a node say what it has, by default the registry's revision."""
        conditions = [{"type": APPLIED, "status": FALSE if fails else TRUE, "since": "2026-11-30T10:00:00+00:00"}]
        revision = self.fleet.revision if applied is None else applied
        values = (self.boots[node], revision, "0.2", json.dumps(conditions), json.dumps(refused), "[]")
        with acting(f"{node_v1.ROLE}_{node}"), connection.cursor() as cursor:
            cursor.execute(node_v1.REPORT, values)

    def report_all(self) -> None:
        for node in Node.objects.values_list("pk", flat=True):
            self.report(node)

    def silence(self, node: str) -> None:
        """Let a node have said nothing for long."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE control_report SET seen_at = clock_timestamp() - interval '100 seconds' WHERE node_id = %s",
                [node],
            )
        assert Report.objects.filter(pk=node).exists()

    def tick(self, times: int = 1) -> int:
        """Let the operator process take the next steps; return how many it took."""
        steps = 0
        for _ in range(times):
            with acting(OPERATOR_ROLE), connection.cursor() as cursor:
                cursor.execute("SELECT operator_v1.advance_waves()")
                steps += cursor.fetchone()[0]
        return steps

    def advance(self) -> None:
        """Let all nodes apply what they are given, and the wave go to its next stage."""
        self.report_all()
        self.tick(2)  # it settles, then it goes on

    @property
    def wave(self) -> Wave:
        return Wave.objects.latest("revision")

    def first(self) -> str:
        """Return the node that got the change first."""
        [node] = self.wave.admitted
        return str(node)


def values_of(records: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Return one key of each record."""
    found = {}
    for site, record in records.items():
        value: Any = record
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        found[site] = value
    return found
