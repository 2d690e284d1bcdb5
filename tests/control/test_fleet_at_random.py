"""
A fleet of agents as processes, on a real PostgreSQL, with real nginx: changes, waves, holds, kills, restarts, outages
and hand edits at random. Whatever happened, in the end disk and servers are what the database says.

``MULTIHOST_FLEET_EXAMPLES=100`` tries more of them, and ten times fewer with real uWSGI.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.control.fleet import OPERATOR, Fleet
from tests.control.random_fleet import GROUPS, SITES, RandomFleet
from tests.control.random_nodes import RandomNode
from tests.control.restarts import Restarts
from wagtail_multihost.control.holds import current_holds, find_target, hold, release_hold
from wagtail_multihost.control.nodes import displace_sites, place_sites
from wagtail_multihost.control.wave_plans import BAKE_SETTING, SITES_SETTING
from wagtail_multihost.control.waves import abandon_wave, finish_wave
from wagtail_multihost.exceptions import ConfigurationError

pytestmark = pytest.mark.servers

EXAMPLES = int(os.environ.get("MULTIHOST_FLEET_EXAMPLES", "2"))
STEPS = 20
#: Seconds between two steps.
PAUSES = (0.0, 0.1, 0.3, 0.7)
#: Up to so many examples, as in CI, are the same ones each time.
FEW = 2
some_site, some_node = st.sampled_from(SITES), st.sampled_from(sorted(GROUPS))


class Fleets(RuleBasedStateMachine):
    """Each step is one thing that somebody does, or that happens; nothing is waited for but in the end."""

    restarts: Restarts
    folder: Path
    is_served: bool

    @cached_property
    def fleet(self) -> RandomFleet:
        return RandomFleet(self.restarts, Path(mkdtemp(dir=self.folder)), is_served=self.is_served)

    def node(self, name: str) -> RandomNode:
        return self.fleet.nodes[name]

    def is_there(self, site: str) -> bool:
        return site in self.fleet.names

    # What people do

    @rule(site=some_site)
    def site_is_made_or_retired(self, site: str) -> None:
        if self.is_there(site):
            self.fleet.retire(site)
        else:
            self.fleet.add(site)

    @rule(site=some_site, more=st.booleans())
    def hostname_comes_or_goes(self, site: str, more: bool) -> None:
        if self.is_there(site):
            self.fleet.name(site, more=more)

    @rule(site=some_site)
    def site_is_switched(self, site: str) -> None:
        if self.is_there(site):
            self.fleet.switch(site)

    @rule(site=some_site)
    def setting_is_changed(self, site: str) -> None:
        if self.is_there(site):
            self.fleet.set_processes(site)

    @rule()
    def settings_of_all_are_changed(self) -> None:
        self.fleet.set_processes(*self.fleet.names)

    @rule()
    def platform_is_changed(self) -> None:
        self.fleet.change_platform()

    @rule(site=some_site)
    def site_is_placed_or_not(self, site: str) -> None:
        if self.is_there(site):
            change = displace_sites if self.fleet.placed(site) else place_sites
            change(OPERATOR, "web3", [self.fleet.row(site)])

    @rule(times=st.integers(1, 3))
    def wave_goes_on(self, times: int) -> None:
        for _ in range(times):
            self.fleet.tick()

    @rule(how=st.sampled_from((finish_wave, abandon_wave)))
    def wave_is_ended(self, how: Any) -> None:
        with suppress(ConfigurationError):
            how(OPERATOR)

    @rule(what=st.sampled_from(("ALL", *SITES, *GROUPS)))
    def something_is_held(self, what: str) -> None:
        if what in ("ALL", *self.fleet.nodes, *self.fleet.names):
            target = find_target(OPERATOR, what)
            with suppress(ConfigurationError):  # so often already
                hold(OPERATOR, target.site, target.node, seconds=600, reason="a test")

    @rule(site=some_site, other=some_site)
    def site_is_held_and_changed(self, site: str, other: str) -> None:
        """With another one, for which nobody waits."""
        if self.is_there(site):
            self.something_is_held(site)
            self.fleet.set_processes(site)
            self.setting_is_changed(other)

    @rule()
    def hold_ends(self) -> None:
        """The first example that Hypothesis makes does nothing else: a fleet is only begun by something else."""
        if one := current_holds().first():
            release_hold(OPERATOR, one.pk)

    # What happens to nodes

    @rule(node=some_node)
    def agent_is_killed_or_started(self, node: str) -> None:
        if self.node(node).runs:
            self.node(node).kill_agent()
        else:
            self.node(node).start()

    @rule(node=some_node)
    def agent_is_killed_in_its_next_reload(self, node: str) -> None:
        self.node(node).kill_in_reload()

    @rule(node=some_node)
    def agent_is_stopped_and_started(self, node: str) -> None:
        """One that has only just begun, or is to be killed in its reload, ends by the signal."""
        assert self.node(node).stop() in (0, -signal.SIGTERM, -signal.SIGKILL), self.node(node).log
        self.node(node).start()

    @rule(node=some_node, does=st.booleans())
    def servers_refuse_or_not(self, node: str, does: bool) -> None:
        self.node(node).refuse(does=does)

    @rule(node=some_node, what=st.sampled_from(("uwsgi", "nginx", "sites")), number=st.integers(0, 20))
    def file_is_edited_by_hand(self, node: str, what: str, number: int) -> None:
        self.node(node).edit(what, number)

    @rule(node=some_node, does=st.booleans())
    def line_is_cut_or_mended(self, node: str, does: bool) -> None:
        self.node(node).line.cut() if does else self.node(node).line.mend()

    @rule(node=some_node)
    def line_falls_silent(self, node: str) -> None:
        self.node(node).line.fall_silent()

    @rule(how=st.sampled_from((signal.SIGKILL, signal.SIGQUIT, signal.SIGINT)))
    def registry_is_killed_or_restarted(self, how: signal.Signals) -> None:
        self.restarts.restart(how)

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        time.sleep(seconds)

    @invariant()
    def agents_do_something_or_not(self) -> None:
        """Between two steps; Hypothesis sees to it that a failed example is repeated with the same pauses."""
        if "fleet" in vars(self):
            time.sleep(random.choice(PAUSES))

    def teardown(self) -> None:
        """The fleet is as it should be in the end, unless a step has failed."""
        if "fleet" in vars(self):
            try:
                if sys.exception() is None:
                    self.fleet.end()
            finally:
                self.fleet.close()


@pytest.mark.parametrize("is_served", [False, True], ids=["files", "uwsgi"])
def test_disk_and_servers_are_the_database_in_the_end(
    live_fleet: Fleet, restarts: Restarts, open_folder: Path, is_served: bool
) -> None:
    machine = type("Machine", (Fleets,), {"restarts": restarts, "folder": open_folder, "is_served": is_served})
    with override_settings(**{SITES_SETTING: 2, BAKE_SETTING: 0}):
        run_state_machine_as_test(machine, settings=settings_of(max(1, EXAMPLES // 10) if is_served else EXAMPLES))


def settings_of(examples: int) -> settings:
    return settings(
        max_examples=1 + examples,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=EXAMPLES <= FEW,
        database=None,
        phases=(Phase.generate,),  # to shrink takes long, and twenty steps can be read
        suppress_health_check=list(HealthCheck),
    )
