"""A real agent with a monitor beside it that the test plays, on the real server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from tests.accounts import IS_ROOT, NOBODY
from tests.control.agents import AgentProcess, agent_of
from tests.control.fleet import OPERATOR, Fleet
from tests.control.healing_fleet import SEE, SEEN, run_sql
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.models import Event, HealStep, Report
from wagtail_multihost.control.nodes import save_node
from wagtail_multihost.nodeapi.heal_steps import APPLY, DONE, HEALED, READ, RESTART
from wagtail_multihost.nodeapi.node_states import ACTIVE, FALSE, HEALING, MONITOR_REFUSED, TRUE
from wagtail_multihost.nodeapi.probe_files import Observation, Observed, parse_targets, read_clock, render_observed
from wagtail_multihost.nodeapi.probe_states import DOWN, REFUSED, UP

HOSTNAME = "aurora.example.com"


class Monitor:
    """Writes what it has concluded of aurora, as its own account."""

    def __init__(self, path: Path) -> None:
        self.path, self.serial = path, 0

    def say(self, state: str, reason: str = "") -> None:
        self.serial += 1
        now = read_clock()
        said = Observed(
            "web1", UUID(int=1), "1", self.serial, now, None, (Observation(HOSTNAME, state, reason, 0, now),)
        )
        draft = self.path.with_suffix(".draft")
        draft.write_bytes(render_observed(said))
        draft.chmod(0o644)
        if IS_ROOT:
            os.chown(draft, NOBODY, -1)
        draft.rename(self.path)


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, open_folder: Path) -> Iterator[AgentProcess]:
    folder = open_folder / os.urandom(4).hex()
    folder.mkdir(mode=0o755)
    files = {"probe_targets": str(folder / "run/targets.json"), "observations": str(folder / "observations.json")}
    with agent_of(postgres, folder, **files, monitor_user="nobody", heal_pause=0.1) as agent:
        agent.give_key("aurora")
        yield agent


def test_agent_heals_by_the_word_of_its_monitor(live_fleet: Fleet, agent: AgentProcess) -> None:
    """It asks before each step; a restart waits for another node that serves the site, and is told when it helped."""
    folder = agent.folder.parent
    monitor, site = Monitor(folder / "observations.json"), live_fleet.add("aurora")
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        wait_for((folder / "run/targets.json").exists, "the targets")
        place, targets = parse_targets((folder / "run/targets.json").read_bytes())
        assert (place, [(one.hostname, one.uid) for one in targets]) == ("web1", [(HOSTNAME, site.uid)])

        def is_refused() -> bool:
            monitor.say(DOWN, REFUSED)
            return "No other node serves it well" in agent.condition(HEALING).get("message", "")

        wait_for(is_refused, agent.log, 60)
        assert agent.condition(HEALING)["status"] == TRUE
        steps = HealStep.objects.order_by("at")
        assert list(steps.values_list("step", "outcome", "node")) == [(READ, DONE, "web1"), (APPLY, DONE, "web1")]
        vassal = agent.output / "uwsgi" / "aurora.ini"
        before = vassal.read_bytes()
        save_node(OPERATOR, "web2", "group")
        save_node(OPERATOR, "web2", state=ACTIVE)
        Report.objects.create(node_id="web2", seen_at=timezone.now(), boot=uuid4())
        run_sql(SEEN, "web2", 0)
        run_sql(SEE, HOSTNAME, "web2", site.uid, UP)

        def is_restarted() -> bool:
            monitor.say(DOWN, REFUSED)
            Report.objects.filter(node_id="web2").update(seen_at=timezone.now())
            return steps.filter(step=RESTART, outcome=DONE).exists()

        wait_for(is_restarted, agent.log, 120)
        assert vassal.read_bytes() == before
        assert Event.objects.get(type="heal.restart").site == "aurora"

        def is_healed() -> bool:
            monitor.say(UP)
            return steps.filter(step=RESTART, outcome=HEALED).exists()

        wait_for(is_healed, agent.log, 30)
        wait_for(lambda: agent.condition(HEALING)["status"] == FALSE, "the condition")


def test_agent_goes_on_whatever_its_monitor_writes(live_fleet: Fleet, agent: AgentProcess) -> None:
    folder = agent.folder.parent
    live_fleet.add("aurora")
    (folder / "observations.json").symlink_to("/etc/passwd")
    with agent.running():
        wait_for(lambda: agent.condition(MONITOR_REFUSED).get("status") == TRUE, "the condition", 30)
        assert "symbolic links" in agent.condition(MONITOR_REFUSED)["message"]
        live_fleet.add("borealis")
        agent.give_key("aurora", "borealis")
        agent.wait_until_applied(live_fleet.revision)
    assert not HealStep.objects.exists()
