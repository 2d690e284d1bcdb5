"""
Changes, waves, and nodes that come and read at random: whatever happens, no node is ever given what it must not have,
and in the end each has exactly the registry.

``MULTIHOST_WAVE_EXAMPLES=200`` tries more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.control.fleet import OPERATOR, Fleet
from tests.control.waves import WaveFleet, make_role
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite, WaveRunsError
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import ManagedSite, Node, Platform, Wave
from wagtail_multihost.control.nodes import save_node
from wagtail_multihost.control.wave_plans import BAKE_SETTING, SITES_SETTING
from wagtail_multihost.control.waves import abandon_wave, finish_wave, resume_wave
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import ACTIVE, DONE, DRAINING

EXAMPLES = int(os.environ.get("MULTIHOST_WAVE_EXAMPLES", "3"))
NODES = ("web1", "web2", "web3", "web4")
SITES = ("s0", "s1", "s2", "s3")
some_site, some_node = st.integers(0, len(SITES) - 1), st.sampled_from(NODES)


class Waves(RuleBasedStateMachine):
    """``value`` counts changes, so that each content of a record is told from all others."""

    fleet: Fleet

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.waves = WaveFleet(self.fleet)
        self.value = 1
        self.history: dict[str, list[Any]] = {}
        self.seen: dict[tuple[str, str], int] = {}
        self.present: list[str] = []

    @initialize()
    def begin(self) -> None:
        for node in NODES[:2]:
            self.join(node)
        self.fleet.apply(*(CreateSite(site, {"hostnames": [f"{site}.example.com"]}) for site in SITES))
        self.fleet.apply(
            *(EditSite(site.uid, merge_patch({"aliases": [f"a-{site}.example.com"]})) for site in self.rows)
        )
        self.remember()

    @property
    def rows(self) -> list[ManagedSite]:
        return list(ManagedSite.objects.filter(retired_at=None).order_by("identifier"))

    def row(self, number: int) -> ManagedSite:
        return self.rows[number % len(self.rows)]

    def remember(self) -> None:
        """Write down what each record, and the platform's, is now."""
        contents = {str(row.uid): row.record.get("uwsgi") for row in self.rows}
        contents["platform"] = Platform.objects.get(pk=1).record.get("nginx")
        for key, content in contents.items():
            known = self.history.setdefault(key, [])
            if not known or known[-1] != content:
                known.append(content)

    def next_value(self) -> int:
        self.value += 1
        return self.value

    def join(self, node: str) -> None:
        self.waves.add_node(node, has_role=True)
        self.present.append(node)

    @rule(node=some_node)
    def joins(self, node: str) -> None:
        if node not in self.present:
            self.join(node)

    @rule(node=some_node)
    def drains_or_returns(self, node: str) -> None:
        if node in self.present:
            state = Node.objects.get(pk=node).state
            save_node(OPERATOR, node, "web", state=ACTIVE if state == DRAINING else DRAINING)

    @rule(number=some_site)
    def changes_one(self, number: int) -> None:
        """It is everywhere at once, whatever a wave holds back."""
        row, value = self.row(number), self.next_value()
        self.waves.change(row, uwsgi={"processes": value})
        self.remember()
        for node in self.present:
            assert self.waves.records(node)[row.identifier]["uwsgi"] == {"processes": value}

    @rule()
    def changes_many(self) -> None:
        value = self.next_value()
        with suppress(WaveRunsError):
            self.waves.change(*self.rows[:3], uwsgi={"processes": value})
        self.remember()

    @rule(at_once=st.booleans())
    def changes_the_platform(self, at_once: bool) -> None:
        with suppress(WaveRunsError):
            self.waves.change_platform(at_once=at_once, nginx={"timeout": self.next_value()})
        self.remember()

    @rule(number=some_site)
    def is_enabled_or_not(self, number: int) -> None:
        row = self.row(number)
        self.waves.change(row, enabled=not row.enabled)

    @rule(number=some_site)
    def is_rotated(self, number: int) -> None:
        self.waves.change(self.row(number), epoch=self.next_value())

    @rule(number=some_site, to=some_site, also=st.booleans())
    def hostname_moves(self, number: int, to: int, also: bool) -> None:
        """Maybe with another key, and maybe in a change of so many sites that it is a wave."""
        row, other = self.row(number), self.row(to)
        names = row.record.get("aliases", [])
        if row.uid == other.uid or not names:
            return
        more = {"uwsgi": {"processes": self.next_value()}} if also else {}
        edits = {one.uid: more for one in self.rows} if also else {}
        edits |= {row.uid: {"aliases": names[1:], **more}}
        edits |= {other.uid: {"aliases": [*other.record.get("aliases", []), names[0]], **more}}
        with suppress(WaveRunsError):
            self.fleet.apply(*(EditSite(uid, merge_patch(patch)) for uid, patch in edits.items()))
        self.remember()

    @rule(number=some_site)
    def is_retired_and_made_anew(self, number: int) -> None:
        row = self.row(number)
        self.fleet.apply(RetireSite(row.uid), confirmed=1)
        self.fleet.apply(CreateSite(row.identifier, {"hostnames": row.record["hostnames"]}))
        self.remember()

    @rule(node=some_node)
    def reads(self, node: str) -> None:
        if node in self.present:
            self.waves.follow(node)

    @rule(node=some_node, well=st.booleans())
    def reports(self, node: str, well: bool) -> None:
        if node in self.present:
            self.waves.report(node, **({} if well else {"s1": "No."}))

    @rule(times=st.integers(1, 3))
    def goes_on(self, times: int) -> None:
        self.waves.report_all()
        self.waves.tick(times)

    @rule(how=st.sampled_from((resume_wave, finish_wave, abandon_wave)))
    def is_decided(self, how: Any) -> None:
        with suppress(ConfigurationError):
            how(OPERATOR)
        self.remember()

    @invariant()
    def no_node_is_given_what_it_must_not_have(self) -> None:
        rows = {row.identifier: row for row in self.rows}
        for node in self.present:
            read = self.waves.read(node)
            records = {site: row["record"] for site, row in read["sites"].items()}
            assert records.keys() == rows.keys()
            names = [
                name for record in records.values() for key in ("hostnames", "aliases") for name in record.get(key, [])
            ]
            assert len(names) == len(set(names)), "one hostname on two sites"
            for site, record in records.items():
                for key in ("enabled", "hostnames", "aliases", "epoch", "uid", "names"):
                    assert record.get(key) == rows[site].record.get(key), (node, site, key)
                self.never_goes_back(node, str(rows[site].uid), record.get("uwsgi"))
            self.never_goes_back(node, "platform", read["platform"]["record"].get("nginx"))

    def never_goes_back(self, node: str, key: str, content: Any) -> None:
        """Assert that a content is not older than the one that the node was given before."""
        known = self.history[key]
        place = len(known) - 1 - known[::-1].index(content)
        assert place >= self.seen.get((node, key), 0), (node, key)
        self.seen[node, key] = place

    def teardown(self) -> None:
        try:
            if self.present:
                self.end()
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    def end(self) -> None:
        """All waves end, by themselves or as someone decides; then each node has read exactly the registry."""
        for node in self.present:
            save_node(OPERATOR, node, "web", state=ACTIVE)
        for _ in range(8):
            self.waves.report_all()
            with suppress(ConfigurationError):
                resume_wave(OPERATOR)
            self.waves.tick(2)
        assert not Wave.objects.exclude(state=DONE).exists()
        expected = {row.identifier: row.record for row in self.rows}
        platform = Platform.objects.get(pk=1).record
        for node in self.present:
            assert self.waves.follow(node) == expected
            assert self.waves.known[node]["platform"] == platform


@pytest.fixture(name="fleet_of_nodes")
def _fleet_of_nodes(fleet: Fleet, made_roles: None) -> Iterator[Fleet]:
    for node in NODES:
        make_role(node)
    with override_settings(**{SITES_SETTING: 2, BAKE_SETTING: 0}):
        yield fleet


def test_no_node_is_given_what_it_must_not_have(fleet_of_nodes: Fleet) -> None:
    machine = type("Machine", (Waves,), {"fleet": fleet_of_nodes})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            derandomize=EXAMPLES <= 3,
            phases=(Phase.explicit, Phase.generate),  # to shrink takes minutes, and twenty steps can be read
            suppress_health_check=list(HealthCheck),
        ),
    )
